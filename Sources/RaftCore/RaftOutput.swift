// What the core wants done. The fields are obligations on the shell, each with its order.

/// All that a batch of inputs made necessary, handed over once by `RaftCore.takeOutput()`.
///
/// Disk writes of successive outputs must become durable in the order of the outputs: one ordered log holds both hard state
/// and entries (rule P9).
package struct RaftOutput: Hashable, Sendable {
    /// Make durable before, or in one atomic write with, `entriesToAppend` (rule P9).
    package var hardState: HardState?

    /// Make durable. Consecutive; the first one's index says where the log on disk is cut: what lies there or
    /// behind is replaced.
    package var entriesToAppend: [Entry] = []

    /// Hand back through `RaftCore.persisted(_:)` once this output's writes, and those of all earlier outputs, are durable.
    /// Nil when this output writes nothing. Of several outputs made durable by one sync, the last ticket alone will do.
    package var ticket: PersistTicket?

    /// Send at once, in parallel with the disk write. A leader replicates while its own disk works (dissertation §10.2.1).
    package var messages: [RaftMessage] = []

    /// Send only when the writes of this output *and of all earlier outputs* are durable, also when this output writes nothing
    /// (rule P8): they promise something that a crash must not make untrue. Lose them in a crash.
    package var messagesAfterPersist: [RaftMessage] = []

    /// Apply in order. Continues where the last output's `committed` ended. Need not wait for the local disk: a quorum has
    /// these entries, and a restart applies from the snapshot again.
    package var committed: [Entry] = []

    /// Answer each read when the state machine has applied this index.
    package var readsReady: [ReadyRead] = []

    /// Tell each reader that the read was not done; it may be tried again anywhere.
    package var readsFailed: [ReadID] = []

    /// Facts for observers, in order. No obligation.
    package var events: [RaftEvent] = []

    package init() {}
}

/// A read that is linearizable once `index` is applied (dissertation §6.4).
package struct ReadyRead: Hashable, Sendable {
    package var id: ReadID
    /// At least the commit index of the moment the read arrived.
    package var index: LogIndex

    /// Read `id` may be answered when `index` is applied.
    package init(id: ReadID, index: LogIndex) {
        self.id = id
        self.index = index
    }
}

/// What became durable: opaque to the shell, which carries it from an output back to `RaftCore.persisted(_:)`.
///
/// The last entry's position alone would not do (rule P10): the entry may have been overwritten, and then overwritten back,
/// while the write was under way. Within one term of the server that cannot happen, so the ticket names that term as well, and
/// a ticket from an earlier term says nothing. No completion is missed by that: a new term is itself written to disk,
/// and its ticket covers the whole log of that moment.
package struct PersistTicket: Hashable, Sendable {
    /// The hard state's term when the output was taken.
    let term: Term
    /// The last entry of the log when the output was taken.
    let last: LogPosition
}

/// What a server is at the moment.
package enum RaftRole: Hashable, Sendable {
    /// Follows the leader of its term, if it knows one. Where everyone starts.
    case follower
    /// Has lost the leader and asks whether it could win, without touching any term (dissertation §9.6).
    case preCandidate
    /// Stands for election in its own term.
    case candidate
    /// Won its term.
    case leader
}

/// Something an observer may want to see.
package enum RaftEvent: Hashable, Sendable {
    /// This server is now `role` in `term`.
    case roleChanged(RaftRole, term: Term)
    /// This server now takes `leader` for the leader of `term`; nil: knows none.
    case leaderChanged(NodeID?, term: Term)
}

/// What became of a proposal.
package enum ProposeOutcome: Hashable, Sendable {
    /// In the leader's log at this position. Committed if and only if `committed` brings an entry of that index *and* term.
    case appended(index: LogIndex, term: Term)
    /// Definitely not done. `leader` is whom to ask instead, if known.
    case notLeader(leader: NodeID?)
}
