// Reads a snapshot as a stream, in bounded memory, believing nothing.

import RaftCore

/// An open snapshot file. Reads go on after the file's name is gone.
package final class SnapshotReader {
    /// What the file is.
    package let info: SnapshotInfo
    private let disk: any Disk
    private let file: DiskFile
    private let path: String
    private let seed: UInt32
    private let trailer: SnapshotTrailer
    /// Header and trailer, as they were found sound.
    private let ends: RawStorage
    private let storage = RawStorage(capacity: SnapshotFormat.chunkHeaderSizeBytes + SnapshotFormat.chunkSizeBytes)
    /// The chunk in `storage`. Invariant: it was checked since it was read.
    private var loaded: SnapshotTrailer.Chunk?

    /// Looks at header and trailer; `expected` names the very file that must be there.
    init(_ disk: any Disk, _ cluster: ClusterID, name: String, expected: SnapshotInfo? = nil) throws(LogError) {
        self.disk = disk
        path = "\(disk.location)/\(name)"
        file = try io { () throws(DiskError) in try disk.open(name) }
        do throws(LogError) {
            let found = try Self.readEnds(disk, file, path, cluster)
            guard SnapshotFormat.parse(name)?.position == found.info.position, expected == nil || expected == found.info
            else { throw .snapshotDamaged(file: path, offset: 0) }
            (info, seed, trailer, ends) = found
        } catch {
            disk.close(file)
            throw error
        }
    }

    deinit { disk.close(file) }

    private static func readEnds(
        _ disk: any Disk,
        _ file: DiskFile,
        _ path: String,
        _ cluster: ClusterID
    ) throws(LogError) -> (info: SnapshotInfo, seed: UInt32, trailer: SnapshotTrailer, ends: RawStorage) {
        let size = try io { () throws(DiskError) in try disk.size(of: file) }
        let ends = RawStorage(zeros: SnapshotFormat.headerSizeBytes + SnapshotFormat.trailerSizeBytes)
        let header = UnsafeMutableRawBufferPointer(rebasing: ends.bytes[..<SnapshotFormat.headerSizeBytes])
        let bytes = UnsafeRawBufferPointer(header)
        let count = try io { () throws(DiskError) in try disk.read(file, at: 0, into: header) }
        guard count == bytes.count, bytes.integer(at: 0, as: UInt64.self) == SnapshotFormat.headerMagic else {
            throw .snapshotDamaged(file: path, offset: 0)
        }
        let version = bytes.integer(at: 8, as: UInt32.self)
        let seed = CRC32C.checksum(bytes.part(0, 60))
        guard bytes.integer(at: 60, as: UInt32.self) == seed else { throw .snapshotDamaged(file: path, offset: 0) }
        guard version == SnapshotFormat.version else {
            throw .unknownVersion(file: path, found: version, supported: SnapshotFormat.version)
        }
        let owner = ClusterID(high: bytes.integer(at: 16), low: bytes.integer(at: 24))
        guard owner == cluster else { throw .wrongCluster(location: path, found: owner, expected: cluster) }
        let position = bytes.position(at: 32)

        let offset = max(0, size - SnapshotFormat.trailerSizeBytes)
        let rest = UnsafeMutableRawBufferPointer(rebasing: ends.bytes[SnapshotFormat.headerSizeBytes...])
        let atEnd = try io { () throws(DiskError) in try disk.read(file, at: offset, into: rest) }
        let trailerBytes = UnsafeRawBufferPointer(rest).part(0, atEnd)
        guard let trailer = SnapshotTrailer(trailerBytes, seed: seed, fileSizeBytes: size), trailer.position == position
        else { throw .snapshotDamaged(file: path, offset: offset) }
        let checksum: UInt32 = trailerBytes.integer(at: 60)
        return (SnapshotInfo(position: position, sizeBytes: size, checksum: checksum), seed, trailer, ends)
    }

    /// Streams the machine's state, a chunk at a time; each was checked. The memory is valid during the call only.
    /// - Throws: `LogError.snapshotDamaged`, possibly after some chunks were handed out; what `body` throws.
    package func readState(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        try read(.state, at: SnapshotFormat.headerSizeBytes, body)
    }

    /// The cluster's configuration as of the snapshot.
    package func configuration() throws -> [UInt8] {
        try collect(.configuration, at: trailer.offsets.configuration)
    }

    /// The client sessions as of the snapshot.
    package func sessions() throws -> [UInt8] {
        try collect(.sessions, at: trailer.offsets.sessions)
    }

    /// Bytes of the file as they were written, for a peer: from `offset`, as many as there are up to `count`.
    /// - Throws: `LogError.snapshotDamaged` when they are not in the file any more as they were: a file may rot after it was written.
    package func bytes(at offset: Int, count: Int) throws(LogError) -> [UInt8] {
        let end = min(offset + count, info.sizeBytes)
        var collected: [UInt8] = []
        collected.reserveCapacity(max(0, end - offset))
        var place = offset
        while place < end {
            let (start, part) = try checkedPart(around: place)
            let count = min(end, start + part.count) - place
            collected += part.part(place - start, count)
            place += count
        }
        return collected
    }

    /// The part of the file that the byte at `offset` is checked with, and where it starts. Valid until the next read.
    private func checkedPart(around offset: Int) throws(LogError) -> (start: Int, bytes: UnsafeRawBufferPointer) {
        if let chunk = trailer.chunk(at: offset) { return (chunk.offset, try load(chunk)) }
        let bytes = UnsafeRawBufferPointer(ends.bytes)
        if offset < SnapshotFormat.headerSizeBytes { return (0, bytes.part(0, SnapshotFormat.headerSizeBytes)) }
        return (
            trailer.offsets.trailer,
            bytes.part(SnapshotFormat.headerSizeBytes, SnapshotFormat.trailerSizeBytes)
        )
    }

    /// Reads everything and checks every checksum.
    package func verify() throws(LogError) {
        loaded = nil
        var total: UInt32 = 0
        var offset = 0
        while offset < trailer.offsets.trailer {
            let count = min(storage.bytes.count, trailer.offsets.trailer - offset)
            let part = UnsafeMutableRawBufferPointer(rebasing: storage.bytes[..<count])
            let done = try io { () throws(DiskError) in try disk.read(file, at: offset, into: part) }
            guard done == count else { throw .snapshotDamaged(file: path, offset: offset + done) }
            total = CRC32C.checksum(UnsafeRawBufferPointer(part), continuing: total)
            offset += count
        }
        guard total == trailer.totalChecksum else { throw .snapshotDamaged(file: path, offset: 0) }
    }

    private func collect(_ section: SnapshotFormat.Section, at offset: Int) throws -> [UInt8] {
        var collected: [UInt8] = []
        try read(section, at: offset) { collected += $0 }
        return collected
    }

    private func read(
        _ section: SnapshotFormat.Section,
        at start: Int,
        _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        var offset = start
        while let chunk = trailer.chunk(at: offset), chunk.section == section {
            try body(try load(chunk).part(SnapshotFormat.chunkHeaderSizeBytes, chunk.sizeBytes))
            offset += chunk.storedBytes
        }
    }

    /// Reads and checks a chunk, unless it is the one read last.
    private func load(_ chunk: SnapshotTrailer.Chunk) throws(LogError) -> UnsafeRawBufferPointer {
        let part = UnsafeMutableRawBufferPointer(rebasing: storage.bytes[..<chunk.storedBytes])
        let bytes = UnsafeRawBufferPointer(part)
        if loaded == chunk { return bytes }
        loaded = nil
        let done = try io { () throws(DiskError) in try disk.read(file, at: chunk.offset, into: part) }
        let payload = bytes.part(SnapshotFormat.chunkHeaderSizeBytes, chunk.sizeBytes)
        guard done == part.count, bytes.integer(at: 0, as: UInt32.self) == chunk.section.rawValue,
            Int(bytes.integer(at: 4, as: UInt32.self)) == chunk.sizeBytes,
            bytes.integer(at: 8, as: UInt32.self) == UInt32(truncatingIfNeeded: chunk.number),
            CRC32C.checksum(payload, continuing: CRC32C.checksum(bytes.part(0, 12), continuing: seed))
                == bytes.integer(at: 12, as: UInt32.self)
        else { throw .snapshotDamaged(file: path, offset: chunk.offset) }
        loaded = chunk
        return bytes
    }
}
