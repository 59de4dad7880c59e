// Handing leadership over (dissertation §3.10), and leaders that had better (rule P36).

/// A transfer under way.
struct LeadershipTransfer: Sendable {
    let target: NodeID
    /// When it has come to nothing.
    let deadline: UInt64
    /// The target has been told to stand for election.
    var isTold = false
}

extension RaftCore {
    /// Hands leadership over to `target` (rule P25).
    ///
    /// Nothing is proposed from now on. When the target has the whole log it is told to stand for election at once. If it does
    /// not lead within one election timeout this server goes on leading.
    package mutating func transferLeadership(to target: NodeID) -> TransferOutcome {
        guard role == .leader else { return .notLeader(leader: leader) }
        if let transfer { return .transferring(to: transfer.target) }
        guard let place = place(of: target), peers[place].votes.contains(.voters) else { return .notVoter }
        guard isHeard(peers[place]) else { return .unreachable }
        transfer = LeadershipTransfer(target: target, deadline: now + UInt64(timing.electionTicks.upperBound))
        transferIfCaughtUp(place)
        return .started
    }

    /// Whom a leader would hand over to if it had the choice; nil: nobody could lead.
    package var successor: NodeID? { role == .leader ? bestSuccessor : nil }

    /// At each tick of a leader.
    mutating func checkTransfer() {
        if let transfer, now >= transfer.deadline { abortTransfer() }
    }

    /// The target of a transfer may have the whole log by now: then it is told, once (etcd tells it each time; a
    /// lost message costs an election timeout here, and a repeated one an election there).
    mutating func transferIfCaughtUp(_ place: Int) {
        guard let transfer, !transfer.isTold, transfer.target == peers[place].id,
            peers[place].match == log.lastIndex
        else { return }
        self.transfer?.isTold = true
        // Its voters will not ask whether this leader is alive.
        leaderReads.leaseIsForfeited = true
        send(.timeoutNow, to: transfer.target)
    }

    mutating func abortTransfer() {
        guard let aborted = transfer.take() else { return }
        output.events.append(.transferAborted(to: aborted.target))
    }

    /// The leader asks this server to stand for election, whoever is alive.
    mutating func takeOver(from sender: NodeID) {
        guard role == .follower, leader == nil || leader == sender, mayCampaign else { return }
        failForwardedReads()
        campaigns = 1
        startElection(isTransfer: true)
        changeLeader(nil)
    }
}

// MARK: - A stalled disk

extension RaftCore {
    /// A ticket for the writes of the output being taken.
    mutating func nextTicket() -> PersistTicket {
        lastTicket += 1
        if openWrite == nil { openWrite = (lastTicket, now) }
        return PersistTicket(term: term, last: log.last, number: lastTicket)
    }

    /// Writes up to the one with this number are done.
    mutating func writeFinished(_ number: UInt64) {
        guard let oldest = openWrite, number >= oldest.ticket else { return }
        // When the next one was handed out is not kept; now is late enough, since it waited for this one.
        openWrite = number >= lastTicket ? nil : (number + 1, now)
    }

    /// Since how many ticks the oldest write has been under way; nil: all are done.
    package var oldestWriteAge: UInt64? { openWrite.map { now - $0.since } }

    /// Whether the disk has been at one write for a whole election timeout (rule P36).
    var isDiskStalled: Bool { (oldestWriteAge ?? 0) >= UInt64(timing.electionTicks.upperBound) }

    /// Rule P36: heartbeats must not outlive the ability to commit. The others are not left to find out.
    mutating func handOverStalledDisk() {
        output.events.append(.diskStalled)
        if let successor = bestSuccessor { send(.timeoutNow, to: successor) }
        stepDown()
    }
}
