// Terms, campaigns and votes (Raft §5.2 and §5.4.1, dissertation §4.2.3, §6.2 and §9.6).

// MARK: - Which messages are heard

extension RaftCore {
    /// Brings this server to a message's term. Returns whether the message is to be handled.
    mutating func admit(_ message: RaftMessage) -> Bool {
        if message.term > term {
            switch message.kind {
            case .preVoteRequest:
                // Whoever only asks has won nothing: no change here (rule P16).
                return true
            case .voteRequest(_, isTransfer: false) where hearsLeader:
                // Rule P16: not while the leader is alive. Its term is not taken either, or the leader would fall by it.
                return false
            case .appendEntries, .installSnapshot, .timeoutNow:
                becomeFollower(term: message.term, leader: message.from)
            default:
                becomeFollower(term: message.term, leader: nil)
            }
        } else if message.term < term {
            return admitStale(message)
        }
        return true
    }

    /// What is owed to a sender whose term has passed: silence would leave it stuck (rule P17).
    private mutating func admitStale(_ message: RaftMessage) -> Bool {
        switch message.kind {
        case .preVoteRequest, .preVoteResponse:
            // The first is refused with our term; the second may well come from someone whose term is behind.
            return true
        case .voteRequest:
            send(.voteResponse(granted: false), to: message.from)
        case .appendEntries, .installSnapshot, .timeoutNow:
            send(.termPassed, to: message.from)
        case .readIndexRequest(let ticket):
            send(.readIndexResponse(ticket, index: nil), to: message.from)
        case .voteResponse, .appendAccepted, .appendRejected, .entriesLost, .snapshotStored, .termPassed,
            .readIndexResponse:
            // Answers to a server that this one no longer is (rule P12).
            break
        }
        return false
    }

    /// Whether electing someone else would depose a leader that is, for all this server knows, alive.
    ///
    /// A leader believes in itself until check-quorum tells it otherwise. A follower believes for one minimal election timeout after
    /// the last word, but no longer than the connection: a closed one is a sign of death that needs no timeout. Only where leases
    /// are granted does it keep its promise all the same.
    var hearsLeader: Bool {
        if now < promiseUntil { return true }
        return switch role {
        case .leader: true
        case .follower:
            leader != nil && !leaderLinkClosed && now - leaderHeardAt < UInt64(timing.electionTicks.lowerBound)
        case .preCandidate, .candidate: false
        }
    }
}

// MARK: - Campaigning

extension RaftCore {
    /// Nothing was heard of a leader for too long.
    mutating func electionTimeout() {
        if mayCampaign { return startPreVote() }
        // Not its business to win; but it no longer knows whom to ask.
        campaignAt = now + random.ticks(in: timing.electionTicks)
        becomeFollower(term: term, leader: nil)
    }

    /// Whether this server may stand for election: it can be trusted to know and to keep what it promises, and it has a vote; or
    /// had one before a change that may not be committed. The others may need it then: theirs may be the shorter logs, by
    /// which they need its vote, while by its own log it has none (dissertation §4.2.2).
    var mayCampaign: Bool {
        !isExpelled && !isQuarantined && !isDiskStalled && configurations.mayBeVoter(id, committed: commitIndex)
            && !configuration.voters.isEmpty
    }

    /// Asks all voters whether they would elect this server. Its term does not change, so nobody is disturbed (rule P16).
    mutating func startPreVote() {
        failForwardedReads()
        receipt = nil
        changeRole(.preCandidate)
        changeLeader(nil)
        campaigns += 1
        campaignAt = now + retryTicks()
        tally = VoteTally(configuration)
        tally.record(id, granted: true)
        if tally.verdict == .won { return startElection() }
        broadcast(.preVoteRequest(last: log.last), afterPersist: false)
    }

    /// Stands for election in a new term.
    ///
    /// The requests wait for the disk, and so does this server's own vote. The vote, for the usual reason (rule P8). The requests, since
    /// they state how long this log is: were they early, a server could state entries it has not yet written, crash,
    /// forget both them and the term, stand again in the same term with the shorter log, and win by a late answer to the first request.
    mutating func startElection(isTransfer: Bool = false) {
        hardState = HardState(term: term.next, vote: id)
        hardStateChanged = true
        changeRole(.candidate)
        campaignAt = now + retryTicks()
        tally = VoteTally(configuration)
        broadcast(.voteRequest(last: log.last, isTransfer: isTransfer), afterPersist: true)
    }

    private mutating func retryTicks() -> UInt64 {
        random.ticks(in: campaigns <= timing.quickCampaigns ? timing.retryTicks : timing.electionTicks)
    }

    mutating func countPreVote(_ voter: NodeID, granted: Bool, campaignTerm: Term) {
        guard role == .preCandidate, campaignTerm == term else { return }
        tally.record(voter, granted: granted)
        switch tally.verdict {
        case .won: startElection()
        case .lost: becomeFollower(term: term, leader: nil)
        case .open: break
        }
    }

