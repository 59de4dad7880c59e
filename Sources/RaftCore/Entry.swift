// What the log holds, and what must survive a restart beside it.

/// One position of the replicated log.
public struct Entry: Hashable, Sendable {
    /// What an entry is for; the raw value is its byte on disk and on the wire.
    public enum Kind: UInt8, Sendable {
        /// Appended by each new leader, so that an entry of its own term commits at once (Raft paper §8).
        case noop = 0
        /// A command of the user's state machine, opaque here.
        case command = 1
        /// A change of membership; its payload is an encoded `Configuration`.
        case configuration = 2
    }

    /// The term of the leader that made it.
    public var term: Term
    /// Where in the log it is.
    public var index: LogIndex
    /// What it is for.
    public var kind: Kind
    /// The command's bytes, or the encoded configuration; empty in a no-op.
    public var payload: [UInt8]

    /// The entry of `kind` that a leader made at `index` in its `term`.
    public init(term: Term, index: LogIndex, kind: Kind, payload: [UInt8] = []) {
        self.term = term
        self.index = index
        self.kind = kind
        self.payload = payload
    }
}

/// The part of a server's state, besides its entries, that must be durable before it answers (Raft paper, figure 2).
public struct HardState: Hashable, Sendable {
    /// The latest term this server has seen. Never goes back.
    public var term: Term
    /// Whom this server voted for in `term`, if anyone.
    public var vote: NodeID?

    /// The hard state of a server that never ran, or the one given.
    public init(term: Term = .zero, vote: NodeID? = nil) {
        self.term = term
        self.vote = vote
    }
}
