// Batches that a disk in memory wrote somewhere else, for tests and for the simulator.

/// A batch that was acknowledged, and that the disk put where it does not belong.
package struct MisdirectedWrite: Hashable, Sendable, CustomStringConvertible {
    /// Where it belongs.
    package var segment: String
    package var batch: Range<Int>
    /// Where it went.
    package var file: String
    package var offset: Int

    package init(_ batch: Range<Int>, of segment: String, to offset: Int, of file: String) {
        self.segment = segment
        self.batch = batch
        self.file = file
        self.offset = offset
    }

    package var description: String {
        "bytes \(batch.lowerBound) to \(batch.upperBound) of \(segment) went to byte \(offset) of \(file)"
    }
}

extension MemoryDisk {
    /// Where the batches of a segment lie, in order: as far as each begins where the one before it ends.
    package func batches(of segment: String) -> [Range<Int>] {
        guard let stored = contents(of: segment) else { return [] }
        // What was never written reads as zeros.
        let bytes = stored + [UInt8](repeating: 0, count: SegmentHeader.batchesOffset)
        return bytes.withUnsafeBytes { bytes in
            guard case .header(let header, let seed) = SegmentHeader.decode(bytes) else { return [] }
            var batches: [Range<Int>] = []
            var offset = SegmentHeader.batchesOffset
            while offset + FrameHeader.sizeBytes <= bytes.count,
                let frame = FrameHeader(bytes.part(offset, FrameHeader.sizeBytes), seed: seed),
                frame.sequence == header.firstSequence + UInt64(batches.count)
            {
                batches.append(offset..<offset + frame.lengthBytes)
                offset += frame.lengthBytes
            }
            return batches
        }
    }

    /// Makes the files what they would be: as before that batch where it belongs, the batch where it went, and over both what was
    /// written to its segment later. The file that it went to is not one that was begun later.
    package func misdirect(_ write: MisdirectedWrite) {
        let later = write.batch.upperBound..<(batches(of: write.segment).last?.upperBound ?? write.batch.upperBound)
        let (bytes, laterBytes) = (read(write.segment, write.batch), read(write.segment, later))
        overwrite(write.segment, at: write.batch.lowerBound, [UInt8](repeating: 0, count: bytes.count))
        overwrite(write.file, at: write.offset, bytes)
        overwrite(write.segment, at: later.lowerBound, laterBytes)
    }

    private func read(_ name: String, _ range: Range<Int>) -> [UInt8] {
        let stored = contents(of: name) ?? []
        return range.map { $0 < stored.count ? stored[$0] : 0 }
    }
}
