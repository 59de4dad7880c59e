// Forgetting the beginning of the log, and sending a snapshot to whoever needs it (Raft §7).

// MARK: - Taking snapshots

extension RaftCore {
    /// What a snapshot of the state after `index` has to say about itself. `index` has been handed over for applying, and is not
    /// yet in a snapshot.
    package func snapshotMetadata(at index: LogIndex) -> SnapshotMetadata {
        guard index <= handedToApply, let term = log.term(at: index) else {
            preconditionFailure("a snapshot at \(index) of a log from \(log.start) with \(handedToApply) applied")
        }
        return SnapshotMetadata(
            last: LogPosition(index: index, term: term),
            configuration: configurations.configuration(at: index)
        )
    }

    /// A snapshot is durable, and with it the writes of all outputs up to the one that handed over its last entry for applying, as
    /// in any one ordered log: the log up to it may be forgotten, but for the tail before it.
    ///
    /// Returns the last index that is forgotten here: what the disk may forget, too.
    @discardableResult
    package mutating func snapshotTaken(_ taken: SnapshotMetadata, keeping tail: LogTail) -> LogIndex {
        guard taken.last.index > snapshot?.last.index ?? .zero else { return log.start.index }
        precondition(
            taken.last.index <= handedToApply && log.contains(taken.last),
            "a snapshot at \(taken.last) is not of this log, \(log.start)...\(log.last)"
        )
        applied(taken.last.index)
        snapshot = taken
        persistedIndex = max(persistedIndex, taken.last.index)
        var end = log.startOfTail(tail, upTo: taken.last.index)
        // Whoever is being sent a snapshot goes on right behind it, and must not need another one before it has caught up.
        let wanted = peers.filter(isHeard).compactMap(\.keepsLogBehind)
        if !wanted.isEmpty {
            let affordable = log.startOfTail(limits.keptForSnapshots, upTo: log.lastIndex)
            for index in wanted where index >= affordable { end = min(end, index) }
        }
        guard end > log.start.index else { return log.start.index }
        log.compact(upTo: end)
        configurations.compact(upTo: end)
        return end
    }

    /// Where the snapshots end that peers are being sent, of those peers that are heard.
    package var snapshotsUnderWay: Set<LogPosition> { Set(peers.filter(isHeard).compactMap(\.transfer?.snapshot.last)) }
}

// MARK: - Leader

extension RaftCore {
    /// Whether the entry in front of what the peer needs is gone (rule P14).
    func needsSnapshot(_ peer: Progress) -> Bool { peer.next - 1 < log.start.index && peer.transfer == nil }

    mutating func beginSnapshot(toPeerAt place: Int) {
        guard let snapshot else { preconditionFailure("\(id) forgot its log up to \(log.start) without a snapshot") }
        peers[place].needsSnapshot(snapshot)
        // A message with entries would have been a sign of life; this one is on its way only when the shell has read it.
        peers[place].messageDue = true
    }

    mutating func sendDueChunk(toPeerAt place: Int) {
        guard let transfer = peers[place].takeDueChunk(now: now) else { return }
        output.chunksToSend.append(
            SnapshotChunkRequest(
                from: id,
                term: term,
                session: peers[place].session,
                to: peers[place].id,
                snapshot: transfer.snapshot,
                offset: transfer.offset,
                sizeBytes: limits.snapshotChunkBytes
            )
        )
    }

    mutating func chunkAnswered(byPeerAt place: Int, _ last: LogPosition, offset: UInt64, nextOffset: UInt64) {
        if peers[place].chunkAnswered(last, offset: offset, nextOffset: nextOffset, now: now) { replicationDue = true }
    }

    /// The snapshot of this request cannot be read any more. The peer is sent the present one, from its beginning; if this is the present
    /// one, it is asked for again as if the piece had been lost: when it has been given some time to be replaced.
    package mutating func snapshotUnreadable(_ request: SnapshotChunkRequest) {
        guard role == .leader, request.term == term, let place = place(of: request.to),
            peers[place].transfer?.snapshot == request.snapshot, snapshot != request.snapshot
        else { return }
        peers[place].snapshotLost()
        replicationDue = true
    }
}

// MARK: - Follower

