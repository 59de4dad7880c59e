// Linearizable reads without a log entry (dissertation §6.4).
//
// The order is what makes it right (rule P23): first the commit index is recorded, then a quorum confirms that this
// server still led after that, then the state machine applies up to the recorded index, then one reads.

/// Who waits for a read index at a leader.
enum Reader: Sendable {
    case local(ReadID)
    case remote(NodeID, ReadTicket)
}

/// The reads of a leader, for one term.
///
/// At most one round is under way. Reads that arrive meanwhile form the next one, so a thousand readers cost as
/// many messages as one. Each round has a number never used before in this term (rule P22): an acknowledgement of an
/// earlier round, however late, cannot confirm a later one.
struct LeaderReads: Sendable {
    /// The youngest round begun. Every AppendEntries carries it, so that a lost one is made good by the next heartbeat.
    var startedRound = ReadRound.zero
    /// The commit index when the round under way began.
    var index = LogIndex.zero
    /// The round under way: it, or a younger one, has to be confirmed by a quorum.
    var confirmingRound = ReadRound.zero
    /// Who waits for the round under way. Empty: none is.
    var confirming: [Reader] = []
    /// Who waits for the round after it.
    var waiting: [Reader] = []

    /// Where leases are granted: when the last rounds began, the oldest first.
    var beginnings: [(round: ReadRound, at: UInt64)] = []
    /// A quorum has heard this leader in a round that began then; nil: not yet.
    var leaseSince: UInt64?
    /// Another server was told to stand for election: nobody keeps a promise to this leader any more.
    var leaseIsForfeited = false

    /// How many reads wait.
    var count: Int { confirming.count + waiting.count }
}

/// The reads of a follower, asked of its leader.
struct ForwardedReads: Sendable {
    struct Question: Sendable {
        let ticket: ReadTicket
        let deadline: UInt64
        let ids: [ReadID]
    }

    /// Asked and not answered; the oldest first, so that deadlines ascend.
    var asked: [Question] = []
    /// To be asked with the next output, as one question.
    var unasked: [ReadID] = []
    var nextTicket: ReadTicket
    /// When the oldest question is given up.
    var firstDeadline: UInt64? { asked.first?.deadline }

    init(firstTicket: ReadTicket) { nextTicket = firstTicket }

    /// How many reads wait.
    var count: Int { asked.reduce(unasked.count) { $0 + $1.ids.count } }
}

// MARK: - Asking

extension RaftCore {
    /// Wants to read linearizably. `readsReady` or `readsFailed` of some later output names `id`, exactly once.
    ///
    /// The leader finds the read index itself; a follower asks its leader; who knows no leader fails the read at once.
    package mutating func read(_ id: ReadID) {
        switch role {
        case .leader where holdsLease:
            output.readsReady.append(ReadyRead(id: id, index: commitIndex, validUntil: leaseEnd))
        case .leader where leaderReads.count < limits.pendingReads:
            leaderReads.waiting.append(.local(id))
        case .follower where leader != nil && !leaderLinkClosed && forwardedReads.count < limits.pendingReads:
            forwardedReads.unasked.append(id)
        case .leader, .follower, .preCandidate, .candidate:
            output.readsFailed.append(id)
        }
    }

    /// Whether `startReads()` has anything to do.
    var readsWaitToStart: Bool {
        switch role {
        case .leader: !leaderReads.waiting.isEmpty && leaderReads.confirming.isEmpty && hasCommittedInTerm
        case .follower: !forwardedReads.unasked.isEmpty
        case .preCandidate, .candidate: false
        }
    }

    /// Gives all reads that wait one round, or one question. Once per output.
    mutating func startReads() {
        guard readsWaitToStart else { return }
        if role == .leader { startRound() } else { askLeader() }
    }

    /// Not before an entry of this term is committed: until then the commit index may be too low (rule P21).
    private mutating func startRound() {
        beginRound()
        leaderReads.confirmingRound = leaderReads.startedRound
        leaderReads.index = commitIndex
        swap(&leaderReads.confirming, &leaderReads.waiting)
        finishRoundIfConfirmed()
        requestMessageToAll()
    }

    /// From now on messages carry a number never used before in this term.
    private mutating func beginRound() {
        leaderReads.startedRound = leaderReads.startedRound.next
        guard timing.leaseDriftPercent != nil else { return }
        if electorate.isQuorum(peers, where: { _ in false }) {
            leaderReads.leaseSince = now
        } else {
            leaderReads.beginnings.append((leaderReads.startedRound, now))
        }
    }

    private mutating func askLeader() {
        guard let leader else { preconditionFailure("\(id) has unasked reads but no leader in \(term)") }
        let ticket = forwardedReads.nextTicket
        forwardedReads.nextTicket = ticket.next
        let deadline = now + UInt64(timing.electionTicks.lowerBound)
        forwardedReads.asked.append(.init(ticket: ticket, deadline: deadline, ids: forwardedReads.unasked))
        forwardedReads.unasked.removeAll()
        send(.readIndexRequest(ticket), to: leader)
    }
}

