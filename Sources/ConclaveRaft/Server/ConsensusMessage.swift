// What the consensus actor is told, and how it is run.

import Conclave
package import ConclaveNet
package import RaftCore
package import RaftLog

/// What the consensus actor is told.
enum ConsensusMessage: Sendable {
    /// A peer said something.
    case peer(RaftMessage)
    /// A follower passes a command of its client on.
    case forwarded(ForwardedProposal, from: NodeID)
    /// The leader does not take a command that was passed on to it.
    case refused(RefusedProposal)
    /// A client of this server has a command, or wants something of its session.
    case propose(ProposalPurpose, [UInt8], Completion)
    /// A client of this server has a query.
    case read(Completion)
    /// Writes are durable, up to the ticket if there is one.
    case persisted(PersistTicket?, writes: Int)
    /// The state machine has applied some of what waited for it.
    case applied
    /// A snapshot of this server's state is durable.
    case snapshotTaken(SnapshotMetadata)
    /// A piece of a leader's snapshot is stored; with the last one comes the whole.
    case chunkStored(ReceivedChunk, SealedSnapshot?)
    case chunkRefused(ReceivedChunk)
    /// A snapshot that a peer needs is gone. Why, where it is the present one, whose file is damaged or cannot be read; nil: there is
    /// another one.
    case snapshotUnreadable(SnapshotChunkRequest, damage: String?)
    /// The connection to a peer closed; or this server did that, since the peer is found elsewhere now.
    case linkDown(NodeID, hasMoved: Bool)
    /// Something about the members.
    case membership(MembershipMessage)
    /// A timeout may be over.
    case timerFired
}

/// How a server's consensus is run.
package struct ConsensusOptions: Sendable {
    /// One tick of the core's clock.
    package var tick = Duration.milliseconds(20)
    package var timing = RaftTiming()
    package var limits = RaftLimits()
    /// How long a client's command or query may take before it fails.
    package var requestTimeout = Duration.seconds(5)
    /// Commands of this server's clients that wait; one more is refused.
    package var pendingProposals = 65_536
    /// Bytes of those commands; at least one always fits.
    package var pendingBytes = 256 << 20
    /// Queries of this server's clients that wait for a read index; one more fails.
    package var pendingReads = 65_536
    /// Entries of a leader that are not committed; more are refused. Reached when a quorum answers but cannot write.
    package var uncommittedEntries = 262_144
    /// When the state is written down, so that the log can be cut.
    package var snapshotPolicy = SnapshotPolicy()
    /// What is kept of the log behind a snapshot, in memory and on disk, for followers that are only a little behind.
    package var logTail = LogTail()

    package init() {}
    /// What the servers of a cluster with leases must have in common.
    package var leaseTiming: LeaseTiming {
        LeaseTiming(
            tickNanoseconds: tick.nanoseconds,
            heartbeatNanoseconds: tick.nanoseconds * UInt64(timing.heartbeatTicks),
            electionNanoseconds: tick.nanoseconds * UInt64(timing.electionTicks.lowerBound),
            driftPercent: UInt64(timing.leaseDriftPercent ?? 0)
        )
    }
}
