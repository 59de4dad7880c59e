// An answer that becomes a message of the asking actor.

/// An answer that its asker may do without, whatever its type.
protocol WithdrawableAnswer {
    func withdraw()
}

/// The question of an actor.
final class PipedAnswer<Value, Message>: Answer, WithdrawableAnswer, @unchecked Sendable {
    // SAFETY: constant but for `request`, which is set before anybody but the asker can settle, and `isWithdrawn`; that one is
    // touched, and `makeMessage` called, only by the asking actor.
    private let asker: ActorCell
    private let incarnation: Int
    private let makeMessage: (Result<Value, any Error>) -> Message
    private var isWithdrawn = false
    /// The request, while it may have to wait for room in a bounded mailbox.
    private(set) var request: WaitingRequest?

    init(asker: ActorCell, asking asked: ActorCell, makeMessage: @escaping (Result<Value, any Error>) -> Message) {
        self.asker = asker
        self.makeMessage = makeMessage
        incarnation = asker.incarnation
        super.init(asking: asked)
    }

    func begin(timeout: Duration) {
        request = asked.makeWaitingRequest()
        startTimer(timeout)
    }

    override func conclude(_ outcome: AskOutcome, isAwaited: Bool) {
        clear()
        let result: Result<Value, any Error> =
            switch outcome {
            case .value(let node): .success(NodePool.take(Value.self, node))
            case .failure(let error): .failure(error)
            }
        asker.header.deliver(AnswerSignal(answer: self, result: result))
    }

    func withdraw() {
        isWithdrawn = true
        if settle() != nil { clear() }
    }

    private func clear() {
        cancelTimer()
        request?.withdraw()
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
