// The newtypes of the Raft paper: no bare integer crosses a module boundary.

/// A server's identity within its cluster. Assigned once and never used again for another server.
public struct NodeID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The bare number, for the disk and the wire.
    public let rawValue: UInt64
    /// The value with a number read from the disk or the wire.
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    /// The value with number `value`.
    @inlinable public init(_ value: UInt64) { self.init(rawValue: value) }
    /// Ordered by number.
    @inlinable public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
    /// The number with a letter for its kind in front.
    public var description: String { "n\(rawValue)" }
}

/// A Raft term: logical time, at most one leader in each (Raft paper §5.1). Zero is before the first election.
public struct Term: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The bare number, for the disk and the wire.
    public let rawValue: UInt64
    /// The value with a number read from the disk or the wire.
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    /// The value with number `value`.
    @inlinable public init(_ value: UInt64) { self.init(rawValue: value) }
    /// Ordered by number.
    @inlinable public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
    /// The term before any election.
    public static let zero = Term(0)
    /// The term after this one.
    @inlinable public var next: Term { Term(rawValue + 1) }
    /// The number with a letter for its kind in front.
    public var description: String { "t\(rawValue)" }
}

/// A position in the replicated log. The first entry has index 1; zero is the empty log's "previous" position.
public struct LogIndex: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The bare number, for the disk and the wire.
    public let rawValue: UInt64
    /// The value with a number read from the disk or the wire.
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    /// The value with number `value`.
    @inlinable public init(_ value: UInt64) { self.init(rawValue: value) }
    /// Ordered by number.
    @inlinable public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
    /// The position before the first entry.
    public static let zero = LogIndex(0)
    /// The position `distance` entries later.
    @inlinable public static func + (a: Self, distance: Int) -> Self {
        Self(UInt64(Int64(a.rawValue) + Int64(distance)))
    }
    /// The position `distance` entries earlier, which must not lie before zero.
    @inlinable public static func - (a: Self, distance: Int) -> Self {
        Self(UInt64(Int64(a.rawValue) - Int64(distance)))
    }
    /// How many positions lie between two indexes; negative when `b` is the later one.
    @inlinable public static func - (a: Self, b: Self) -> Int { Int(Int64(a.rawValue) - Int64(b.rawValue)) }
    /// The position after this one.
    @inlinable public var next: LogIndex { self + 1 }
    /// The number with a letter for its kind in front.
    public var description: String { "i\(rawValue)" }
}
