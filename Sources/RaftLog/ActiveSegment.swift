// The segment that is being appended to.

/// The last segment's file and how far it is filled.
struct ActiveSegment {
    let file: DiskFile
    let id: UInt64
    /// The header's checksum, with which the checksums of its batches begin.
    let seed: UInt32
    /// How far batches may reach.
    let sizeBytes: Int
    /// Where the next batch goes.
    var end: Int
    /// Up to where the file system counts the blocks as written.
    var zeroedEnd: Int

    init(file: DiskFile, id: UInt64, seed: UInt32, sizeBytes: Int, end: Int) {
        self.file = file
        self.id = id
        self.seed = seed
        self.sizeBytes = sizeBytes
        self.end = end
        zeroedEnd = end
    }

    /// Creates a segment that is complete and durable before it has its final name, so that a file of that name with a
    /// bad header is always damage and never a crash's left-over.
    static func create(on disk: any Disk, _ header: SegmentHeader, sizeBytes: Int) throws(DiskError) -> ActiveSegment {
        let temporary = SegmentHeader.temporaryName(header.id)
        let file = try disk.create(temporary)
        do throws(DiskError) {
            try disk.reserve(file, sizeBytes: sizeBytes)
            let page = RawStorage(capacity: SegmentHeader.batchesOffset)
            _ = page.bytes.initializeMemory(as: UInt8.self, repeating: 0)
            let seed = header.encode(into: page.bytes)
            try disk.write(file, at: 0, UnsafeRawBufferPointer(page.bytes))
            try disk.sync(file)
            let name = SegmentHeader.fileName(header.id)
            try disk.rename(temporary, to: name)
            try disk.syncDirectory()
            return ActiveSegment(
                file: DiskFile(number: file.number, name: name),
                id: header.id,
                seed: seed,
                sizeBytes: sizeBytes,
                end: SegmentHeader.batchesOffset
            )
        } catch {
            disk.close(file)
            // Leaves the space it took to others; gone already if the rename was done.
            if error.cause == .noSpace { try? disk.remove(temporary) }
            throw error
        }
    }
}
