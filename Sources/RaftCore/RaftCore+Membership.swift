// Changing who takes part (dissertation chapter 4).

// MARK: - Leader: changes

extension RaftCore {
    /// Changes the membership, if this server leads and the change before this one is done.
    ///
    /// In force as soon as it is appended. A change of more than one vote goes through a joint configuration, which the leader, or
    /// whoever leads after it, leaves when that is committed (rule P27).
    package mutating func change(_ steps: [ConfigurationStep]) -> ChangeOutcome {
        guard role == .leader else { return .notLeader(leader: leader) }
        if let transfer { return .refused(.transferring(to: transfer.target)) }
        // Rule P2: else an earlier leader's change, unknown here, and this one could be decided by quorums without a common voter.
        guard hasCommittedInTerm else { return .refused(.termNotCommitted) }
        guard configurations.currentIndex <= commitIndex, !configuration.isJoint else {
            return .refused(.changeInProgress)
        }
        let changed: Configuration
        do { changed = try configuration.changed(by: steps) } catch { return .refused(.invalid(error)) }
        for case .promote(let id) in steps where !hasCaughtUp(id) { return .refused(.notCaughtUp(id)) }
        return .appended(index: append(changed), term: term)
    }

    /// Whether a learner would not hold up commits if it had a vote.
    private func hasCaughtUp(_ id: NodeID) -> Bool {
        guard let place = place(of: id) else { return false }
        let lag = log.lastIndex - peers[place].match
        return peers[place].isReplicating && isHeard(peers[place]) && lag <= limits.promotionLagEntries
    }

    private mutating func append(_ configuration: Configuration) -> LogIndex {
        let index = appendOwn(.configuration, configuration.encoded())
        configurations.append(configuration, at: index)
        configurationChanged()
        return index
    }

    /// The configuration in force is committed.
    mutating func configurationCommitted() {
        if configuration.isJoint {
            // Rule P27: whoever leads when this is known to be committed goes on, not only who began.
            _ = append(configuration.left)
            return
        }
        dismissPeers()
        if !configuration.isVoter(id) { leaveOffice() }
    }

    /// Those who are no members any more hear once more, so that they know, and then nothing.
    private mutating func dismissPeers() {
        let configuration = configuration
        let dismissed = peers.indices.filter { !configuration.members.contains(peers[$0].id) }
        guard !dismissed.isEmpty else { return }
        for place in dismissed { peers[place].messageDue = true }
        replicate()
        peers.removeAll { !configuration.members.contains($0.id) }
    }

    /// Rule P26: a leader without a vote led until that was committed, and now sees to it that another one leads soon.
    private mutating func leaveOffice() {
        requestMessageToAll()
        replicate()
        if let successor = bestSuccessor { send(.timeoutNow, to: successor) }
        stepDown()
    }
}

// MARK: - Being removed

extension RaftCore {
    /// A member says that the configuration of the entry at `index` is committed and that this server has no part in it.
    ///
    /// A server that was away when it was removed would ask for votes for ever. It stops until it hears a leader (rule P26). Should it
    /// have been added again since, that leader will be heard; and not to campaign is always safe.
    package mutating func removalReported(of index: LogIndex) {
        guard role != .leader, index > configurations.currentIndex else { return }
        isExpelled = true
        if role != .follower { becomeFollower(term: term, leader: nil) }
    }
}

// MARK: - Following the configuration

extension RaftCore {
    /// Another configuration is in force: appended, cut off or installed (rules P3 and P4).
    mutating func configurationChanged() {
        output.events.append(.configurationChanged(configuration, index: configurations.currentIndex))
        followConfiguration()
        switch role {
        case .leader:
            leaderReads.leaseSince = nil
            finishRoundIfConfirmed()
        case .follower: break
        case .candidate, .preCandidate: preconditionFailure("\(id) campaigns in \(term) and its log changes")
        }
    }

    /// Brings what is derived from the configuration up to date. Peers that stay keep their progress.
    mutating func followConfiguration() {
        let configuration = configuration
        electorate = Electorate(configuration, own: id)
        guard role == .leader else { return }
        for place in peers.indices { peers[place].votes = VotingHalves(of: peers[place].id, in: configuration) }
        for member in configuration.members where member != id && place(of: member) == nil {
            lastSession = lastSession.next
            peers.append(
                Progress(
                    id: member,
                    session: lastSession,
                    votes: VotingHalves(of: member, in: configuration),
                    next: log.lastIndex.next,
                    heardAt: now,
                    limits: limits
                )
            )
        }
        peers.sort { $0.id < $1.id }
        if let transfer, !configuration.isVoter(transfer.target) { abortTransfer() }
    }

    /// The voter that would be missed least as the next leader: the one whose log is most complete, of those that are heard.
    var bestSuccessor: NodeID? {
        peers.filter { $0.votes.contains(.voters) && isHeard($0) }.max { ($0.match, $1.id) < ($1.match, $0.id) }?.id
    }
}
