// The end of the log: decides between nothing, a torn batch and corruption, and makes the decision durable.

import ConclavePlatform

extension Recovery {
    /// Looks at what follows the last sound batch: nothing, a torn batch (cut durably) or proof of corruption (thrown).
    ///
    /// Only one batch is ever written between two syncs, so a batch later than the missing one proves that the missing
    /// one was synced. The cut is done by writing zeros: from then on everything behind the end is zero again, and no
    /// remnant can meet a batch written later.
    func cutTail(_ reader: inout SegmentReader, _ stop: Stop, seed: UInt32) throws(LogError) -> TornTail? {
        var garbageEnd = stop.offset
        var offset = stop.offset
        while offset < reader.sizeBytes {
            let count = min(SegmentReader.windowSizeBytes, reader.sizeBytes - offset)
            guard let chunk = try reader.bytes(at: offset, count: count), let start = chunk.baseAddress else { break }
            if conclave_is_zero(start, count) == 0 {
                if holdsLaterFrame(chunk, seed: seed) { throw corruption(reader.file.name, stop) }
                garbageEnd = offset + (chunk.lastIndex { $0 != 0 } ?? 0) + 1
            }
            // Chunks overlap by a header, so that one across their border is seen whole.
            let isLast = offset + count == reader.sizeBytes
            offset += isLast ? count : count - FrameHeader.sizeBytes
        }
        guard garbageEnd > stop.offset else { return nil }
        try io { () throws(DiskError) in try overwriteWithZeros(reader.file, stop.offset..<garbageEnd) }
        return TornTail(
            file: reader.file.name,
            offset: stop.offset,
            lengthBytes: garbageEnd - stop.offset,
            entries: stop.header?.indexes
        )
    }

    private func holdsLaterFrame(_ chunk: UnsafeRawBufferPointer, seed: UInt32) -> Bool {
        var offset = 0
        while offset + FrameHeader.sizeBytes <= chunk.count {
            if chunk.integer(at: offset, as: UInt32.self) == FrameHeader.magic,
                let header = FrameHeader(chunk.part(offset, FrameHeader.sizeBytes), seed: seed),
                header.sequence > replay.nextSequence
            {
                return true
            }
            offset += 8
        }
        return false
    }

    private func overwriteWithZeros(_ file: DiskFile, _ range: Range<Int>) throws(DiskError) {
        let zeros = RawStorage(capacity: min(range.count, SegmentReader.windowSizeBytes))
        _ = zeros.bytes.initializeMemory(as: UInt8.self, repeating: 0)
        var offset = range.lowerBound
        while offset < range.upperBound {
            let count = min(zeros.bytes.count, range.upperBound - offset)
            try disk.write(file, at: offset, UnsafeRawBufferPointer(zeros.bytes).part(0, count))
            offset += count
        }
    }

    /// Makes sure that what was read is on the disk and not only in the operating system's memory: the process may have
    /// died between writing its last batch and syncing it, and the server now vouches for that batch.
    ///
    /// It is written again first, because after a *failed* sync the system may hold the pages for clean though they
    /// never reached the disk, and a sync alone would do nothing (raft-rules P32).
    func makeDurable(_ reader: inout SegmentReader, _ stop: Stop) throws(LogError) {
        let file = reader.file
        if let range = stop.lastFrame, let frame = try reader.bytes(at: range.lowerBound, count: range.count) {
            try io { () throws(DiskError) in try disk.write(file, at: range.lowerBound, frame) }
        }
        try io { () throws(DiskError) in
            try disk.sync(file)
            try disk.syncDirectory()
        }
    }
}
