// What a leader knows about one peer (etcd's tracker.Progress).

/// In which halves of a configuration a server has a vote.
package struct VotingHalves: OptionSet, Sendable {
    package let rawValue: UInt8
    /// In the configuration to be, or the only one.
    package static let voters = VotingHalves(rawValue: 1)
    /// In the one that a joint configuration leaves.
    package static let outgoing = VotingHalves(rawValue: 2)

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    init(of id: NodeID, in configuration: Configuration) {
        self = []
        if configuration.voters.contains(id) { insert(.voters) }
        if configuration.outgoing.contains(id) { insert(.outgoing) }
    }
}

/// A snapshot on its way to a peer.
struct SnapshotTransfer: Sendable {
    let snapshot: SnapshotMetadata
    /// The peer has stored so much. The next piece starts here.
    var offset: UInt64 = 0
    /// When the piece at `offset` was sent; nil: it is yet to be.
    var sentAt: UInt64?
}

/// Replication to one peer, as far as its leader can tell.
struct Progress: Sendable {
    enum State: Sendable {
        /// The leader does not know where the logs part: one message at a time, then wait for its answer or for
        /// the next heartbeat.
        case probe
        /// The logs are known to agree up to `match`: entries stream, `next` runs ahead of the answers.
        case replicate
        /// The entries the peer lacks are gone from the log: it is sent a snapshot, piece by piece, and no entries meanwhile.
        case snapshot(SnapshotTransfer)
    }

    let id: NodeID
    /// Fresh whenever the peer becomes a member or loses entries, or this server a leader: what the peer answered in an earlier one
    /// does not count (rule P12).
    private(set) var session: ReplicationSession
    /// Where the peer has a vote. Nowhere: it learns, or it is about to leave.
    var votes: VotingHalves
    private(set) var state = State.probe
    /// The peer's durable log agrees with ours up to here. Goes back only when the peer says that it lost entries (rule P34).
    private(set) var match = LogIndex.zero
    /// The first entry to send next. Invariant: `next > match`.
    private(set) var next: LogIndex
    /// In `probe`: one is under way, so nothing but heartbeats goes out. Invariant: false in other states.
    private(set) var probeSent = false
    /// In `replicate`: what is under way. Invariant: empty in other states.
    private(set) var inflight: InflightWindow
    /// The peer was sent a snapshot, and has not had all that is committed since.
    var isCatchingUp = false
    /// An AppendEntries is due even without entries: a heartbeat or a read round.
    var messageDue = true
    /// Clients of the peer wait until it knows that entries up to here are committed: it is told at once, not with the next heartbeat.
    var commitAwaited = LogIndex.zero
    /// The commit index last sent to the peer.
    var commitSent = LogIndex.zero
    /// The tick at which the peer was last heard in this session; at first, when that began.
    var heardAt: UInt64
    /// The youngest read round this peer has confirmed in this session.
    var confirmedRound = ReadRound.zero

    /// At the start of a session: nothing known, first guess that the peer has all (Raft §5.3).
    init(
        id: NodeID,
        session: ReplicationSession,
        votes: VotingHalves,
        next: LogIndex,
        heardAt: UInt64,
        limits: RaftLimits
    ) {
        self.id = id
        self.session = session
        self.votes = votes
        self.next = next
        self.heardAt = heardAt
        inflight = InflightWindow(messages: limits.inflightMessages, bytes: limits.inflightBytes)
    }

    /// Whether entries may be sent now.
    var acceptsEntries: Bool {
        switch state {
        case .probe: !probeSent
        case .replicate: !inflight.isFull
        case .snapshot: false
        }
    }

    /// Whether the logs are known to agree up to `match`.
    var isReplicating: Bool { if case .replicate = state { true } else { false } }

    /// Behind which index the log should be kept, so that the snapshot sent to this peer is the last one that it needs; nil: anywhere.
    var keepsLogBehind: LogIndex? { transfer?.snapshot.last.index ?? (isCatchingUp ? match : nil) }

    /// The snapshot under way, if any.
    var transfer: SnapshotTransfer? { if case .snapshot(let transfer) = state { transfer } else { nil } }

