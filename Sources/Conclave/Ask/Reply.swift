// The token in a request that its answer is given through.

internal import Synchronization

/// A single-shot way to answer. It travels inside a message; whoever holds it last may call it.
///
/// The first call wins; later ones, and one after the asker stopped waiting, are dropped before they reach a mailbox, and counted
/// in `ActorSystem.lateReplyCount`. A token that is destroyed without having
/// been called fails the asker at once.
public struct Reply<Value>: Sendable {
    private let token: ReplyToken<Value>

    init(_ answer: Answer<Value>) { token = ReplyToken(answer) }

    /// Answers. The value moves to the asker.
    public func callAsFunction(_ value: consuming sending Value) { token.answer.succeed(value) }

    /// Whether an answer would still be received: false once answered, timed out or cancelled.
    public var isAwaited: Bool { token.answer.isPending }
}

extension Reply where Value == Void {
    /// Answers that it is done.
    public func callAsFunction() { callAsFunction(()) }
}

/// Notices when the last copy of a reply is gone.
private final class ReplyToken<Value>: Sendable {
    let answer: Answer<Value>

    init(_ answer: Answer<Value>) { self.answer = answer }

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

/// An ask that has not been answered, whatever the answer's type.
protocol PendingAnswer: AnyObject, Sendable {
    func fail(_ error: AskError)
}

/// The asker's end: takes the first of answer, failure, timeout and cancellation.
class Answer<Value>: PendingAnswer, @unchecked Sendable {
    // SAFETY: `isSettled` is atomic and lets exactly one thread through to `deliver`; `request` and `timer` are set before anybody
    // but the asker can settle.
    private let isSettled = Atomic<Bool>(false)
    /// The request, while it may have to wait for room in a bounded mailbox.
    var request: WaitingRequest?
    private var timer: TimerEntry?
    private let system: ActorSystem

    init(in system: ActorSystem) { self.system = system }

    /// Gives the result to the asker. Called once.
    func deliver(_ result: sending Result<Value, any Error>) { fatalError("Answer.deliver is abstract") }

    var isPending: Bool { !isSettled.load(ordering: .relaxed) }

    func startTimer(_ timeout: Duration) {
        let entry = TimerEntry { [weak self] _ in self?.fail(.timeout) }
        timer = entry
        system.timers.add(entry, deadline: system.timers.deadline(after: timeout))
    }

    func succeed(_ value: consuming sending Value) {
        if settle() { deliver(.success(value)) } else { system.noteLateReply() }
    }

    func fail(_ error: AskError) {
        if settle() { deliver(.failure(error)) }
    }

    func cancel() {
        if settle() { deliver(.failure(CancellationError())) }
    }

    /// True for the first call: the caller decides what the asker is told.
    final func settle() -> Bool {
        // Acquiring and releasing: what the asker wrote before it sent the request is seen by whoever settles.
        guard !isSettled.exchange(true, ordering: .acquiringAndReleasing) else { return false }
        if let timer { system.timers.cancel(timer) }
        request?.withdraw()
        return true
    }
}
