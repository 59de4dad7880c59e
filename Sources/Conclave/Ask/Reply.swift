// The token in a request that its answer is given through.

/// A single-shot way to answer. It travels inside a message; whoever holds it last may call it.
///
/// The first call wins; later ones, and one after the asker stopped waiting, are dropped before they reach a mailbox, and counted
/// in `ActorSystem.lateReplyCount`. A token that is destroyed without having been called fails the asker at once. In an actor's code that
/// is when the handler returns, next awaits, or begins `Context.blocking`; if the handler fails, the asker is told `restarted` or `stopped`.
public struct Reply<Value>: Sendable {
    @usableFromInline let token: ReplyToken

    @inlinable init(_ answer: Answer) { token = ReplyToken(answer) }

    /// Answers. The value moves to the asker.
    @inlinable
    public func callAsFunction(_ value: consuming sending Value) {
        guard token.answer.isPending else { return token.answer.noteLateReply() }
        let node = NodePool.store(value)
        if token.answer.succeed(node) { return }
        _ = NodePool.take(Value.self, node)
        token.answer.noteLateReply()
    }

    /// Whether an answer would still be received: false once answered, timed out or cancelled.
    public var isAwaited: Bool { token.answer.isPending }
}

extension Reply where Value == Void {
    /// Answers that it is done.
    @inlinable public func callAsFunction() { callAsFunction(()) }
}

/// Notices when the last copy of a reply is gone.
@usableFromInline
final class ReplyToken: Sendable {
    @usableFromInline let answer: Answer

    @usableFromInline init(_ answer: Answer) { self.answer = answer }

    deinit {
        guard answer.isPending else { return }
        let thread = ThreadState.current
        if let failure = thread.pointee.askFailure {
            answer.fail(failure)
        } else if let current = thread.pointee.current {
            current.pointee.object.noteDropped(answer)
        } else {
            answer.fail(.unanswered)
        }
    }
}
