// The two sets of numbers a core is run with.

/// Durations in ticks. The shell owns the clock; with its default tick of 20 ms a heartbeat comes every 100 ms and an
/// election timeout is 300 to 600 ms.
package struct RaftTiming: Hashable, Sendable {
    /// A leader that has nothing else to say says so this often. At least 1.
    package var heartbeatTicks: Int
    /// A follower without word from a leader asks for pre-votes after a random time from this range (Raft §5.2). The lower bound is
    /// also how long a server that has heard a leader refuses to elect another (dissertation §4.2.3), and
    /// how long a leader may go without word from a quorum before it steps down (dissertation §6.2).
    package var electionTicks: Range<Int>
    /// A follower that saw the connection of its leader close asks for pre-votes after a random time from this range. Short, since a
    /// pre-vote disturbs nobody who still hears the leader; random, so that two followers seldom ask at once.
    package var disconnectGraceTicks: Range<Int>
    /// A campaign that came to nothing is tried again after a random time from this range, for the first
    /// `quickCampaigns` times; later ones keep to `electionTicks`. Longer than a round trip and a disk write.
    package var retryTicks: Range<Int>
    /// How many campaigns in a row are quick.
    package var quickCampaigns: Int
    /// How far two servers' clocks may drift apart, in percent of the time that passes, if leaders are to answer reads under a lease.
    /// Nil, the default: no leases, each read is confirmed by a quorum.
    ///
    /// With leases a stale read is possible if clocks drift further (rule P24). All servers must be run with the same value: a
    /// server that grants leases does not elect another leader within the minimal election timeout of the last word of the old
    /// one, whether or not its connection has closed, nor within that time of its own start.
    package var leaseDriftPercent: Int?

    /// Defaults for servers on one machine or in one place, with a tick of 20 ms.
    package init(
        heartbeatTicks: Int = 5,
        electionTicks: Range<Int> = 15..<30,
        disconnectGraceTicks: Range<Int> = 1..<6,
        retryTicks: Range<Int> = 5..<15,
        quickCampaigns: Int = 3,
        leaseDriftPercent: Int? = nil
    ) {
        precondition(heartbeatTicks >= 1, "a heartbeat takes at least one tick")
        precondition(electionTicks.lowerBound > heartbeatTicks, "an election timeout must outlast a heartbeat")
        for range in [electionTicks, disconnectGraceTicks, retryTicks] {
            precondition(!range.isEmpty && range.lowerBound >= 1, "a timeout takes at least one tick, not \(range)")
        }
        self.heartbeatTicks = heartbeatTicks
        self.electionTicks = electionTicks
        self.disconnectGraceTicks = disconnectGraceTicks
        self.retryTicks = retryTicks
        self.quickCampaigns = quickCampaigns
        self.leaseDriftPercent = leaseDriftPercent
        precondition((0..<100).contains(leaseDriftPercent ?? 0), "a clock drifts by 0 to 99 percent")
    }
}

/// What may be under way at once. Each bound is at least 1.
package struct RaftLimits: Hashable, Sendable {
    /// Entries in one AppendEntries; more go into the next one.
    package var entriesPerMessage: Int
    /// Payload bytes in one AppendEntries. One entry always fits, however large.
    package var bytesPerMessage: Int
    /// Unacknowledged AppendEntries with entries, per peer; then the leader waits for an acknowledgement.
    package var inflightMessages: Int
    /// Unacknowledged payload bytes per peer; exceeded by at most one message.
    package var inflightBytes: Int
    /// Entries in `RaftOutput.committed`; the rest comes with the next output.
    package var committedPerOutput: Int
    /// Entries handed over for applying and not yet reported as applied; then the rest waits in the log, and a leader refuses commands.
    package var unappliedEntries: Int
    /// Payload bytes of those; exceeded by at most one entry.
    package var unappliedBytes: Int
    /// Reads that wait for a confirmation on one server; one more fails at once.
    package var pendingReads: Int
    /// Payload bytes of a leader's uncommitted entries; beyond it a command is refused. One always fits, however large.
    package var uncommittedBytes: Int
    /// Bytes in one piece of a snapshot. One piece is under way to a peer at a time.
    package var snapshotChunkBytes: Int
    /// A learner that lacks more entries than this is not made a voter.
    package var promotionLagEntries: Int
    /// What is kept behind a snapshot that is being sent, until its receiver has caught up from there; beyond it the receiver will need
    /// another snapshot.
    package var keptForSnapshots: LogTail

    /// Defaults that keep a peer's share of memory below some 10 MB.
    package init(
        entriesPerMessage: Int = 4096,
        bytesPerMessage: Int = 1 << 20,
        inflightMessages: Int = 64,
        inflightBytes: Int = 8 << 20,
        committedPerOutput: Int = 65_536,
        unappliedEntries: Int = 262_144,
        unappliedBytes: Int = 64 << 20,
        pendingReads: Int = 65_536,
        uncommittedBytes: Int = 64 << 20,
        snapshotChunkBytes: Int = 256 << 10,
        promotionLagEntries: Int = 1024,
        keptForSnapshots: LogTail = LogTail(entries: 1 << 20, bytes: 256 << 20)
    ) {
        self.entriesPerMessage = entriesPerMessage
        self.bytesPerMessage = bytesPerMessage
        self.inflightMessages = inflightMessages
        self.inflightBytes = inflightBytes
        self.committedPerOutput = committedPerOutput
        self.unappliedEntries = unappliedEntries
        self.unappliedBytes = unappliedBytes
        self.pendingReads = pendingReads
        self.uncommittedBytes = uncommittedBytes
        self.snapshotChunkBytes = snapshotChunkBytes
        self.promotionLagEntries = promotionLagEntries
        self.keptForSnapshots = keptForSnapshots
        let bounds = [
            entriesPerMessage, bytesPerMessage, inflightMessages, inflightBytes, committedPerOutput, unappliedEntries,
            unappliedBytes, pendingReads,
            uncommittedBytes, snapshotChunkBytes, promotionLagEntries, keptForSnapshots.entries, keptForSnapshots.bytes,
        ]
        precondition(bounds.allSatisfy { $0 >= 1 }, "a bound below 1 would stop the server")
    }
}
