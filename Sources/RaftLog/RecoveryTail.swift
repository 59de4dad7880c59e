// The end of the log: cuts a torn batch and makes what was read durable.

import ConclavePlatform
import RaftCore

extension Recovery {
    /// Removes what a torn batch left behind the last sound one. Called only when no later batch exists.
    ///
    /// In a file that was never used before, everything that is not zero is overwritten: no remnant can meet a batch written
    /// later. In a recycled file there are batches of an earlier use, which do not pass this segment's checksums and may stay;
    /// there the torn batch's own place is overwritten.
    func cutTail(_ tail: inout Tail) throws(LogError) -> TornTail? {
        let stop = tail.stop
        let garbage = tail.header.isRecycled ? try tornBatch(&tail) : try nonZero(&tail)
        guard let garbage else { return nil }
        let file = tail.reader.file
        try io { () throws(DiskError) in try overwriteWithZeros(file, garbage) }
        return TornTail(
            file: file.name,
            offset: stop.offset,
            lengthBytes: garbage.count,
            entries: stop.header?.indexes
        )
    }

    /// From the end of the batches to the last byte that is not zero.
    private func nonZero(_ tail: inout Tail) throws(LogError) -> Range<Int>? {
        let start = tail.stop.offset
        var end = start
        var offset = start
        while offset < tail.reader.sizeBytes {
            let count = min(SegmentReader.windowSizeBytes, tail.reader.sizeBytes - offset)
            guard let chunk = try tail.reader.bytes(at: offset, count: count), let first = chunk.baseAddress else {
                break
            }
            if conclave_is_zero(first, count) == 0 { end = offset + (chunk.lastIndex { $0 != 0 } ?? 0) + 1 }
            offset += count
        }
        return end > start ? start..<end : nil
    }

    /// Where a batch was begun, judged by what its header still says; nil when what is there is an earlier use's.
    private func tornBatch(_ tail: inout Tail) throws(LogError) -> Range<Int>? {
        let start = tail.stop.offset
        guard let bytes = try tail.reader.bytes(at: start, count: FrameHeader.sizeBytes) else { return nil }
        // Without the magic, the rest of a batch that was cut before could pass: a table has small numbers, too.
        let isBegun =
            bytes.integer(at: 0, as: UInt32.self) == FrameHeader.magic
            && bytes.integer(at: 8, as: UInt64.self) == replay.nextSequence
        let isOurs = isBegun || bytes.integer(at: 60, as: UInt32.self) == replay.previousChecksum
        guard isOurs else { return nil }
        let length = tail.stop.header?.lengthBytes ?? FrameHeader.sizeBytes
        return start..<min(start + length, tail.reader.sizeBytes)
    }

    private func overwriteWithZeros(_ file: DiskFile, _ range: Range<Int>) throws(DiskError) {
        let zeros = RawStorage(zeros: min(range.count, SegmentReader.windowSizeBytes))
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
    func makeDurable(_ tail: inout Tail) throws(LogError) {
        let file = tail.reader.file
        if let range = tail.stop.lastFrame,
            let frame = try tail.reader.bytes(at: range.lowerBound, count: range.count)
        {
            try io { () throws(DiskError) in try disk.write(file, at: range.lowerBound, frame) }
        }
        try io { () throws(DiskError) in
            try disk.sync(file)
            try disk.syncDirectory()
        }
    }
}