    /// Entries up to `last` left for the peer.
    mutating func sent(upTo last: LogIndex, bytes: Int) {
        switch state {
        case .probe:
            probeSent = true
        case .replicate:
            next = last.next
            inflight.add(last: last, bytes: bytes)
        case .snapshot:
            preconditionFailure("\(id) was sent entries during a snapshot")
        }
    }

    /// The peer has all up to `index`. Repeated and late news change nothing (rule P11). Returns whether `match` grew.
    mutating func accepted(_ index: LogIndex) -> Bool {
        let grew = index > match
        if grew { match = index }
        switch state {
        case .probe:
            // Also when nothing grew: an answer to a probe right behind `match` proves as much.
            if index >= match { becomeReplicate() }
        case .replicate:
            next = max(next, match.next)
            inflight.release(upTo: match)
        case .snapshot(let transfer):
            // Installed, or made needless by entries that were under way.
            if match >= transfer.snapshot.last.index { becomeReplicate() }
        }
        return grew
    }

    /// The peer has no entry at the previous position `rejected` of our message, but may agree at `hint`.
    ///
    /// Returns whether the news was taken: a late or repeated rejection is not (rule P11; etcd `MaybeDecrTo`).
    mutating func rejected(previousIndex: LogIndex, hint: LogIndex) -> Bool {
        // What was acknowledged stays acknowledged. A peer that lost it says so in another way.
        guard previousIndex > match else { return false }
        switch state {
        case .snapshot: return false
        case .probe where previousIndex != next - 1: return false
        case .probe, .replicate: break
        }
        becomeProbe()
        next = max(min(previousIndex, hint.next), match.next)
        return true
    }

    /// The peer says that it lost all from `index` on, acknowledged or not (rule P34). Its acknowledgements still under way are void.
    mutating func lost(from index: LogIndex, session fresh: ReplicationSession) {
        session = fresh
        match = min(match, index - 1)
        becomeProbe()
    }

    /// The connection closed: what was under way is lost. Nothing but heartbeats until the peer answers.
    mutating func disconnected(now: UInt64) {
        switch state {
        case .probe, .replicate:
            becomeProbe()
            probeSent = true
        case .snapshot(var transfer):
            transfer.sentAt = now
            state = .snapshot(transfer)
        }
    }

    // Each change of state resets every counter: a leaked one would stop the peer for ever (rule P15).

    private mutating func becomeProbe() { become(.probe) }

    private mutating func becomeReplicate() { become(.replicate) }

    private mutating func become(_ newState: State) {
        state = newState
        next = match.next
        probeSent = false
        inflight.removeAll()
    }
}

// MARK: - Snapshots

extension Progress {
    /// The entries the peer lacks are gone.
    mutating func needsSnapshot(_ snapshot: SnapshotMetadata) {
        isCatchingUp = true
        become(.snapshot(SnapshotTransfer(snapshot: snapshot)))
    }

    /// The next piece to send, if one is due. It counts as sent.
    mutating func takeDueChunk(now: UInt64) -> SnapshotTransfer? {
        guard case .snapshot(var transfer) = state, transfer.sentAt == nil else { return nil }
        transfer.sentAt = now
        state = .snapshot(transfer)
        return transfer
    }

    /// The peer answered the piece at `offset`: the next one starts at `nextOffset`. Returns whether that can be sent at once. A
    /// peer that has to begin again is given some time, lest a full disk there keep both busy.
    mutating func chunkAnswered(_ last: LogPosition, offset: UInt64, nextOffset: UInt64, now: UInt64) -> Bool {
        guard case .snapshot(var transfer) = state, transfer.snapshot.last == last, transfer.offset == offset else {
            return false
        }
        transfer.offset = nextOffset
        transfer.sentAt = nextOffset > offset ? nil : now
        state = .snapshot(transfer)
        return nextOffset > offset
    }

    /// The peer is there, and the piece under way has not been answered for `patience` ticks: it is sent again.
    mutating func resendChunk(now: UInt64, patience: UInt64) -> Bool {
        guard case .snapshot(var transfer) = state, let sentAt = transfer.sentAt, now - sentAt >= patience else {
            return false
        }
        transfer.sentAt = nil
        state = .snapshot(transfer)
        return true
    }

    /// The snapshot can no longer be read: start over with whatever there is now.
    mutating func snapshotLost() { become(.probe) }
}
