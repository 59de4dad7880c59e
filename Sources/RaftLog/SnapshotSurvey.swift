// Which snapshot a restart finds, and what crashes left beside it.

import RaftCore

/// The snapshot files of a directory, judged against what the log recorded. Reads only; `complete` makes the one change.
struct SnapshotSurvey {
    /// The last complete snapshot.
    private(set) var best: SnapshotInfo?
    /// Files to be removed, once the log is seen to go with `best`.
    private(set) var stale: [String] = []
    /// What is wrong with the last damaged snapshot.
    private(set) var damaged: LogError?
    /// The temporary name `best` still has.
    private var unfinished: String?

    /// - Parameter recorded: the last snapshot the log speaks of; zero for none.
    init(_ disk: any Disk, _ names: [String], cluster: ClusterID, recorded: LogPosition) throws(LogError) {
        var complete: [SnapshotInfo] = []
        for name in names {
            guard let (position, suffix) = SnapshotFormat.parse(name) else { continue }
            if suffix.isEmpty {
                if let reader = try open(disk, cluster, name) { complete.append(reader.info) }
            } else if position == recorded, !names.contains(SnapshotFormat.fileName(position)), unfinished == nil,
                let info = try wholeTemporary(disk, cluster, name)
            {
                // A snapshot is durable before the log records it: the crash came between the record and the new name.
                complete.append(info)
                unfinished = name
            } else {
                stale.append(name)
            }
        }
        best = complete.max { $0.position.index < $1.position.index }
        if let unfinished, let best, SnapshotFormat.parse(unfinished)?.position != best.position {
            stale.append(unfinished)
            self.unfinished = nil
        }
        for info in complete where info != best && names.contains(info.fileName) { stale.append(info.fileName) }
    }

    /// Gives the snapshot its final name where a crash came before that.
    func complete(_ disk: any Disk) throws(LogError) {
        guard let unfinished, let best else { return }
        try io { () throws(DiskError) in
            try disk.rename(unfinished, to: best.fileName)
            try disk.syncDirectory()
        }
    }

    private mutating func open(_ disk: any Disk, _ cluster: ClusterID, _ name: String) throws(LogError)
        -> SnapshotReader?
    {
        do {
            return try SnapshotReader(disk, cluster, name: name)
        } catch {
            guard case .snapshotDamaged = error else { throw error }
            damaged = error
            return nil
        }
    }

    private func wholeTemporary(_ disk: any Disk, _ cluster: ClusterID, _ name: String) throws(LogError)
        -> SnapshotInfo?
    {
        do {
            let reader = try SnapshotReader(disk, cluster, name: name)
            try reader.verify()
            return reader.info
        } catch {
            guard case .snapshotDamaged = error else { throw error }
            return nil
        }
    }
}
