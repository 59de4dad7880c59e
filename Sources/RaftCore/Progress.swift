// What a leader knows about one peer (etcd's tracker.Progress).

/// Replication to one peer, as far as its leader can tell.
struct Progress: Sendable {
    enum State: Sendable {
        /// The leader does not know where the logs part: one message at a time, then wait for its answer or for
        /// the next heartbeat.
        case probe
        /// The logs are known to agree up to `match`: entries stream, `next` runs ahead of the answers.
        case replicate
    }

    let id: NodeID
    private(set) var state = State.probe
    /// The peer's durable log agrees with ours up to here. Never goes back within a term.
    private(set) var match = LogIndex.zero
    /// The first entry to send next. Invariant: `next > match`.
    private(set) var next: LogIndex
    /// In `probe`: one is under way, so nothing but heartbeats goes out. Invariant: false in `replicate`.
    private(set) var probeSent = false
    /// In `replicate`: what is under way. Invariant: empty in `probe`.
    private(set) var inflight: InflightWindow
    /// An AppendEntries is due even without entries: a heartbeat or a read round.
    var messageDue = true
    /// Clients of the peer wait until it knows that entries up to here are committed: it is told at once, not with the next heartbeat.
    var commitAwaited = LogIndex.zero
    /// The commit index last sent to the peer.
    var commitSent = LogIndex.zero
    /// The tick at which the peer was last heard in this term; at first, when the term began.
    var heardAt: UInt64
    /// The youngest read round this peer has confirmed in this term.
    var confirmedRound = ReadRound.zero

    /// At the start of a leader's term: nothing known, first guess that the peer has all (Raft §5.3).
    init(id: NodeID, next: LogIndex, heardAt: UInt64, limits: RaftLimits) {
        self.id = id
        self.next = next
        self.heardAt = heardAt
        inflight = InflightWindow(messages: limits.inflightMessages, bytes: limits.inflightBytes)
    }

    /// Whether entries may be sent now.
    var acceptsEntries: Bool {
        switch state {
        case .probe: !probeSent
        case .replicate: !inflight.isFull
        }
    }

    /// Entries up to `last` left for the peer.
    mutating func sent(upTo last: LogIndex, bytes: Int) {
        switch state {
        case .probe:
            probeSent = true
        case .replicate:
            next = last.next
            inflight.add(last: last, bytes: bytes)
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
        }
        return grew
    }

    /// The peer has no entry at the previous position `rejected` of our message, but may agree at `hint`.
    ///
    /// Returns whether the news was taken: a late or repeated rejection is not (rule P11; etcd `MaybeDecrTo`).
    mutating func rejected(previousIndex: LogIndex, hint: LogIndex) -> Bool {
        // What was acknowledged stays acknowledged. A peer that lost it all the same is answered at the pace of heartbeats only.
        guard previousIndex > match, state == .replicate || previousIndex == next - 1 else { return false }
        becomeProbe()
        next = max(min(previousIndex, hint.next), match.next)
        return true
    }

    /// The connection closed: what was under way is lost. Nothing but heartbeats until the peer answers.
    mutating func disconnected() {
        becomeProbe()
        probeSent = true
    }

    // Each change of state resets every counter: a leaked one would stop the peer for ever (rule P15).

    private mutating func becomeProbe() {
        state = .probe
        next = match.next
        probeSent = false
        inflight.removeAll()
    }

    private mutating func becomeReplicate() {
        state = .replicate
        next = match.next
        probeSent = false
        inflight.removeAll()
    }
}

/// The unacknowledged messages to one peer: a ring of their last indexes, bounded by count and by bytes.
struct InflightWindow: Sendable {
    private let messageLimit: Int
    private let byteLimit: Int
    /// Grows to the most ever under way, at most `messageLimit`, and is then used round and round.
    private var ring: [(last: LogIndex, bytes: Int)] = []
    private var head = 0
    private(set) var count = 0
    /// Invariant: the sum over the ring's live part.
    private(set) var bytes = 0

    init(messages: Int, bytes: Int) {
        messageLimit = messages
        byteLimit = bytes
    }

    var isFull: Bool { count >= messageLimit || bytes >= byteLimit }

    /// One more message, whose last entry is at `last`.
    mutating func add(last: LogIndex, bytes more: Int) {
        precondition(count < messageLimit, "a message was sent beyond the window")
        if count == ring.count {
            ring = Array(ring[head...]) + ring[..<head]
            head = 0
            ring.append((last, more))
        } else {
            ring[(head + count) % ring.count] = (last, more)
        }
        count += 1
        bytes += more
    }

    /// All messages up to `index` have arrived.
    mutating func release(upTo index: LogIndex) {
        while count > 0 && ring[head].last <= index {
            bytes -= ring[head].bytes
            head = (head + 1) % ring.count
            count -= 1
        }
    }

    mutating func removeAll() {
        head = 0
        count = 0
        bytes = 0
    }
}

/// What an operator sees of a peer.
package struct PeerStatus: Hashable, Sendable {
    package let id: NodeID
    /// How far the peer's durable log is known to agree.
    package let match: LogIndex
    /// What the leader sends next.
    package let next: LogIndex
    /// Whether entries stream, or the leader still looks for where the logs part.
    package let isReplicating: Bool
    /// Unacknowledged messages with entries.
    package let inflightMessages: Int
    /// Ticks since the peer was last heard.
    package let silentTicks: Int
}