    mutating func countVote(_ voter: NodeID, granted: Bool) {
        guard role == .candidate else { return }
        tally.record(voter, granted: granted)
        switch tally.verdict {
        case .won: becomeLeader()
        case .lost: becomeFollower(term: term, leader: nil)
        case .open: break
        }
    }
}

// MARK: - Voting

extension RaftCore {
    /// Would this server vote for `candidate` in the term after the candidate's present one?
    mutating func answerPreVote(_ candidate: NodeID, candidateTerm: Term, last: LogPosition) {
        if isSilentAbout(last) { return }
        let granted = candidateTerm >= term && last >= log.last && !hearsLeader
        send(.preVoteResponse(granted: granted, campaignTerm: candidateTerm), to: candidate)
        // Rule P18: who campaigns against a better log cannot win, and its campaigns must not keep the better one from winning.
        if granted && last > log.last && (role == .candidate || role == .preCandidate) {
            becomeFollower(term: term, leader: nil)
        }
    }

    /// Votes, once in a term (Raft §5.2), for a log at least as up to date (Raft §5.4.1).
    ///
    /// What was promised to the leader of an earlier term holds in this one too (rule P24): any message may have told of the new
    /// term. A leader that hands over has given its lease up before it said so.
    mutating func answerVote(_ candidate: NodeID, last: LogPosition, isTransfer: Bool) {
        if isSilentAbout(last) { return }
        let isFree = leader == nil && (isTransfer || now >= promiseUntil)
        let granted = isFree && (hardState.vote ?? candidate) == candidate && last >= log.last
        guard granted else { return send(.voteResponse(granted: false), to: candidate) }
        if hardState.vote == nil {
            hardState.vote = candidate
            hardStateChanged = true
        }
        campaignAt = now + random.ticks(in: timing.electionTicks)
        sendAfterPersist(.voteResponse(granted: true), to: candidate)
    }

    /// Whether this server may have lost entries that a candidate with this log lacks: then it can say neither yes nor no (rule P34).
    private func isSilentAbout(_ last: LogPosition) -> Bool { quarantine.map { last < $0.bound } ?? false }
}

// MARK: - Changing role

extension RaftCore {
    mutating func becomeFollower(term newTerm: Term, leader newLeader: NodeID?) {
        let termIsNew = newTerm > term
        if termIsNew || newLeader != leader { failForwardedReads() }
        if termIsNew {
            hardState = HardState(term: newTerm, vote: nil)
            hardStateChanged = true
            answeredRound = .zero
            receipt = nil
        }
        switch role {
        case .leader:
            abandonLeadership()
            campaignAt = now + random.ticks(in: timing.electionTicks)
        case .candidate, .preCandidate:
            campaignAt = now + retryTicks()
        case .follower:
            // The timer runs on: a candidate that this server will not vote for must not hold it back for ever.
            break
        }
        changeRole(.follower)
        changeLeader(newLeader, termIsNew: termIsNew)
    }

    private mutating func becomeLeader() {
        changeRole(.leader)
        changeLeader(id)
        campaigns = 0
        // Nothing of an earlier term is carried over: every counter starts afresh (rules P12 and P15).
        peers = []
        lastSession = .zero
        transfer = nil
        receipt = nil
        uncommittedBytes = log.payloadBytes(behind: commitIndex, upTo: log.lastIndex)
        followConfiguration()
        leaderReads = LeaderReads()
        heartbeatAt = now + UInt64(timing.heartbeatTicks)
        // An entry of its own, so that something of this term commits, and all before it (Raft §8, dissertation §6.4).
        termStart = appendOwn(.noop)
    }

    /// Gives up leading, in the same term: a quorum is out of reach, and clients had better look elsewhere (rule P20).
    mutating func stepDown() {
        becomeFollower(term: term, leader: nil)
    }

    private mutating func abandonLeadership() {
        failLeaderReads()
        peers.removeAll()
        transfer = nil
    }

    private mutating func changeRole(_ newRole: RaftRole) {
        guard newRole != role else { return }
        role = newRole
        output.events.append(.roleChanged(newRole, term: term))
    }

    mutating func changeLeader(_ newLeader: NodeID?, termIsNew: Bool = false) {
        if newLeader != nil {
            leaderHeardAt = now
            leaderLinkClosed = false
        }
        guard newLeader != leader || (termIsNew && newLeader != nil) else { return }
        leader = newLeader
        output.events.append(.leaderChanged(newLeader, term: term))
    }

    /// Check-quorum (rule P20, dissertation §6.2): whether a quorum was heard within the minimal election timeout.
    ///
    /// Asked at each tick, from when each voter was heard; a check once per timeout, as etcd has it, would take up to two.
    var hearsQuorum: Bool { electorate.isQuorum(peers) { isHeard($0) } }

    /// Whether `peer` was heard within the minimal election timeout.
    func isHeard(_ peer: Progress) -> Bool { now - peer.heardAt < UInt64(timing.electionTicks.lowerBound) }
}
