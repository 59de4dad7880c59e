// Numbers in messages, kept apart by type: mixing them up is how etcd answered stale reads (rule P22).

/// The caller's name for a read. It stays inside one server: it is handed back and never compared with anything a peer sent.
package struct ReadID: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
    /// The caller's number `value` as a name.
    package init(_ value: UInt64) { self.init(rawValue: value) }
    package var description: String { "r\(rawValue)" }
}

/// A leader's round of confirmation: a fresh number each time, growing, meaningful together with the leader's term only.
package struct ReadRound: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
    /// The round with number `value`.
    package init(_ value: UInt64) { self.init(rawValue: value) }
    package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
    /// Before a leader's first round.
    package static let zero = ReadRound(0)
    /// The round after this one.
    package var next: ReadRound { ReadRound(rawValue + 1) }
    package var description: String { "round \(rawValue)" }
}

/// A follower's number for one question to the leader. Counts up from a random start, so that an answer to a question
/// asked before a restart does not fit one asked after it.
package struct ReadTicket: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
    /// The ticket with number `value`.
    package init(_ value: UInt64) { self.init(rawValue: value) }
    /// The ticket after this one.
    package var next: ReadTicket { ReadTicket(rawValue &+ 1) }
    package var description: String { "ticket \(rawValue)" }
}

/// A leader's replication to one peer, from when it became leader, the peer a member, or the peer lost entries. A leader counts
/// its sessions in each term, so that answers in an earlier one are known for what they are (rule P12).
package struct ReplicationSession: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
    /// The session with number `value`.
    package init(_ value: UInt64) { self.init(rawValue: value) }
    /// Before a leader's first one.
    package static let zero = ReplicationSession(0)
    /// The session after this one.
    package var next: ReplicationSession { ReplicationSession(rawValue + 1) }
    package var description: String { "session \(rawValue)" }
}
