// Raft as a value: inputs change it, obligations pile up, `takeOutput()` hands them over.

/// One server's part in Raft consensus (Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm", extended
/// version, cited as "Raft"; Ongaro's thesis "Consensus: Bridging Theory and Practice", cited as "dissertation").
///
/// A pure value: no clock, no disk, no network, and all randomness from the seed, so that the same inputs give the same outputs.
/// The owner feeds a whole batch of inputs and then calls `takeOutput()` once: what is proposed together
/// is written and sent together.
package struct RaftCore: Sendable {
    /// This server.
    package let id: NodeID
    package let timing: RaftTiming
    let limits: RaftLimits
    var random: SplitMix64
    /// Ticks since the start.
    package internal(set) var now: UInt64 = 0

    // Raft, figure 2.

    /// Term and vote. Invariant: the term never goes back.
    package internal(set) var hardState: HardState
    var log: EntryLog
    /// Invariant: the configurations of `log`, on top of the one in front of it.
    package var configurations: ConfigurationHistory
    /// The snapshot that the log's beginning is in; nil before the first one.
    package internal(set) var snapshot: SnapshotMetadata?
    /// The last index known to be committed. Never goes back; starts at zero, since it can be learnt again.
    package var commitIndex = LogIndex.zero

    // What the disk has.

    /// The durable log agrees with ours up to here. Invariant: at most `lastIndex`.
    package var persistedIndex: LogIndex
    /// The last term known to be durable. Invariant: at most `term`.
    package var persistedTerm: Term
    /// The number of the last ticket handed out.
    var lastTicket: UInt64 = 0
    /// The oldest ticket not yet handed back, and since when its write is known to be under way.
    var openWrite: (ticket: UInt64, since: UInt64)?
    /// Set while this server may have lost entries that it acknowledged.
    var quarantine: Quarantine?

    // Who leads.

    /// What this server is now.
    package internal(set) var role = RaftRole.follower
    /// Whom this server takes for the leader of its term, itself included.
    package internal(set) var leader: NodeID?
    /// When `leader` was last heard. Meaningful in a follower that has a leader.
    var leaderHeardAt: UInt64 = 0
    /// The connection to `leader` closed since it was last heard.
    var leaderLinkClosed = false
    /// When to campaign next, unless something comes in between. Meaningless in a leader.
    var campaignAt: UInt64 = 0
    /// Until when this server has promised not to elect anyone, in whatever term. In the past unless leases are granted (rule P24).
    var promiseUntil: UInt64 = 0
    /// Others have committed a configuration without this server, later than the one it has: it does not campaign until it hears a leader.
    var isExpelled = false
    /// Campaigns since a leader was last known.
    var campaigns = 0
    /// Answers to the running campaign. Meaningful in a candidate or pre-candidate.
    var tally: VoteTally

    // Leader only; rebuilt when a term is won.

    /// One for each other member, and for each that is about to leave, in ascending order of id.
    var peers: [Progress] = []
    /// Who decides. Kept beside the configuration, since it is needed for each acknowledgement.
    package var electorate: Electorate
    var lastSession = ReplicationSession.zero
    /// Payload bytes of the entries behind `commitIndex`.
    var uncommittedBytes = 0
    /// A transfer of leadership under way.
    var transfer: LeadershipTransfer?
    /// The index of the no-op with which this leader's term began: from here on, entries are of its own term.
    package var termStart = LogIndex.zero
    var heartbeatAt: UInt64 = 0
    var leaderReads = LeaderReads()
    /// Room for `QuorumMath`, kept to save an allocation for each acknowledgement.
    var indexScratch: [LogIndex] = []

    // Follower only.

    var forwardedReads: ForwardedReads
    /// The youngest read round of this term's leader that was answered.
    var answeredRound = ReadRound.zero
    /// A snapshot that is being received.
    var receipt: SnapshotReceipt?

    // What the next output will say.

    var output = RaftOutput()
    var hardStateChanged = false
    /// Somebody may have to be sent AppendEntries.
    var replicationDue = false
    /// Entries up to here were handed over for writing.
    var handedToDisk: LogIndex
    /// Entries up to here were handed over for applying.
    var handedToApply = LogIndex.zero
    /// The state machine has applied entries up to here, as far as this core was told. Invariant: at most `handedToApply`.
    package internal(set) var appliedIndex = LogIndex.zero
    /// Payload bytes of the entries in between.
    var unappliedBytes = 0

    /// A server as it is after a start: a follower that knows no leader.
    ///
    /// - Parameters:
    ///   - configuration: what the cluster began with, the same on each server that was there then; `unknown` on a server that is
    ///     yet to be added. Of no consequence once there is a snapshot.
    ///   - restored: what was found on disk, already checked.
    ///   - seed: drives the randomised timeouts and numbers the questions to a leader. Must differ between servers, or they campaign
    ///     together, and from start to start of one server, or a late answer to a question asked before the restart could be taken
    ///     for the answer to a new one.
    package init(
        id: NodeID,
        configuration: Configuration,
        timing: RaftTiming = RaftTiming(),
        limits: RaftLimits = RaftLimits(),
        restored: RestoredState = RestoredState(),
        seed: UInt64
    ) {
        do { try restored.check() } catch { preconditionFailure("\(id) cannot start: \(error)") }
        self.id = id
        self.timing = timing
        self.limits = limits
        random = SplitMix64(seed: seed)
        hardState = restored.hardState
        snapshot = restored.snapshot
        let start = restored.snapshot?.last ?? .start
        let entries = restored.entriesBehindSnapshot
        log = EntryLog(entries, behind: start)
        configurations = ConfigurationHistory(restored.snapshot?.configuration ?? configuration, at: start.index)
        configurations.append(entries)
        commitIndex = start.index
        handedToApply = start.index
        appliedIndex = start.index
        persistedIndex = log.lastIndex
        persistedTerm = hardState.term
        handedToDisk = log.lastIndex
        tally = VoteTally(configurations.current)
        electorate = Electorate(configurations.current, own: id)
        forwardedReads = ForwardedReads(firstTicket: ReadTicket(random.next()))
        campaignAt = random.ticks(in: timing.electionTicks)
        if let lost = restored.lost, lost.upperBound > log.lastIndex {
            quarantine = Quarantine(lastLost: lost.upperBound, term: hardState.term)
        }
        // Nobody else could lead, so there is nobody to wait for.
        if isOnlyVoter { campaignAt = now }
        // What was promised before the restart is not known.
        promise()
    }

    /// A server of a cluster that began with these voters.
    package init(
        id: NodeID,
        voters: [NodeID],
        timing: RaftTiming = RaftTiming(),
        limits: RaftLimits = RaftLimits(),
        restored: RestoredState = RestoredState(),
        seed: UInt64
    ) {
        self.init(
            id: id,
            configuration: Configuration(voters: voters),
            timing: timing,
            limits: limits,
            restored: restored,
            seed: seed
        )
    }
}