extension RaftCore {
    /// A piece of a snapshot, from the leader of this term.
    mutating func receive(_ chunk: SnapshotChunk, from sender: NodeID) {
        precondition(role != .leader, "\(id) and \(sender) both lead \(term)")
        if role != .follower || leader != sender { becomeFollower(term: term, leader: sender) }
        leaderIsAlive()
        let last = chunk.snapshot.last
        if last.index <= commitIndex || log.contains(last) {
            // All of it is in the log already; and it is committed, or it would not be in a snapshot.
            commitIndex = max(commitIndex, last.index)
            receipt = nil
            return sendAfterPersist(
                .appendAccepted(match: commitIndex, readRound: .zero, session: chunk.session),
                to: sender
            )
        }
        if receipt?.leader != sender || receipt?.term != term || receipt?.snapshot != chunk.snapshot {
            receipt = SnapshotReceipt(leader: sender, term: term, snapshot: chunk.snapshot)
        }
        guard let receipt, !receipt.isStoring else { return }
        guard chunk.offset == receipt.stored else { return answer(chunk, nextOffset: receipt.stored) }
        self.receipt?.isStoring = true
        output.chunksToStore.append(ReceivedChunk(from: sender, term: term, chunk: chunk))
    }

    private mutating func answer(_ chunk: SnapshotChunk, nextOffset: UInt64) {
        guard let receipt else { return }
        send(
            .snapshotStored(
                last: chunk.snapshot.last,
                offset: chunk.offset,
                nextOffset: nextOffset,
                session: chunk.session
            ),
            to: receipt.leader
        )
    }

    /// A piece is stored. After the last one the snapshot is installed: report only a whole snapshot that was found sound,
    /// otherwise `chunkRefused(_:)`.
    package mutating func chunkStored(_ received: ReceivedChunk) {
        guard isCurrent(received) else { return }
        receipt?.isStoring = false
        receipt?.stored += UInt64(received.chunk.bytes.count)
        if received.chunk.isLast {
            receipt = nil
            install(received.chunk, from: received.from)
        } else {
            answer(received.chunk, nextOffset: receipt?.stored ?? 0)
        }
    }

    /// A piece cannot be stored, or the whole makes no sound snapshot: it is sent again from its beginning.
    package mutating func chunkRefused(_ received: ReceivedChunk) {
        guard isCurrent(received) else { return }
        receipt?.isStoring = false
        receipt?.stored = 0
        answer(received.chunk, nextOffset: 0)
    }

    private func isCurrent(_ received: ReceivedChunk) -> Bool {
        guard let receipt else { return false }
        return receipt.leader == received.from && receipt.term == received.term && term == received.term
            && receipt.snapshot == received.chunk.snapshot && receipt.stored == received.chunk.offset
    }

    /// Puts a snapshot in the place of the whole log (rule P29): what was behind it in this log disagrees with it, or it would not
    /// have been needed. The configuration is the snapshot's (rule P4).
    private mutating func install(_ chunk: SnapshotChunk, from sender: NodeID) {
        let installed = chunk.snapshot
        // The log may have grown past it meanwhile.
        if installed.last.index > commitIndex && !log.contains(installed.last) {
            log = EntryLog([], behind: installed.last)
            configurations = ConfigurationHistory(installed.configuration, at: installed.last.index)
            snapshot = installed
            // Not durable yet; and what is on disk behind the old commit index may have been anything.
            persistedIndex = min(persistedIndex, commitIndex)
            commitIndex = installed.last.index
            handedToDisk = installed.last.index
            beginApplying(behind: installed.last.index)
            output.snapshotToInstall = installed
            configurationChanged()
        }
        let match = installed.last.index
        sendAfterPersist(.appendAccepted(match: match, readRound: .zero, session: chunk.session), to: sender)
    }

    /// Whether what this server may have lost is back, and durable (rule P34).
    mutating func checkQuarantine() {
        guard let quarantine, persistedIndex >= commitIndex, let committed = log.term(at: commitIndex),
            quarantine.isOver(committed: LogPosition(index: commitIndex, term: committed))
        else { return }
        self.quarantine = nil
        output.events.append(.quarantineOver)
    }
}
