// What the runtime tells about itself.

/// A message that nobody received.
public struct DeadLetter: Sendable {
    /// The message's type; the message itself is gone.
    public let messageType: Any.Type
    /// The path of the actor it was sent to.
    public let recipient: String
    /// The path of the actor that sent it, where that is known.
    public let sender: String?
    /// Why it was not received.
    public let reason: Reason

    /// Why it was not received.
    public enum Reason: Sendable {
        /// The recipient had ended, or ended before it came to the message.
        case ended(ExitReason)
        /// There was no room in the recipient's mailbox, whose overflow this is.
        case mailboxFull(Mailbox.Overflow)
        /// It waited while the recipient failed, and the next incarnation starts with an empty mailbox.
        case recipientRestarted
    }
}

/// Something an operator may want to see or count.
public enum SystemEvent: Sendable {
    case deadLetter(DeadLetter)
    /// A handler or a start threw.
    case actorFailed(path: String, error: any Error)
    /// A fresh incarnation took over; `restarts` counts those of this actor.
    case actorRestarted(path: String, restarts: Int)
    /// A failed actor waits before its next start.
    case restartDelayed(path: String, by: Duration)
    /// An actor ended for good.
    case actorStopped(path: String, reason: ExitReason)
    /// A message found a bounded mailbox full; `overflows` counts those of this actor, the rejected and the waiting among them.
    case mailboxOverflowed(path: String, Mailbox.Overflow, overflows: Int)
    /// A handler has held its worker for longer than the system's watchdog allows.
    case workerBlocked(BlockedWorker)
    /// A parent ends because a child failed too often.
    case restartIntensityExceeded(path: String, child: String)
}

extension DeadLetter.Reason: CustomStringConvertible {
    /// For people to read.
    public var description: String {
        switch self {
        case .ended(let reason): "ended(\(reason))"
        case .mailboxFull(let overflow): "mailboxFull(\(overflow))"
        case .recipientRestarted: "recipientRestarted"
        }
    }
}