// MARK: - Inputs

extension RaftCore {
    /// One unit of time has passed.
    package mutating func tick() {
        timePassed(ticks: 1)
        checkTimeouts()
    }

    /// Time has passed. Says so before the messages that arrived meanwhile are handed in; no timeout is acted on yet.
    package mutating func timePassed(ticks: UInt64) { now += ticks }

    /// Acts on the timeouts that are over by now, each once however long ago. A pause of the whole process is one timeout.
    package mutating func checkTimeouts() {
        if role == .leader {
            if !hearsQuorum { return stepDown() }
            if isDiskStalled { return handOverStalledDisk() }
            if now >= heartbeatAt { beat() }
            checkTransfer()
        } else {
            expireForwardedReads()
            if now >= max(campaignAt, promiseUntil) { electionTimeout() }
        }
    }

    /// A message arrived. Ignored when it is not for this server.
    ///
    /// Who sent it need not be a member as far as this server knows: its own log may be the one that is behind (dissertation
    /// §4.1). Whoever counts answers counts those of members only.
    package mutating func step(_ message: RaftMessage) {
        guard message.to == id, message.from != id else { return }
        guard admit(message) else { return }
        let from = message.from
        switch message.kind {
        case .preVoteRequest(let last): answerPreVote(from, candidateTerm: message.term, last: last)
        case .preVoteResponse(let granted, let campaignTerm):
            countPreVote(from, granted: granted, campaignTerm: campaignTerm)
        case .voteRequest(let last, let isTransfer): answerVote(from, last: last, isTransfer: isTransfer)
        case .voteResponse(let granted): countVote(from, granted: granted)
        case .appendEntries(let append): follow(from, append)
        case .appendAccepted(let match, let round, let session):
            guard let place = hear(from, in: session) else { return }
            appendAccepted(byPeerAt: place, match: match, round: round)
        case .appendRejected(let previous, let hint, let round, let session):
            guard let place = hear(from, in: session) else { return }
            appendRejected(byPeerAt: place, previousIndex: previous, hint: hint, round: round)
        case .entriesLost(let index, let session):
            guard let place = hear(from, in: session) else { return }
            entriesLost(byPeerAt: place, from: index)
        case .installSnapshot(let chunk): receive(chunk, from: from)
        case .snapshotStored(let last, let offset, let nextOffset, let session):
            guard let place = hear(from, in: session) else { return }
            chunkAnswered(byPeerAt: place, last, offset: offset, nextOffset: nextOffset)
        case .timeoutNow: takeOver(from: from)
        case .termPassed: break
        case .readIndexRequest(let ticket): serveRead(of: from, ticket: ticket)
        case .readIndexResponse(let ticket, let index): readAnswered(ticket, index: index)
        }
    }

