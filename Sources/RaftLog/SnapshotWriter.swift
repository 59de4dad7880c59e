// Writes a snapshot as a stream, in bounded memory.

package import RaftCore

/// The snapshot files of one server: writes, receives and reads them. From any thread; each writer, receiver and reader from one
/// at a time. What is complete becomes the server's snapshot by `WriteAheadLog.adopt`.
package struct SnapshotFiles: Sendable {
    let disk: any Disk
    let cluster: ClusterID

    package init(disk: any Disk, cluster: ClusterID) {
        self.disk = disk
        self.cluster = cluster
    }

    /// Begins a snapshot of everything up to `position`.
    package func write(at position: LogPosition) throws(LogError) -> SnapshotWriter {
        try SnapshotWriter(disk, cluster, position)
    }

    /// Begins to receive a peer's snapshot.
    package func receive(_ info: SnapshotInfo) throws(LogError) -> SnapshotReceiver {
        try SnapshotReceiver(disk, cluster, info)
    }

    /// Removes a snapshot that is not going to be adopted.
    package func discard(_ sealed: SealedSnapshot) { try? disk.remove(sealed.temporaryName) }

    /// Opens a complete snapshot.
    package func read(_ info: SnapshotInfo) throws(LogError) -> SnapshotReader {
        try SnapshotReader(disk, cluster, name: info.fileName, expected: info)
    }
}

extension WriteAheadLog {
    /// The snapshot files beside this log.
    package var snapshotFiles: SnapshotFiles { SnapshotFiles(disk: disk, cluster: identity.cluster) }

    /// Removes a snapshot that is not going to be adopted.
    package func discard(_ sealed: SealedSnapshot) { snapshotFiles.discard(sealed) }
}

/// A snapshot that is whole and durable under a temporary name.
package struct SealedSnapshot: Hashable, Sendable {
    package var info: SnapshotInfo
    var temporaryName: String
}

/// A snapshot that is being written: any number of `write`, then `finish`. One that is dropped before is removed.
package final class SnapshotWriter {
    /// How many bytes may be written and not yet synced: a long sync at the end would hold up the log's.
    static let syncIntervalBytes = 8 << 20

    private let disk: any Disk
    private let name: String
    private let file: DiskFile
    private let seed: UInt32
    private var trailer: SnapshotTrailer
    private var section = SnapshotFormat.Section.state
    private var offset = 0
    private var syncedOffset = 0
    /// A chunk's header and what has been collected of it.
    private let chunk = RawStorage(capacity: SnapshotFormat.chunkHeaderSizeBytes + SnapshotFormat.chunkSizeBytes)
    private var chunkCount = 0
    private var isOpen = true

    init(_ disk: any Disk, _ cluster: ClusterID, _ position: LogPosition) throws(LogError) {
        self.disk = disk
        name = SnapshotFormat.temporaryName(position)
        trailer = SnapshotTrailer(position: position)
        let header = RawStorage(zeros: SnapshotFormat.headerSizeBytes)
        seed = SnapshotFormat.encodeHeader(position, cluster, into: header.bytes)
        do {
            file = try disk.create(name)
        } catch {
            throw LogError(writing: error)
        }
        try put(UnsafeRawBufferPointer(header.bytes))
    }

    deinit { abandon() }

    /// Appends to the machine's state. The bytes are copied.
    package func write(_ bytes: UnsafeRawBufferPointer) throws(LogError) { try write(bytes, to: .state) }

    /// Appends to the machine's state.
    package func write(_ bytes: [UInt8]) throws(LogError) { try write(bytes, to: .state) }

    /// Completes the file and makes it durable; it is not the server's snapshot before `WriteAheadLog.adopt`.
    package func finish(configuration: [UInt8], sessions: [UInt8]) throws(LogError) -> SealedSnapshot {
        try write(configuration, to: .configuration)
        try write(sessions, to: .sessions)
        try flushChunk()
        let bytes = RawStorage(zeros: SnapshotFormat.trailerSizeBytes)
        let checksum = trailer.encode(into: bytes.bytes, seed: seed)
        try put(UnsafeRawBufferPointer(bytes.bytes))
        // The name too: once the log records the snapshot, its file has to be there.
        do {
            try disk.sync(file)
            try disk.syncDirectory()
        } catch {
            throw LogError(writing: error)
        }
        isOpen = false
        disk.close(file)
        let info = SnapshotInfo(position: trailer.position, sizeBytes: offset, checksum: checksum)
        return SealedSnapshot(info: info, temporaryName: name)
    }

    /// Gives up and removes what was written.
    package func abandon() {
        guard isOpen else { return }
        isOpen = false
        disk.close(file)
        try? disk.remove(name)
    }

    private func write(_ bytes: [UInt8], to section: SnapshotFormat.Section) throws(LogError) {
        var failure: LogError?
        bytes.withUnsafeBytes { bytes in
            do throws(LogError) { try write(bytes, to: section) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    private func write(_ bytes: UnsafeRawBufferPointer, to section: SnapshotFormat.Section) throws(LogError) {
        precondition(isOpen, "the snapshot is finished or abandoned")
        if section != self.section { try flushChunk() }
        self.section = section
        switch section {
        case .state: trailer.stateBytes += bytes.count
        case .configuration: trailer.configurationBytes += bytes.count
        case .sessions: trailer.sessionsBytes += bytes.count
        }
        var done = 0
        while done < bytes.count {
            let count = min(bytes.count - done, SnapshotFormat.chunkSizeBytes - chunkCount)
            let place = SnapshotFormat.chunkHeaderSizeBytes + chunkCount
            UnsafeMutableRawBufferPointer(rebasing: chunk.bytes[place...]).copyMemory(from: bytes.part(done, count))
            chunkCount += count
            done += count
            if chunkCount == SnapshotFormat.chunkSizeBytes { try flushChunk() }
        }
    }

    private func flushChunk() throws(LogError) {
        guard chunkCount > 0 else { return }
        let size = SnapshotFormat.chunkHeaderSizeBytes
        let bytes = UnsafeRawBufferPointer(chunk.bytes).part(0, size + chunkCount)
        chunk.bytes.store(section.rawValue, at: 0)
        chunk.bytes.store(UInt32(chunkCount), at: 4)
        chunk.bytes.store(UInt32(truncatingIfNeeded: trailer.chunkCount), at: 8)
        let header = CRC32C.checksum(bytes.part(0, 12), continuing: seed)
        chunk.bytes.store(CRC32C.checksum(bytes.part(size, chunkCount), continuing: header), at: 12)
        trailer.chunkCount += 1
        chunkCount = 0
        try put(bytes)
    }

    private func put(_ bytes: UnsafeRawBufferPointer) throws(LogError) {
        do {
            try disk.write(file, at: offset, bytes)
            offset += bytes.count
            if offset - syncedOffset >= Self.syncIntervalBytes {
                try disk.sync(file)
                syncedOffset = offset
            }
        } catch {
            throw LogError(writing: error)
        }
        trailer.totalChecksum = CRC32C.checksum(bytes, continuing: trailer.totalChecksum)
    }
}

extension LogError {
    /// What a failure to write something other than the log means: nothing that was acknowledged is concerned.
    init(writing error: DiskError) { self = error.cause == .noSpace ? .diskFull(error) : .io(error) }
}
