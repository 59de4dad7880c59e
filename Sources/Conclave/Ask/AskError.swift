// Why a question got no answer.

/// Why an ask failed.
public enum AskError: Error, Sendable {
    /// No answer within the time given. The request may still be carried out.
    case timeout
    /// The actor had ended before it received the request.
    case noProcess
    /// The actor ended without an answer.
    case stopped(ExitReason)
    /// The actor failed over the request, or while holding it, and was started afresh.
    case restarted
    /// The actor dropped the reply token.
    case unanswered
    /// An actor asked itself, which could never be answered in time.
    case selfCall
    /// There was no room for the request in the actor's bounded mailbox.
    case mailboxFull

    /// What an ask of an actor that ended fails with.
    static func afterEnd(_ reason: ExitReason) -> AskError { reason.isNormal ? .noProcess : .stopped(reason) }
}

extension AskError: CustomStringConvertible {
    /// For people to read.
    public var description: String {
        switch self {
        case .timeout: "no answer within the time given"
        case .noProcess: "the actor has ended"
        case .stopped(let reason): "the actor ended without an answer: \(reason)"
        case .restarted: "the actor failed and was restarted before it answered"
        case .unanswered: "the actor dropped the request without an answer"
        case .selfCall: "an actor cannot ask itself"
        case .mailboxFull: "the actor's mailbox is full"
        }
    }
}
