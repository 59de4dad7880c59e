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
    /// All voters, this server among them, in ascending order.
    package let voters: [NodeID]
    let timing: RaftTiming
    let limits: RaftLimits
    var random: SplitMix64
    /// Ticks since the start.
    var now: UInt64 = 0

    // Raft, figure 2.

    /// Term and vote. Invariant: the term never goes back.
    var hardState: HardState
    var log: EntryLog
    /// The last index known to be committed. Never goes back; starts at zero, since it can be learnt again.
    package internal(set) var commitIndex = LogIndex.zero

    // What the disk has.

    /// The durable log agrees with ours up to here. Invariant: at most `lastIndex`.
    package internal(set) var persistedIndex: LogIndex
    /// The last term known to be durable. Invariant: at most `term`.
    var persistedTerm: Term

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
    /// Campaigns since a leader was last known.
    var campaigns = 0
    /// Answers to the running campaign. Meaningful in a candidate or pre-candidate.
    var tally: VoteTally

    // Leader only; rebuilt when a term is won.

    /// One for each other voter, in ascending order of id.
    var peers: [Progress] = []
    /// The index of the no-op with which this leader's term began: from here on, entries are of its own term.
    var termStart = LogIndex.zero
    var heartbeatAt: UInt64 = 0
    var leaderReads = LeaderReads()
    /// Room for `QuorumMath`, kept to save an allocation for each acknowledgement.
    var indexScratch: [LogIndex] = []

    // Follower only.

    var forwardedReads: ForwardedReads
    /// The youngest read round of this term's leader that was answered.
    var answeredRound = ReadRound.zero

    // What the next output will say.

    var output = RaftOutput()
    var hardStateChanged = false
    /// Somebody may have to be sent AppendEntries.
    var replicationDue = false
    /// Entries up to here were handed over for writing.
    var handedToDisk: LogIndex
    /// Entries up to here were handed over for applying.
    var handedToApply = LogIndex.zero

    /// A server as it is after a start: a follower that knows no leader.
    ///
    /// - Parameters:
    ///   - voters: all voters in ascending order, `id` among them. The same on every server.
    ///   - restored: what was found on disk.
    ///   - seed: drives the randomised timeouts and numbers the questions to a leader. Must differ between servers, or they campaign
    ///     together, and from start to start of one server, or a late answer to a question asked before the restart could be taken
    ///     for the answer to a new one.
    package init(
        id: NodeID,
        voters: [NodeID],
        timing: RaftTiming = RaftTiming(),
        limits: RaftLimits = RaftLimits(),
        restored: RestoredState = RestoredState(),
        seed: UInt64
    ) {
        precondition(voters.contains(id), "\(id) is not among the voters \(voters)")
        precondition(zip(voters, voters.dropFirst()).allSatisfy(<), "voters must ascend, each once: \(voters)")
        self.id = id
        self.voters = voters
        self.timing = timing
        self.limits = limits
        random = SplitMix64(seed: seed)
        hardState = restored.hardState
        log = EntryLog(restored.entries)
        precondition(
            log.last.term <= hardState.term,
            "the log of \(id) ends in \(log.last.term), but its durable term is \(hardState.term): term and log were written apart"
        )
        persistedIndex = log.lastIndex
        persistedTerm = hardState.term
        handedToDisk = log.lastIndex
        tally = VoteTally(voters: voters)
        forwardedReads = ForwardedReads(firstTicket: ReadTicket(random.next()))
        campaignAt = random.ticks(in: timing.electionTicks)
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
            if now >= heartbeatAt { beat() }
        } else {
            expireForwardedReads()
            if now >= campaignAt { startPreVote() }
        }
    }

    /// A message arrived. Ignored when it is not for this server or not from a voter.
    package mutating func step(_ message: RaftMessage) {
        guard message.to == id, message.from != id, voters.contains(message.from) else { return }
        guard admit(message) else { return }
        let from = message.from
        switch message.kind {
        case .preVoteRequest(let last): answerPreVote(from, candidateTerm: message.term, last: last)
        case .preVoteResponse(let granted, let campaignTerm):
            countPreVote(from, granted: granted, campaignTerm: campaignTerm)
        case .voteRequest(let last): answerVote(from, last: last)
        case .voteResponse(let granted): countVote(from, granted: granted)
        case .appendEntries(let append): follow(from, append)
        case .appendAccepted(let match, let round): appendAccepted(by: from, match: match, round: round)
        case .appendRejected(let previous, let hint, let round):
            appendRejected(by: from, previousIndex: previous, hint: hint, round: round)
        case .termPassed: break
        case .readIndexRequest(let ticket): serveRead(of: from, ticket: ticket)
        case .readIndexResponse(let ticket, let index): readAnswered(ticket, index: index)
        }
    }

    /// Appends a command to the log, if this server leads.
    package mutating func propose(_ payload: [UInt8]) -> ProposeOutcome {
        guard role == .leader else { return .notLeader(leader: leader) }
        let index = log.lastIndex.next
        log.append(Entry(term: term, index: index, kind: .command, payload: payload))
        replicationDue = true
        return .appended(index: index, term: term)
    }

    /// The writes of the output that carried `ticket`, and of all outputs before it, are durable.
    package mutating func persisted(_ ticket: PersistTicket) {
        // Rule P10: from an earlier term, or about an entry since replaced, it proves nothing about the present log.
        guard ticket.term == term else { return }
        persistedTerm = term
        if log.contains(ticket.last) { persistedIndex = max(persistedIndex, ticket.last.index) }
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
            if let place = place(of: peer) { peers[place].disconnected() }
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
        replicationDue || hardStateChanged || handedToDisk < log.lastIndex || handedToApply < commitIndex
            || !output.messages.isEmpty || !output.messagesAfterPersist.isEmpty
            || !output.readsReady.isEmpty || !output.readsFailed.isEmpty || !output.events.isEmpty
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
        if taken.hardState != nil || !taken.entriesToAppend.isEmpty {
            taken.ticket = PersistTicket(term: term, last: log.last)
        }
        if handedToApply < commitIndex {
            let end = min(commitIndex, handedToApply + limits.committedPerOutput)
            taken.committed = log.copy(handedToApply.next...end)
            handedToApply = end
        }
        return taken
    }
}

// MARK: - Observers

extension RaftCore {
    /// The latest term this server has seen.
    package var term: Term { hardState.term }

    /// After how many ticks, at least 1, `checkTimeouts` should be called again. Any other input may make it sooner.
    package var ticksUntilTimeout: UInt64 {
        let next = role == .leader ? heartbeatAt : min(campaignAt, forwardedReads.firstDeadline ?? .max)
        return next > now ? next - now : 1
    }

    /// The last entry's index.
    package var lastIndex: LogIndex { log.lastIndex }

    /// The term of the entry at `index`; nil when the log does not hold it.
    package func term(at index: LogIndex) -> Term? { log.term(at: index) }

    /// How replication to each other voter stands, in ascending order of id. Empty unless this server leads.
    package var peerStatus: [PeerStatus] {
        peers.map { peer in
            PeerStatus(
                id: peer.id,
                match: peer.match,
                next: peer.next,
                isReplicating: peer.state == .replicate,
                inflightMessages: peer.inflight.count,
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
        for voter in voters where voter != id {
            if afterPersist { sendAfterPersist(kind, to: voter) } else { send(kind, to: voter) }
        }
    }

    /// Where a peer's progress is.
    func place(of peer: NodeID) -> Int? { peers.firstIndex { $0.id == peer } }
}
