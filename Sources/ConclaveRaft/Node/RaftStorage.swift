// Where a node keeps what it must not forget.

import RaftCore
import RaftLog

/// The place of a node's log and snapshots.
public struct RaftStorage: Sendable {
    private enum Place: Sendable {
        case directory(String)
        case memory(MemoryDisk)
    }

    private let place: Place

    /// A directory of this node alone; made if it is missing. Everything that is acknowledged has been synced to it.
    public static func directory(_ path: String) -> RaftStorage { RaftStorage(place: .directory(path)) }

    /// The memory of this process, for tests: a node that is started again with the same value finds what it had stored.
    public static func memory() -> RaftStorage { RaftStorage(place: .memory(MemoryDisk())) }

    /// - Throws: `RaftNodeError` for a storage that cannot be used.
    func open(_ id: NodeID, of cluster: ClusterID) throws(RaftNodeError) -> (log: WriteAheadLog, recovered: Recovered) {
        do {
            return try WriteAheadLog.openServer(id, of: cluster, on: disk(), options: logOptions)
        } catch {
            throw RaftNodeError(.storage, error)
        }
    }

    private func disk() throws(DiskError) -> any Disk {
        switch place {
        case .directory(let path): try PosixDisk(directory: path, createIfMissing: true)
        case .memory(let disk): disk
        }
    }

    /// Memory is neither set aside nor zeroed ahead.
    var logOptions: WriteAheadLog.Options {
        var options = WriteAheadLog.Options()
        if case .memory = place {
            options.segmentSizeBytes = 1 << 20
            options.zeroAheadBytes = 0
        }
        return options
    }
}
