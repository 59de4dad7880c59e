// Copying the log, and knowing what is committed (Raft §5.3 and §5.4.2, dissertation §10.2).

// MARK: - Leader: sending

extension RaftCore {
    /// A heartbeat to every peer, with the next output.
    mutating func beat() {
        heartbeatAt = now + UInt64(timing.heartbeatTicks)
        renewLease()
        requestMessageToAll()
    }

    /// Every peer gets an AppendEntries with the next output, with or without entries.
    mutating func requestMessageToAll() {
        for place in peers.indices { peers[place].messageDue = true }
        replicationDue = true
    }

    /// Sends to each peer what it may be sent. Once per output, so that all that was proposed since the last one goes together.
    mutating func replicate() {
        // Peers are mostly at the same place: what was copied for one is then shared by the next.
        var batch = EntryLog.Batch.none
        for place in peers.indices {
            if needsSnapshot(peers[place]) { beginSnapshot(toPeerAt: place) }
            sendDueChunk(toPeerAt: place)
            while peers[place].next <= log.lastIndex && peers[place].acceptsEntries {
                let first = peers[place].next
                if batch.first != first {
                    batch = log.batch(from: first, count: limits.entriesPerMessage, bytes: limits.bytesPerMessage)
                }
                sendAppend(batch.entries, toPeerAt: place)
                peers[place].sent(upTo: first + (batch.entries.count - 1), bytes: batch.bytes)
            }
            if peers[place].messageDue { sendAppend([], toPeerAt: place) }
        }
    }

    private mutating func sendAppend(_ entries: [Entry], toPeerAt place: Int) {
        let append = AppendEntries(
            previous: previous(ofPeerAt: place),
            entries: entries,
            leaderCommit: commitIndex,
            readRound: leaderReads.startedRound,
            session: peers[place].session
        )
        peers[place].messageDue = false
        peers[place].commitSent = commitIndex
        send(.appendEntries(append), to: peers[place].id)
    }

    /// Where an AppendEntries to this peer continues. During a snapshot that may be gone from the log: then the beginning of all
    /// logs, with which everyone agrees and which says nothing, as becomes a heartbeat (rule P14).
    private func previous(ofPeerAt place: Int) -> LogPosition {
        if peers[place].transfer != nil { return .start }
        let index = peers[place].next - 1
        guard let term = log.term(at: index) else {
            preconditionFailure("\(id) leads \(term) without an entry at \(index), \(log.start)...\(log.last)")
        }
        return LogPosition(index: index, term: term)
    }
}

// MARK: - Leader: answers

extension RaftCore {
    /// A peer answered. Nil, and nothing to be done, unless the answer belongs to the session of this leader with it (rule P12).
    mutating func hear(_ peer: NodeID, in session: ReplicationSession) -> Int? {
        guard role == .leader, let place = place(of: peer), peers[place].session == session else { return nil }
        peers[place].heardAt = now
        return place
    }

    mutating func appendAccepted(byPeerAt place: Int, match: LogIndex, round: ReadRound) {
        // A match beyond our log cannot be about our log.
        guard match <= log.lastIndex else { return }
        let grew = peers[place].accepted(match)
        if peers[place].resendChunk(now: now, patience: UInt64(timing.electionTicks.lowerBound)) {
            replicationDue = true
        }
        if peers[place].next <= log.lastIndex { replicationDue = true }
        confirm(round, byPeerAt: place)
        guard grew else { return }
        if match >= commitIndex { peers[place].isCatchingUp = false }
        transferIfCaughtUp(place)
        if match > commitIndex { advanceCommit() }
    }

    mutating func appendRejected(byPeerAt place: Int, previousIndex: LogIndex, hint: LogPosition, round: ReadRound) {
        // The follower skipped its entries of terms after ours; now we skip ours of terms after its: at
        // most one probe for each term in which the logs differ (rule P13). In front of our log a snapshot is due anyway.
        let agreed =
            hint.index < log.start.index
            ? hint.index : log.lastPosition(atOrBefore: hint.index, termAtMost: hint.term).index
        if peers[place].rejected(previousIndex: previousIndex, hint: agreed) {
            peers[place].messageDue = true
            replicationDue = true
        }
        // It refused the entries but not the leader.
        confirm(round, byPeerAt: place)
    }

    /// A peer's disk lost entries: they are sent again, and the peer counts for them only when it has them again (rule P34).
    mutating func entriesLost(byPeerAt place: Int, from index: LogIndex) {
        guard index > .zero, index <= peers[place].next else { return }
        lastSession = lastSession.next
        peers[place].lost(from: index, session: lastSession)
        peers[place].messageDue = true
        replicationDue = true
    }

    /// Commits what a quorum has on disk, this server counted up to its own last durable entry (dissertation §10.2.1).
    mutating func advanceCommit() {
        let reached = electorate.reached(peers, ownMatch: persistedIndex, scratch: &indexScratch)
        // Only an entry of the own term is committed by counting; the ones before it ride along (rule P1, Raft §5.4.2).
        guard reached > commitIndex, reached >= termStart else { return }
        let configurationIsNews = commitIndex < configurations.currentIndex || commitIndex < termStart
        uncommittedBytes -= log.payloadBytes(behind: commitIndex, upTo: reached)
        commitIndex = reached
        for place in peers.indices { tellCommitIfAwaited(place) }
        if configurationIsNews && reached >= configurations.currentIndex { configurationCommitted() }
    }

