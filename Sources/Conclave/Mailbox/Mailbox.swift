// How much waits for an actor, and what happens to what does not fit.

/// An actor's mailbox, chosen when it is spawned.
///
/// Only messages count. Orders to stop, monitors, exits, timers and answers are never refused, and keep their place among the
/// messages. What is never refused is bounded by its causes: one node for each monitor, link, timer and open question.
public enum Mailbox: Hashable, Sendable {
    /// Takes whatever is sent. The fastest, and the default.
    case unbounded
    /// At most `capacity` messages wait, beside the one that is being handled; `capacity` is at least 1.
    case bounded(_ capacity: Int, overflow: Overflow)

    /// What becomes of a message that is sent to a full mailbox. Each overflow is counted, and on the event stream.
    public enum Overflow: Hashable, Sendable {
        /// The new message goes back to its sender: `ActorRef.offer` returns it. What `send` cannot return is a dead letter.
        case rejectNewest
        /// The message that has waited longest becomes a dead letter and makes room.
        case dropOldest
        /// The new message becomes a dead letter.
        case dropNewest
        /// The sender waits for room: `ActorRef.sendWhenRoom` suspends it, an ask waits within its timeout. `send`, which
        /// cannot wait, makes a dead letter.
        case suspendSender
        /// The new message becomes a dead letter and the receiver fails with `MailboxOverflow`, after the message it is
        /// handling. Its sender notices nothing. A restart keeps the mailbox.
        case fail
    }
}

/// Why an actor whose mailbox overflows with `.fail` failed.
public struct MailboxOverflow: Error, Hashable {
    /// Messages that were waiting.
    public let capacity: Int

    /// For tests of code that deals with it.
    public init(capacity: Int) { self.capacity = capacity }
}

extension MailboxOverflow: CustomStringConvertible {
    /// For people to read.
    public var description: String {
        "a message was sent while \(capacity) were waiting, the most that this mailbox takes"
    }
}

/// Why a message could not be sent.
public enum SendError: Error {
    /// The actor ended, for this reason, before there was room. The message became a dead letter.
    case ended(ExitReason)
}

extension SendError: CustomStringConvertible {
    /// For people to read.
    public var description: String {
        switch self {
        case .ended(let reason): "the actor ended before it had room for the message: \(reason)"
        }
    }
}
