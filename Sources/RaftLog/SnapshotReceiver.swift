// Takes in a peer's snapshot, piece by piece, and goes on after an interruption.

import RaftCore

/// A snapshot file that arrives from a peer. One that is dropped before `finish` is removed.
package final class SnapshotReceiver {
    /// What arrives. A transfer of another file, even at the same position, must begin anew.
    package let info: SnapshotInfo
    /// How many bytes have arrived without a gap: where the sender goes on.
    package private(set) var receivedBytes = 0

    private let disk: any Disk
    private let cluster: ClusterID
    private let name: String
    private let file: DiskFile
    private var syncedBytes = 0
    private var isOpen = true

    init(_ disk: any Disk, _ cluster: ClusterID, _ info: SnapshotInfo) throws(LogError) {
        self.disk = disk
        self.cluster = cluster
        self.info = info
        do {
            name = SnapshotFormat.receivedName(info.position, besides: try disk.list())
            file = try disk.create(name)
        } catch {
            throw LogError(writing: error)
        }
    }

    deinit { abandon() }

    /// Takes a piece in. One that came before, or that does not follow what is there, changes nothing: look at `receivedBytes`.
    package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(LogError) {
        precondition(isOpen, "the snapshot is finished or abandoned")
        let known = receivedBytes - offset
        guard known >= 0, known < bytes.count, offset + bytes.count <= info.sizeBytes else { return }
        do {
            try disk.write(file, at: receivedBytes, bytes.part(known, bytes.count - known))
            receivedBytes = offset + bytes.count
            if receivedBytes - syncedBytes >= SnapshotWriter.syncIntervalBytes {
                try disk.sync(file)
                syncedBytes = receivedBytes
            }
        } catch {
            throw LogError(writing: error)
        }
    }

    /// Checks that all has arrived as it was sent, and makes it durable; then `WriteAheadLog.adopt` makes it the server's.
    /// - Throws: `LogError.snapshotDamaged` when it is not the file that was announced. It is removed then.
    package func finish() throws(LogError) -> SealedSnapshot {
        precondition(receivedBytes == info.sizeBytes, "\(receivedBytes) of \(info.sizeBytes) bytes have arrived")
        do throws(LogError) {
            do {
                try disk.sync(file)
                try disk.syncDirectory()
            } catch {
                throw LogError(writing: error)
            }
            try SnapshotReader(disk, cluster, name: name, expected: info).verify()
        } catch {
            abandon()
            throw error
        }
        isOpen = false
        disk.close(file)
        return SealedSnapshot(info: info, temporaryName: name)
    }

    /// Gives up and removes what has arrived.
    package func abandon() {
        guard isOpen else { return }
        isOpen = false
        disk.close(file)
        try? disk.remove(name)
    }
}
