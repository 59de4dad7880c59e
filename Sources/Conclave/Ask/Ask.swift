// Questions: a message that carries the way back.

internal import Synchronization

extension ActorRef {
    /// Sends a request and waits for its answer, or for the first of the reasons why there is none.
    ///
    /// - Parameters:
    ///   - timeout: how long to wait.
    ///   - isolation: where the caller runs, so that the main actor and other Swift actors may ask; to be left as it is.
    ///   - request: makes the message around the token that the actor is to answer through.
    /// - Throws: `AskError`, or `CancellationError` when the task is cancelled. After `timeout`, cancellation and `restarted` the
    ///   request may have been, or may still be, carried out.
    public func ask<Value>(
        timeout: Duration = .seconds(5),
        isolation: isolated (any Swift.Actor)? = #isolation,
        _ request: (Reply<Value>) -> sending Message
    ) async throws -> sending Value {
        // Only an asynchronous handler can get here as an actor: its own mailbox waits for it.
        if ThreadState.current.pointee.current == cell.header { throw AskError.selfCall }
        let answer = AwaitedAnswer<Value>(in: cell.system)
        // Both before anybody else can settle the answer: whoever does takes the timer and a waiting request back.
        answer.request = cell.makeWaitingRequest()
        answer.startTimer(timeout)
        let moved = try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                guard answer.await(continuation) else { return }
                sendRequest(request(Reply(answer)), answer.request)
            }
        } onCancel: {
            answer.cancel()
        }
        return moved.value
    }
}

extension Context {
    /// Sends a request to another actor; its answer, or why there is none, comes back as a message made by `message`.
    ///
    /// Never blocks: this actor goes on with its mailbox. The answer arrives in order with what else the other one sends. The
    /// incarnation that asked gets it or nobody.
    ///
    /// - Parameters:
    ///   - timeout: how long to wait.
    ///   - request: makes the message around the token that the other actor is to answer through.
    ///   - message: makes this actor's own message of the answer or of an `AskError`. Called when the message is received.
    /// - Returns: what `cancel` takes the question back with.
    @discardableResult
    public func ask<Other, Value>(
        _ target: ActorRef<Other>,
        timeout: Duration = .seconds(5),
        _ request: (Reply<Value>) -> sending Other,
        _ message: @escaping (Result<Value, any Error>) -> Message
    ) -> PendingAsk {
        let asker = cell.pointee.object
        let answer = PipedAnswer<Value, Message>(asker: asker, makeMessage: message)
        if target.cell === asker {
            answer.fail(.selfCall)
            return PendingAsk(answer: answer)
        }
        answer.request = target.cell.makeWaitingRequest()
        answer.startTimer(timeout)
        target.sendRequest(request(Reply(answer)), answer.request)
        return PendingAsk(answer: answer)
    }

    /// Stops waiting for an answer: no message is received, even if it is on its way. The request may still be carried out.
    public func cancel(_ ask: PendingAsk) { ask.answer.withdraw() }
}

/// A question of an actor, to be given back to `Context.cancel`.
public struct PendingAsk: @unchecked Sendable {
    // SAFETY: the answer is only acted on by its own asker's context.
    let answer: any WithdrawableAnswer
}

/// An answer that its asker may do without, whatever its type.
protocol WithdrawableAnswer {
    func withdraw()
}

/// A value on its way from the actor that gave it away to the one task that asked for it.
private struct Moved<Value>: @unchecked Sendable {
    // SAFETY: made from a value that was sent, and read once.
    let value: Value
}

/// An answer that a task waits for.
private final class AwaitedAnswer<Value>: Answer<Value>, @unchecked Sendable {
    private enum Waiting {
        /// The request has not been sent, nobody waits.
        case notYet
        case waiting(UnsafeContinuation<Moved<Value>, any Error>)
        /// It failed before the request was sent.
        case failed(any Error)
        case over
    }
    // SAFETY: only touched under `lock`.
    private let lock = SpinLock()
    private var waiting = Waiting.notYet

    /// False: cancelled or timed out already; the continuation has been resumed.
    func await(_ continuation: UnsafeContinuation<Moved<Value>, any Error>) -> Bool {
        lock.lock()
        if case .failed(let error) = waiting {
            lock.unlock()
            continuation.resume(throwing: error)
            return false
        }
        waiting = .waiting(continuation)
        lock.unlock()
        return true
    }

    override func deliver(_ result: sending Result<Value, any Error>) {
        lock.lock()
        guard case .waiting(let continuation) = waiting else {
            // Only a failure can come before the continuation: the request has not been sent.
            if case .failure(let error) = result { waiting = .failed(error) }
            lock.unlock()
            return
        }
        waiting = .over
        lock.unlock()
        continuation.resume(with: result.map(Moved.init))
    }
}

/// An answer that becomes a message of the asking actor.
private final class PipedAnswer<Value, Message>: Answer<Value>, WithdrawableAnswer, @unchecked Sendable {
    // SAFETY: constant but for `isWithdrawn`; that one is touched, and `makeMessage` called, only by the asking actor.
    private let asker: ActorCell
    private let incarnation: Int
    private let makeMessage: (Result<Value, any Error>) -> Message
    private var isWithdrawn = false

    init(asker: ActorCell, makeMessage: @escaping (Result<Value, any Error>) -> Message) {
        self.asker = asker
        self.makeMessage = makeMessage
        incarnation = asker.incarnation
        super.init(in: asker.system)
    }

    override func deliver(_ result: sending Result<Value, any Error>) {
        asker.header.deliver(AnswerSignal(answer: self, result: result))
    }

    func withdraw() {
        isWithdrawn = true
        _ = settle()
    }

    /// What was taken back is not received, nor an answer to an earlier incarnation.
    fileprivate func message(_ result: Result<Value, any Error>) -> Message? {
        isWithdrawn || incarnation != asker.incarnation ? nil : makeMessage(result)
    }
}

private final class AnswerSignal<Value, Message>: Signal {
    private let answer: PipedAnswer<Value, Message>
    private let result: Result<Value, any Error>

    init(answer: PipedAnswer<Value, Message>, result: Result<Value, any Error>) {
        self.answer = answer
        self.result = result
    }

    override func makeMessage(at destination: UnsafeMutableRawPointer) -> Bool {
        guard let message = answer.message(result) else { return false }
        destination.bindMemory(to: Message.self, capacity: 1).initialize(to: message)
        return true
    }
}