    /// Appends a command to the log, if this server leads.
    package mutating func propose(_ payload: [UInt8]) -> ProposeOutcome {
        guard role == .leader else { return .notLeader(leader: leader) }
        if let transfer { return .refused(.transferring(to: transfer.target)) }
        if isApplyingLate { return .refused(.tooMuchUnapplied) }
        guard uncommittedBytes == 0 || uncommittedBytes + payload.count <= limits.uncommittedBytes else {
            return .refused(.tooMuchUncommitted)
        }
        return .appended(index: appendOwn(.command, payload), term: term)
    }

    /// The writes of the output that carried `ticket`, and of all outputs before it, are durable.
    package mutating func persisted(_ ticket: PersistTicket) {
        writeFinished(ticket.number)
        // Rule P10: from an earlier term, or about an entry since replaced, it proves nothing about the present log.
        guard ticket.term == term else { return }
        persistedTerm = term
        if log.contains(ticket.last) { persistedIndex = max(persistedIndex, ticket.last.index) }
        checkQuarantine()
        switch role {
        case .leader: advanceCommit()
        case .candidate: countVote(id, granted: true)
        case .follower, .preCandidate: break
        }
    }

    /// The connection to `peer` closed.
    ///
    /// In a follower of `peer` this starts a pre-vote after a short random time, long before the election timeout. That is safe in
    /// any case, as pre-votes and votes are, and it disturbs no one: a quorum grants the pre-vote only if
    /// each of its members has lost the leader too.
    package mutating func peerDisconnected(_ peer: NodeID) {
        switch role {
        case .leader:
            if let place = place(of: peer) { peers[place].disconnected(now: now) }
        case .follower where leader == peer:
            leaderLinkClosed = true
            campaignAt = min(campaignAt, now + random.ticks(in: timing.disconnectGraceTicks))
            failForwardedReads()
        case .follower, .preCandidate, .candidate:
            break
        }
    }
}

// MARK: - Output

extension RaftCore {
    /// Whether `takeOutput()` has anything to hand over.
    package var hasOutput: Bool {
        replicationDue || hardStateChanged || handedToDisk < log.lastIndex || mayApply
            || !output.messages.isEmpty || !output.messagesAfterPersist.isEmpty
            || !output.readsReady.isEmpty || !output.readsFailed.isEmpty || !output.events.isEmpty
            || !output.chunksToSend.isEmpty || !output.chunksToStore.isEmpty || output.snapshotToInstall != nil
            || readsWaitToStart
    }

    /// Hands over all obligations that arose since the last call. See `RaftOutput` for what to do with each.
    package mutating func takeOutput() -> RaftOutput {
        startReads()
        if replicationDue {
            replicationDue = false
            if role == .leader { replicate() }
        }
        var taken = RaftOutput()
        swap(&taken, &output)
        if hardStateChanged {
            hardStateChanged = false
            taken.hardState = hardState
        }
        if handedToDisk < log.lastIndex {
            taken.entriesToAppend = log.copy(handedToDisk.next...log.lastIndex)
            handedToDisk = log.lastIndex
        }
        if taken.hardState != nil || !taken.entriesToAppend.isEmpty || taken.snapshotToInstall != nil {
            taken.ticket = nextTicket()
        }
        taken.committed = takeCommitted()
        return taken
    }
}

