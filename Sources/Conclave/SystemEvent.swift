// What the runtime tells about itself.

/// A message that nobody received.
public struct DeadLetter: Sendable {
    /// The message's type; the message itself is gone.
    public let messageType: Any.Type
    /// The path of the actor it was sent to.
    public let recipient: String
    /// The path of the actor that sent it, where that is known.
    public let sender: String?
    /// How the recipient ended.
    public let reason: ExitReason
}

/// Something an operator may want to see or count.
public enum SystemEvent: Sendable {
    case deadLetter(DeadLetter)
    /// A handler or a start threw.
    case actorFailed(path: String, error: any Error)
    /// A fresh incarnation took over; `restarts` counts those of this actor.
    case actorRestarted(path: String, restarts: Int)
    /// An actor ended for good.
    case actorStopped(path: String, reason: ExitReason)
    /// A parent ends because a child failed too often.
    case restartIntensityExceeded(path: String, child: String)
}
