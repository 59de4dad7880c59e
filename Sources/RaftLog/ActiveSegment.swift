// The segment that is being appended to, and those before it.

import RaftCore

/// A segment that is full, or was left behind by a later one.
struct SealedSegment: Hashable {
    let id: UInt64
    /// The last entry before it.
    let base: LogPosition
    /// No entry in it, or before it, has a higher index.
    let highestIndex: LogIndex
    /// What its batches and its header take.
    let usedBytes: Int
    /// The file's length.
    let sizeBytes: Int
}

/// The last segment's file and how far it is filled.
struct ActiveSegment {
    let file: DiskFile
    let id: UInt64
    let base: LogPosition
    /// The header's checksum, with which the checksums of its batches begin.
    let seed: UInt32
    /// How far batches may reach.
    let sizeBytes: Int
    /// Where the next batch goes.
    var end: Int
    /// Up to where the file system counts the blocks as written.
    var zeroedEnd: Int
    /// No entry in it, or before it, has a higher index.
    var highestIndex: LogIndex

    /// What becomes of it when the next one begins.
    var sealed: SealedSegment {
        SealedSegment(id: id, base: base, highestIndex: highestIndex, usedBytes: end, sizeBytes: sizeBytes)
    }

    /// The tail that recovery found.
    init(_ tail: Recovery.Tail) {
        file = tail.reader.file
        id = tail.header.id
        base = tail.header.base
        seed = tail.seed
        sizeBytes = tail.reader.sizeBytes
        end = tail.stop.offset
        zeroedEnd = tail.header.isRecycled ? sizeBytes : end
        highestIndex = tail.stop.highestIndex
    }

    private init(_ file: DiskFile, _ header: SegmentHeader, seed: UInt32, sizeBytes: Int) {
        self.file = DiskFile(number: file.number, name: SegmentHeader.fileName(header.id))
        id = header.id
        base = header.base
        self.seed = seed
        self.sizeBytes = sizeBytes
        end = SegmentHeader.batchesOffset
        zeroedEnd = header.isRecycled ? sizeBytes : end
        highestIndex = header.base.index
    }

    /// Creates a segment that is complete and durable before it has its final name, so that a file of that name with a
    /// bad header is always damage and never a crash's left-over.
    static func create(on disk: any Disk, _ header: SegmentHeader, sizeBytes: Int) throws(DiskError) -> ActiveSegment {
        let temporary = SegmentHeader.temporaryName(header.id)
        let file = try disk.create(temporary)
        do throws(DiskError) {
            try disk.reserve(file, sizeBytes: sizeBytes)
            return try publish(on: disk, file, temporary, header, sizeBytes: sizeBytes)
        } catch {
            disk.close(file)
            // Leaves the space it took to others; gone already if the rename was done.
            if error.cause == .noSpace { try? disk.remove(temporary) }
            throw error
        }
    }

    /// Makes a segment of a file that was set aside; `header.isRecycled` says what is in it.
    static func reuse(_ spare: String, on disk: any Disk, _ header: SegmentHeader) throws(DiskError) -> ActiveSegment {
        let file = try disk.open(spare)
        do throws(DiskError) {
            return try publish(on: disk, file, spare, header, sizeBytes: try disk.size(of: file))
        } catch {
            disk.close(file)
            throw error
        }
    }

    private static func publish(
        on disk: any Disk,
        _ file: DiskFile,
        _ name: String,
        _ header: SegmentHeader,
        sizeBytes: Int
    ) throws(DiskError) -> ActiveSegment {
        let page = RawStorage(zeros: SegmentHeader.batchesOffset)
        let seed = header.encode(into: page.bytes)
        try disk.write(file, at: 0, UnsafeRawBufferPointer(page.bytes))
        try disk.sync(file)
        try disk.rename(name, to: SegmentHeader.fileName(header.id))
        try disk.syncDirectory()
        return ActiveSegment(file, header, seed: seed, sizeBytes: sizeBytes)
    }
}
