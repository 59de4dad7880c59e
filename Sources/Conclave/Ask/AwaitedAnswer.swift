// An answer that a task waits for.

internal import Synchronization

/// The question of a task: concluded on the spot if the task could lend its thread to the actor, else the task is suspended.
@usableFromInline
final class AwaitedAnswer: Answer, @unchecked Sendable {
    // SAFETY: `continuation` is written before `beginAwaiting`, and read by whoever settles after it; `outcome` is written by whoever
    // settles, before it concludes or resumes, and taken by the asking task after that; `request` belongs to the asking task until
    // it is suspended, and then to whoever settles.
    private var continuation: UnsafeContinuation<Void, Never>?
    private var value: NodePointer?
    private var error: (any Error)?
    /// The request, while it may have to wait for room in a bounded mailbox.
    private var request: WaitingRequest?

    /// Begins a question of the calling task.
    ///
    /// - Throws: if it is no use to send the request.
    @usableFromInline
    static func begin(asking asked: ActorCell) throws -> AwaitedAnswer {
        // Only an asynchronous handler can get here as an actor: its own mailbox waits for it.
        if ThreadState.current.pointee.current == asked.header { throw AskError.selfCall }
        if Task.isCancelled { throw CancellationError() }
        return AwaitedAnswer(asking: asked)
    }

    override func conclude(_ outcome: AskOutcome, isAwaited: Bool) {
        switch outcome {
        case .value(let node): value = node
        case .failure(let error): self.error = error
        }
        // A task that is not suspended yet may be on its way there: it puts its things in order itself.
        guard isAwaited, let continuation else { return noteConclusion() }
        clear()
        // The resumption orders this too, but where the thread sanitizer does not see it.
        noteConclusion()
        continuation.resume()
    }

    /// The question is over: neither time nor room are waited for any longer.
    private func clear() {
        cancelTimer()
        request?.withdraw()
    }

    /// Suspends the calling task until the question is over.
    ///
    /// - Parameters:
    ///   - send: sends the request, unless the question is over before. By then whoever settles knows of all there is to clear.
    @usableFromInline
    nonisolated(nonsending) func wait(_ timeout: Duration, _ send: (AwaitedAnswer) -> Void) async {
        request = asked.makeWaitingRequest()
        startTimer(timeout)
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                self.continuation = continuation
                if beginAwaiting() { return send(self) }
                while !isConcluded { SpinLock.pause() }
                clear()
                continuation.resume()
            }
        } onCancel: {
            end(throwing: CancellationError())
        }
    }

    /// Sends the request of `wait`.
    @usableFromInline
    func send(_ node: NodePointer) {
        if let request { request.send(node) } else { asked.send(node) }
    }

    /// What the asker is told. Once, when the question is over.
    ///
    /// Never inlined: what belongs to a thread must not be remembered across a suspension, after which it may be another one.
    @inlinable @inline(never)
    func take<Value>(_ type: Value.Type) throws -> Value { NodePool.take(Value.self, try takeValue()) }

    @usableFromInline
    func takeValue() throws -> NodePointer {
        precondition(isConcluded, "a question's outcome is taken before it is there")
        if let value { return value }
        guard let error else { preconditionFailure("a question is over without an outcome") }
        throw error
    }
}
