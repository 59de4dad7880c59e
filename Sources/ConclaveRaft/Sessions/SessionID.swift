// The names that make a command recognisable when a client tries it again.

/// A client's session: the index of the log entry that registered it, so that no two are ever the same.
public struct SessionID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The bare number, for the log and the wire.
    public let rawValue: UInt64
    /// The session with a number that came from `register`.
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    /// Ordered by number: by age.
    public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
    /// The number with a letter for its kind in front.
    public var description: String { "s\(rawValue)" }
}

/// One command of a session. A retry carries the same label as the first try.
public struct SessionCommand: Hashable, Sendable {
    /// Whose command it is.
    public var session: SessionID
    /// Counts the session's commands, from 1.
    public var sequence: UInt64
    /// The session's oldest command whose answer its client has not received. Answers before it are forgotten.
    public var firstUnanswered: UInt64

    /// A command with its number; `firstUnanswered` is at most `sequence`.
    public init(session: SessionID, sequence: UInt64, firstUnanswered: UInt64) {
        self.session = session
        self.sequence = sequence
        self.firstUnanswered = firstUnanswered
    }
}

/// Why a session's command was not carried out by this entry of the log.
public enum SessionRefusal: UInt8, Error, Hashable, Sendable {
    /// The session never was, or has expired. What became of its commands that have no answer yet is unknown.
    case unknownSession = 1
    /// The command was carried out before; its answer is no longer kept: it was acknowledged, or too large to keep.
    case answerForgotten = 2
    /// The command is further from the first unanswered one than the window reaches. It was not carried out.
    case windowExceeded = 3
}