// MARK: - Leader

extension RaftCore {
    /// A follower asks for a read index. A repeated question is answered again, from a round of its own.
    mutating func serveRead(of peer: NodeID, ticket: ReadTicket) {
        if role == .leader && leaderReads.count < limits.pendingReads {
            leaderReads.waiting.append(.remote(peer, ticket))
        } else {
            send(.readIndexResponse(ticket, index: nil), to: peer)
        }
    }

    /// A peer acknowledged this leader in a message that echoes `round`.
    mutating func confirm(_ round: ReadRound, byPeerAt place: Int) {
        guard round > peers[place].confirmedRound, round <= leaderReads.startedRound else { return }
        peers[place].confirmedRound = round
        if timing.leaseDriftPercent != nil { extendLease() }
        finishRoundIfConfirmed()
    }

    /// A peer confirmed, or fewer have to.
    mutating func finishRoundIfConfirmed() {
        guard !leaderReads.confirming.isEmpty else { return }
        let wanted = leaderReads.confirmingRound
        if electorate.isQuorum(peers, where: { $0.confirmedRound >= wanted }) { finishRound() }
    }

    private mutating func finishRound() {
        for reader in leaderReads.confirming {
            switch reader {
            case .local(let id): output.readsReady.append(ReadyRead(id: id, index: leaderReads.index))
            case .remote(let peer, let ticket): send(.readIndexResponse(ticket, index: leaderReads.index), to: peer)
            }
        }
        leaderReads.confirming.removeAll(keepingCapacity: true)
    }

    /// This server no longer leads: nobody gets an index from it.
    mutating func failLeaderReads() {
        for reader in leaderReads.confirming + leaderReads.waiting {
            switch reader {
            case .local(let id): output.readsFailed.append(id)
            case .remote(let peer, let ticket): send(.readIndexResponse(ticket, index: nil), to: peer)
            }
        }
        leaderReads = LeaderReads()
    }
}

// MARK: - Leases (rule P24)

extension RaftCore {
    /// The last tick at which this leader may answer from its own state; nil: it may not.
    ///
    /// A quorum promised, after the round began, not to elect anyone for one minimal election timeout of its own clock. Counted
    /// from when the round began, not from when it was confirmed; shortened by how far clocks may drift apart, and by
    /// one tick on either side, since a tick is as exact as clocks are here.
    var leaseEnd: UInt64? {
        guard let drift = timing.leaseDriftPercent, !leaderReads.leaseIsForfeited, transfer == nil,
            let since = leaderReads.leaseSince
        else { return nil }
        let promised = timing.electionTicks.lowerBound * (100 - drift) / 100
        let end = since + UInt64(max(promised - 2, 0))
        return now < end ? end : nil
    }

    /// Whether this server, if it leads, may answer from its own state now.
    package var holdsLease: Bool { leaseEnd != nil && hasCommittedInTerm }

    /// Each heartbeat asks for the lease anew.
    mutating func renewLease() {
        if timing.leaseDriftPercent != nil { beginRound() }
    }

    /// A peer confirmed a round.
    private mutating func extendLease() {
        while let oldest = leaderReads.beginnings.first,
            electorate.isQuorum(peers, where: { $0.confirmedRound >= oldest.round })
        {
            leaderReads.leaseSince = oldest.at
            leaderReads.beginnings.removeFirst()
        }
    }

    /// A server that grants leases promises its leader, and after a start whomever it promised before, not to elect another.
    mutating func promise() {
        if timing.leaseDriftPercent != nil { promiseUntil = now + UInt64(timing.electionTicks.lowerBound) }
    }
}

// MARK: - Follower

extension RaftCore {
    /// The leader answered. An answer to a question given up already fits no ticket.
    mutating func readAnswered(_ ticket: ReadTicket, index: LogIndex?) {
        guard let place = forwardedReads.asked.firstIndex(where: { $0.ticket == ticket }) else { return }
        let question = forwardedReads.asked.remove(at: place)
        if let index {
            output.readsReady.append(contentsOf: question.ids.map { ReadyRead(id: $0, index: index) })
        } else {
            output.readsFailed.append(contentsOf: question.ids)
        }
    }

    /// Question or answer may have been lost: after an election timeout nobody waits any longer.
    mutating func expireForwardedReads() {
        while let oldest = forwardedReads.asked.first, oldest.deadline <= now {
            output.readsFailed.append(contentsOf: oldest.ids)
            forwardedReads.asked.removeFirst()
        }
    }

    /// Whom this server asked is not, or no longer, whom to ask.
    mutating func failForwardedReads() {
        for question in forwardedReads.asked { output.readsFailed.append(contentsOf: question.ids) }
        output.readsFailed.append(contentsOf: forwardedReads.unasked)
        forwardedReads.asked.removeAll()
        forwardedReads.unasked.removeAll()
    }
}