    /// Clients of `peer` wait for the entry at `index`: the peer hears at once when it is committed.
    package mutating func awaitCommit(of index: LogIndex, for peer: NodeID) {
        guard role == .leader, let place = place(of: peer) else { return }
        peers[place].commitAwaited = max(peers[place].commitAwaited, index)
        tellCommitIfAwaited(place)
    }

    private mutating func tellCommitIfAwaited(_ place: Int) {
        guard peers[place].commitSent < min(peers[place].commitAwaited, commitIndex) else { return }
        peers[place].messageDue = true
        replicationDue = true
    }

    /// Whether an entry of this leader's own term is committed. Before that its commit index may lag behind what an
    /// earlier leader has acknowledged (rule P21).
    var hasCommittedInTerm: Bool { role == .leader && commitIndex >= termStart }
}

// MARK: - Follower

extension RaftCore {
    /// An AppendEntries of the present term: its sender is the leader of this term.
    mutating func follow(_ sender: NodeID, _ append: AppendEntries) {
        precondition(role != .leader, "\(id) and \(sender) both lead \(term)")
        if role != .follower || leader != sender { becomeFollower(term: term, leader: sender) }
        leaderIsAlive()
        guard isConsecutive(append) else { return }

        if append.previous.index < commitIndex {
            // Old news. Committed entries are in every later leader's log, so the logs agree that far.
            return accept(upTo: commitIndex, append, from: sender)
        }
        guard log.contains(append.previous) else { return reject(append, from: sender) }
        store(append)
        let proven = append.lastIndex
        // Rule P6: what lies behind `proven` may still be someone else's.
        commitIndex = max(commitIndex, min(append.leaderCommit, proven))
        checkQuarantine()
        accept(upTo: proven, append, from: sender)
    }

    /// The leader of this term has been heard.
    mutating func leaderIsAlive() {
        leaderHeardAt = now
        leaderLinkClosed = false
        isExpelled = false
        campaigns = 0
        campaignAt = now + random.ticks(in: timing.electionTicks)
        promise()
    }

    private func isConsecutive(_ append: AppendEntries) -> Bool {
        guard let first = append.entries.first, let last = append.entries.last else { return true }
        return first.index == append.previous.index.next && last.index == append.lastIndex
    }

    /// Adds what is missing. Cuts the log only where a term differs: the message may be an old one (rule P7).
    private mutating func store(_ append: AppendEntries) {
        var fresh = append.entries[...]
        while let entry = fresh.first, let present = log.term(at: entry.index) {
            if present != entry.term {
                cut(from: entry.index)
                break
            }
            fresh.removeFirst()
        }
        guard !fresh.isEmpty else { return }
        log.append(fresh)
        if configurations.append(fresh) { configurationChanged() }
    }

    /// Drops the entry at `index` and all behind it, none of which may be committed.
    package mutating func cut(from index: LogIndex) {
        precondition(index > commitIndex, "\(id) was told to drop committed \(index) of \(commitIndex) in \(term)")
        log.truncate(from: index)
        handedToDisk = min(handedToDisk, index - 1)
        persistedIndex = min(persistedIndex, index - 1)
        if configurations.truncate(from: index) { configurationChanged() }
    }

    /// Acknowledges what is durable at once, and the rest when it is (rule P8).
    private mutating func accept(upTo proven: LogIndex, _ append: AppendEntries, from sender: NodeID) {
        let session = append.session
        let durable = min(proven, persistedIndex)
        if persistedTerm == term {
            // The leader waits for a sign of life or a read round; neither has to wait for the disk.
            let urgent = append.entries.isEmpty || append.readRound > answeredRound
            if durable == proven || urgent {
                answeredRound = max(answeredRound, append.readRound)
                send(.appendAccepted(match: durable, readRound: append.readRound, session: session), to: sender)
            }
            if durable == proven { return }
        }
        let answer = RaftMessage.Kind.appendAccepted(match: proven, readRound: append.readRound, session: session)
        // Of several acknowledgements in one output, the last says it all.
        if let last = output.messagesAfterPersist.last, last.to == sender, last.term == term,
            case .appendAccepted(let match, let round, session) = last.kind, match <= proven, round <= append.readRound
        {
            output.messagesAfterPersist[output.messagesAfterPersist.count - 1].kind = answer
        } else {
            sendAfterPersist(answer, to: sender)
        }
    }

    /// Tells the leader how far back to go: behind all entries of terms it cannot have there (rule P13).
    private mutating func reject(_ append: AppendEntries, from sender: NodeID) {
        if isQuarantined && append.previous.index > log.lastIndex {
            return send(.entriesLost(from: log.lastIndex.next, session: append.session), to: sender)
        }
        let hint = log.lastPosition(atOrBefore: append.previous.index, termAtMost: append.previous.term)
        send(
            .appendRejected(
                previousIndex: append.previous.index,
                hint: hint,
                readRound: append.readRound,
                session: append.session
            ),
            to: sender
        )
    }
}