// MARK: - Observers

extension RaftCore {
    /// The latest term this server has seen.
    package var term: Term { hardState.term }

    /// The configuration in force here, committed or not.
    package var configuration: Configuration { configurations.current }

    /// The entry of the configuration in force; where the log begins, if there is none behind that.
    package var configurationIndex: LogIndex { configurations.currentIndex }

    /// The configurations that count: the last one known to be committed, and all after it.
    package var openConfigurations: [Configuration] { configurations.sinceCommitted(commitIndex) }

    /// Whether this server is known to have no part in the cluster any more (rule P26).
    package var isRemoved: Bool {
        if isExpelled { return true }
        return !configuration.voters.isEmpty && configurationIndex <= commitIndex
            && !configuration.isVoter(id) && !configuration.learners.contains(id)
    }

    /// Whether this server alone votes, in the last configuration known to be committed and in all after it.
    var isOnlyVoter: Bool { openConfigurations.allSatisfy { $0.voters == [id] && !$0.isJoint } }

    /// Whether this server may have lost what it acknowledged, and so neither campaigns nor denies (rule P34).
    package var isQuarantined: Bool { quarantine != nil }

    /// Ticks of this core's clock.
    package var clock: UInt64 { now }

    /// After how many ticks, at least 1, `checkTimeouts` should be called again. Any other input may make it sooner.
    package var ticksUntilTimeout: UInt64 {
        let next =
            role == .leader
            ? heartbeatAt : min(max(campaignAt, promiseUntil), forwardedReads.firstDeadline ?? .max)
        return next > now ? next - now : 1
    }

    /// The youngest round of read confirmation that this leader began.
    package var startedReadRound: ReadRound { leaderReads.startedRound }

    /// The last entry's index.
    package var lastIndex: LogIndex { log.lastIndex }

    /// The last entry's position.
    package var lastPosition: LogPosition { log.last }

    /// The last entry that is in the snapshot; zero before the first one.
    package var snapshotIndex: LogIndex { snapshot?.last.index ?? .zero }

    /// The position in front of the log in memory: what is there and before is in a snapshot.
    package var logStart: LogPosition { log.start }

    /// The term of the entry at `index`; nil when the log does not hold it.
    package func term(at index: LogIndex) -> Term? { log.term(at: index) }

    /// How replication to each other member stands, in ascending order of id. Empty unless this server leads.
    package var peerStatus: [PeerStatus] {
        peers.map { peer in
            PeerStatus(
                id: peer.id,
                match: peer.match,
                next: peer.next,
                session: peer.session,
                isReplicating: peer.isReplicating,
                snapshotOffset: peer.transfer?.offset,
                inflightMessages: peer.inflight.count,
                inflightBytes: peer.inflight.bytes,
                silentTicks: Int(now - peer.heardAt)
            )
        }
    }
}

// MARK: - Shared by the other files

extension RaftCore {
    /// Sends without waiting for the disk.
    mutating func send(_ kind: RaftMessage.Kind, to peer: NodeID) {
        output.messages.append(RaftMessage(from: id, to: peer, term: term, kind: kind))
    }

    /// Sends when all that was decided so far is durable.
    mutating func sendAfterPersist(_ kind: RaftMessage.Kind, to peer: NodeID) {
        output.messagesAfterPersist.append(RaftMessage(from: id, to: peer, term: term, kind: kind))
    }

    /// Sends to all other voters.
    mutating func broadcast(_ kind: RaftMessage.Kind, afterPersist: Bool) {
        for voter in configuration.members where voter != id && configuration.isVoter(voter) {
            if afterPersist { sendAfterPersist(kind, to: voter) } else { send(kind, to: voter) }
        }
    }

    /// Puts an entry of this leader's term at the end of its log.
    @discardableResult
    mutating func appendOwn(_ kind: Entry.Kind, _ payload: [UInt8] = []) -> LogIndex {
        let index = log.lastIndex.next
        uncommittedBytes += payload.count
        log.append(Entry(term: term, index: index, kind: kind, payload: payload))
        replicationDue = true
        return index
    }

    /// Where a peer's progress is.
    func place(of peer: NodeID) -> Int? { peers.firstIndex { $0.id == peer } }
}
