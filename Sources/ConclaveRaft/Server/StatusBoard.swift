// What anybody may know about a server at any moment, without asking its actors.

public import RaftCore
import Synchronization

/// How a server stands in its cluster.
public struct RaftStatus: Hashable, Sendable {
    /// The server.
    public package(set) var id: NodeID
    /// The configuration in force, committed or not.
    package var configuration: Configuration
    /// The server's own part in it.
    public package(set) var standing = MemberStanding.waiting
    /// Who votes, by the configuration in force.
    public var voters: [NodeID] { configuration.voters }
    /// Who gets everything but has no vote, by the configuration in force.
    public var learners: [NodeID] { configuration.learners }
    /// What it is at the moment.
    public package(set) var role = RaftRole.follower
    /// The latest term it has seen.
    public package(set) var term = Term.zero
    /// Whom it takes for the leader.
    public package(set) var leader: NodeID?
    /// The end of its log.
    public package(set) var lastIndex = LogIndex.zero
    /// The last entry that it knows to be committed.
    public package(set) var commitIndex = LogIndex.zero
    /// The last entry that its state machine has applied.
    public package(set) var appliedIndex = LogIndex.zero
    /// Its log was found damaged when it started, and is not whole again yet (rule P34).
    public package(set) var isQuarantined = false
    /// Bytes of the log's segments in use.
    package var logSizeBytes = 0
    /// The last entry in this server's snapshot.
    package var snapshotIndex = LogIndex.zero

    package init(id: NodeID, configuration: Configuration) {
        self.id = id
        self.configuration = configuration
    }

    /// Takes over what consensus knows.
    mutating func follow(_ core: RaftCore, _ standing: MemberStanding) {
        role = core.role
        term = core.term
        leader = core.leader
        lastIndex = core.lastIndex
        commitIndex = core.commitIndex
        configuration = core.configuration
        isQuarantined = core.isQuarantined
        self.standing = standing
    }
}

/// The last published status. Written by consensus and the applier, read from anywhere.
package final class StatusBoard: Sendable {
    private let status: Mutex<RaftStatus>
    private let applied = Atomic<UInt64>(0)
    private let time = Atomic<UInt64>(0)
    private let logSize = Atomic<Int>(0)
    private let snapshot = Atomic<UInt64>(0)

    init(_ status: RaftStatus) { self.status = Mutex(status) }

    /// The status as of the last tick or change of role; the applied index as of now.
    package var current: RaftStatus {
        var status = status.withLock { $0 }
        status.appliedIndex = appliedIndex
        // What was applied was committed.
        status.commitIndex = max(status.commitIndex, status.appliedIndex)
        status.lastIndex = max(status.lastIndex, status.commitIndex)
        status.logSizeBytes = logSize.load(ordering: .relaxed)
        status.snapshotIndex = LogIndex(snapshot.load(ordering: .relaxed))
        return status
    }

    /// Changes what consensus knows.
    func update(_ change: (inout RaftStatus) -> Void) { status.withLock { change(&$0) } }

    /// What the log writer knows.
    func setLog(sizeBytes: Int, snapshot index: LogIndex) {
        logSize.store(sizeBytes, ordering: .relaxed)
        snapshot.store(index.rawValue, ordering: .relaxed)
    }

    /// The last entry that the state machine has applied.
    var appliedIndex: LogIndex { LogIndex(applied.load(ordering: .relaxed)) }

    func setApplied(_ index: LogIndex) { applied.store(index.rawValue, ordering: .relaxed) }

    /// Log time as of the last applied entry, in nanoseconds.
    var logTime: UInt64 { time.load(ordering: .relaxed) }

    func setLogTime(_ nanoseconds: UInt64) { time.store(nanoseconds, ordering: .relaxed) }
}
