// What the core wants done. The fields are obligations on the shell, each with its order.

/// All that a batch of inputs made necessary, handed over once by `RaftCore.takeOutput()`.
///
/// Disk writes of successive outputs must become durable in the order of the outputs: one ordered log holds both hard state
/// and entries (rule P9).
package struct RaftOutput: Hashable, Sendable {
    /// Make durable before, or in one atomic write with, `entriesToAppend` (rule P9).
    package var hardState: HardState?

    /// Make durable, before `entriesToAppend`: the pieces stored of this snapshot are now it. All entries on disk are void, those
    /// behind the snapshot too. Restore the state machine from it before `committed` is applied (rule P29: an interrupted
    /// installation leaves either the old snapshot and log or the new snapshot).
    package var snapshotToInstall: SnapshotMetadata?

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

    /// Read each from the snapshot's file and send its message, at once and off the consensus actor. If the snapshot is gone
    /// or damaged, report it by `RaftCore.snapshotUnreadable(_:)`.
    package var chunksToSend: [SnapshotChunkRequest] = []

    /// Store each in a temporary place, in order, and report by `RaftCore.chunkStored(_:)`.
    package var chunksToStore: [ReceivedChunk] = []

    /// Apply in order, and report by `RaftCore.applied(_:)`: no more is handed over than `RaftLimits` allows to be unreported. Continues where the last output's `committed` ended, or behind `snapshotToInstall`. Need not wait for the local disk: a quorum has
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
    /// A read under a lease is good only if this tick of the core's clock has not come when the output has been taken: look at the clock
    /// once more *then*, and ask again if it has (rule P24). Nil: confirmed by a quorum, good in any case.
    package var validUntil: UInt64?

    /// Read `id` may be answered when `index` is applied.
    package init(id: ReadID, index: LogIndex, validUntil: UInt64? = nil) {
        self.id = id
        self.index = index
        self.validUntil = validUntil
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
    package let last: LogPosition
    /// Counts this core's tickets.
    let number: UInt64
}

/// What a server is at the moment.
public enum RaftRole: Hashable, Sendable {
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
    /// Another configuration is in force on this server: that of the entry at `index`, which may still be cut off again.
    case configurationChanged(Configuration, index: LogIndex)
    /// A transfer of leadership came to nothing: this server goes on leading.
    case transferAborted(to: NodeID)
    /// This leader's disk has not finished a write for so long that it hands over (rule P36).
    case diskStalled
    /// Everything that this server may have lost is back (rule P34).
    case quarantineOver
    /// The file of this server's snapshot turned out to be damaged, or unreadable, when it was to be sent. The server takes another one of
    /// its state.
    case snapshotDamaged(index: LogIndex, reason: String)
}

/// What became of a proposal.
package enum ProposeOutcome: Hashable, Sendable {
    /// In the leader's log at this position. Committed if and only if `committed` brings an entry of that index *and* term.
    case appended(index: LogIndex, term: Term)
    /// Definitely not done. `leader` is whom to ask instead, if known.
    case notLeader(leader: NodeID?)
    /// Definitely not done, and not because of who leads.
    case refused(ProposeRefusal)
}

/// Why a leader takes no command at the moment. Trying again later is safe.
package enum ProposeRefusal: Error, Hashable, Sendable {
    /// Its uncommitted entries have reached their bound of bytes: a quorum is slower than the clients.
    case tooMuchUncommitted
    /// Committed entries wait for the state machine, which is slower than the clients.
    case tooMuchUnapplied
    /// It is handing over to this server.
    case transferring(to: NodeID)
}

/// What became of a change of membership.
package enum ChangeOutcome: Hashable, Sendable {
    /// In the leader's log at this position, and in force there. Where the change takes two entries, the second follows by itself.
    case appended(index: LogIndex, term: Term)
    /// Definitely not done. `leader` is whom to ask instead, if known.
    case notLeader(leader: NodeID?)
    /// Definitely not done, and not because of who leads.
    case refused(ChangeRefusal)
}

/// Why a leader makes no such change of membership.
package enum ChangeRefusal: Error, Hashable, Sendable {
    /// It has not yet committed an entry of its own term (rule P2).
    case termNotCommitted
    /// The change before this one is not yet committed (rule P2).
    case changeInProgress
    /// It is handing over to this server.
    case transferring(to: NodeID)
    /// The learner is too far behind: as a voter it would hold up commits until it has caught up.
    case notCaughtUp(NodeID)
    /// The steps make no sense.
    case invalid(ConfigurationError)
}

/// What became of a request to hand leadership over.
package enum TransferOutcome: Hashable, Sendable {
    /// Under way: from now on nothing is proposed until the target leads or an election timeout has passed.
    case started
    /// This server does not lead.
    case notLeader(leader: NodeID?)
    /// The target is no voter, or is this server itself.
    case notVoter
    /// The target has not been heard within an election timeout.
    case unreachable
    /// Another transfer is under way.
    case transferring(to: NodeID)
}
