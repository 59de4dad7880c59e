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
    private let storage = RawStorage(capacity: SnapshotFormat.chunkHeaderSizeBytes + SnapshotFormat.chunkSizeBytes)

    /// Looks at header and trailer; `expected` names the very file that must be there.
    init(_ disk: any Disk, _ cluster: ClusterID, name: String, expected: SnapshotInfo? = nil) throws(LogError) {
        self.disk = disk
        path = "\(disk.location)/\(name)"
        file = try io { () throws(DiskError) in try disk.open(name) }
        do throws(LogError) {
            let found = try Self.readEnds(disk, file, path, cluster)
            guard SnapshotFormat.parse(name)?.position == found.info.position, expected == nil || expected == found.info
            else { throw .snapshotDamaged(file: path, offset: 0) }
            (info, seed, trailer) = found
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
    ) throws(LogError) -> (info: SnapshotInfo, seed: UInt32, trailer: SnapshotTrailer) {
        let size = try io { () throws(DiskError) in try disk.size(of: file) }
        let storage = RawStorage(zeros: SnapshotFormat.headerSizeBytes)
        let bytes = UnsafeRawBufferPointer(storage.bytes)
        let count = try io { () throws(DiskError) in try disk.read(file, at: 0, into: storage.bytes) }
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
        let atEnd = try io { () throws(DiskError) in try disk.read(file, at: offset, into: storage.bytes) }
        guard let trailer = SnapshotTrailer(bytes.part(0, atEnd), seed: seed, fileSizeBytes: size),
            trailer.position == position
        else { throw .snapshotDamaged(file: path, offset: offset) }
        return (SnapshotInfo(position: position, sizeBytes: size, checksum: bytes.integer(at: 60)), seed, trailer)
    }

    /// Streams the machine's state, a chunk at a time; each was checked. The memory is valid during the call only.
    /// - Throws: `LogError.snapshotDamaged`, possibly after some chunks were handed out; what `body` throws.
    package func readState(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        try read(.state, at: SnapshotFormat.headerSizeBytes, trailer.stateBytes, firstNumber: 0, body)
    }

    /// The cluster's configuration as of the snapshot.
    package func configuration() throws -> [UInt8] {
        try collect(.configuration, at: trailer.offsets.configuration, trailer.configurationBytes)
    }

    /// The client sessions as of the snapshot.
    package func sessions() throws -> [UInt8] {
        try collect(.sessions, at: trailer.offsets.sessions, trailer.sessionsBytes)
    }

    /// Bytes of the file as they are, for a peer: from `offset`, as many as there are up to `count`.
    package func bytes(at offset: Int, count: Int) throws(LogError) -> [UInt8] {
        let storage = RawStorage(capacity: max(1, min(count, info.sizeBytes - offset)))
        let done = try io { () throws(DiskError) in try disk.read(file, at: offset, into: storage.bytes) }
        return [UInt8](UnsafeRawBufferPointer(storage.bytes).part(0, done))
    }

    /// Reads everything and checks every checksum.
    package func verify() throws(LogError) {
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

    private func collect(_ section: SnapshotFormat.Section, at offset: Int, _ size: Int) throws -> [UInt8] {
        var number = SnapshotTrailer.chunkCount(trailer.stateBytes)
        if section == .sessions { number += SnapshotTrailer.chunkCount(trailer.configurationBytes) }
        var collected: [UInt8] = []
        collected.reserveCapacity(size)
        try read(section, at: offset, size, firstNumber: number) { collected += $0 }
        return collected
    }

    private func read(
        _ section: SnapshotFormat.Section,
        at start: Int,
        _ size: Int,
        firstNumber: Int,
        _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        var offset = start
        var number = firstNumber
        var left = size
        while left > 0 {
            let count = min(left, SnapshotFormat.chunkSizeBytes)
            let part = UnsafeMutableRawBufferPointer(
                rebasing: storage.bytes[..<(SnapshotFormat.chunkHeaderSizeBytes + count)]
            )
            let done = try io { () throws(DiskError) in try disk.read(file, at: offset, into: part) }
            let bytes = UnsafeRawBufferPointer(part)
            let payload = bytes.part(SnapshotFormat.chunkHeaderSizeBytes, count)
            guard done == part.count, bytes.integer(at: 0, as: UInt32.self) == section.rawValue,
                Int(bytes.integer(at: 4, as: UInt32.self)) == count,
                bytes.integer(at: 8, as: UInt32.self) == UInt32(truncatingIfNeeded: number),
                CRC32C.checksum(payload, continuing: CRC32C.checksum(bytes.part(0, 12), continuing: seed))
                    == bytes.integer(at: 12, as: UInt32.self)
            else { throw LogError.snapshotDamaged(file: path, offset: offset) }
            try body(payload)
            offset += part.count
            number += 1
            left -= count
        }
    }
}
