// Questions: a message that carries the way back.

extension ActorRef {
    /// Sends a request and waits for its answer, or for the first of the reasons why there is none.
    ///
    /// From a task on the actor's own system (`ActorSystem.taskExecutor`) this may lend the task's thread to an actor that is
    /// idle: it handles the request before the task is suspended, and if it answers at once, the task never is. Until that handler
    /// returns, the task notices neither the timeout nor its cancellation; and the handler sees the task's task-local values.
    ///
    /// - Parameters:
    ///   - timeout: how long to wait.
    ///   - request: makes the message around the token that the actor is to answer through.
    /// - Throws: `AskError`, or `CancellationError` when the task is cancelled. After `timeout`, cancellation and `restarted` the
    ///   request may have been, or may still be, carried out.
    @inlinable
    nonisolated(nonsending) public func ask<Value>(
        timeout: Duration = .seconds(5),
        _ request: (Reply<Value>) -> sending Message
    ) async throws -> sending Value {
        let answer = try AwaitedAnswer.begin(asking: cell)
        if cell.canBorrowThread {
            cell.sendLendingThread(Self.makeNode(request(Reply(answer)), ThreadState.current))
            if !answer.isConcluded { await answer.wait(timeout) { _ in } }
        } else {
            await answer.wait(timeout) { $0.send(makeNode(request(Reply($0)))) }
        }
        return Transferred(try answer.take(Value.self)).value
    }
}

extension Context {
    /// Sends a request to another actor; its answer, or why there is none, comes back as a message made by `message`.
    ///
    /// Never blocks: this actor goes on with its mailbox. The answer arrives in order with what else the other one sends. The
    /// incarnation that asked gets it or nobody.
    ///
    /// - Parameters:
    ///   - target: who is asked.
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
        let answer = PipedAnswer<Value, Message>(asker: asker, asking: target.cell, makeMessage: message)
        if target.cell === asker {
            answer.fail(.selfCall)
            return PendingAsk(answer: answer)
        }
        answer.begin(timeout: timeout)
        let node = target.makeNode(request(Reply(answer)))
        if let waiting = answer.request { waiting.send(node) } else { target.cell.send(node) }
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
