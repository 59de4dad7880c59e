// A timer of an actor: it fires into the mailbox and can be cancelled until its message is received.

internal import Synchronization

/// A timer that `Context.after` or `Context.every` started, to be given back to `Context.cancel`.
public struct Timer: @unchecked Sendable {
    // SAFETY: the timer is only acted on by its own actor's context.
    let timer: AnyActorTimer
}

/// What does not depend on the message type.
class AnyActorTimer: @unchecked Sendable {
    // SAFETY: the flags are atomic; `entry` is written before the first start and cleared by the owning actor.
    fileprivate let target: ActorCell
    /// Nanoseconds between two messages; nil for a single one.
    fileprivate let interval: UInt64?
    fileprivate var entry: TimerEntry?
    fileprivate let isCancelled = Atomic<Bool>(false)
    /// A message is in the mailbox and has not been received.
    fileprivate let isWaiting = Atomic<Bool>(false)

    fileprivate init(target: ActorCell, interval: Duration?) {
        self.target = target
        self.interval = interval.map { max(1, $0.nanoseconds) }
    }

    /// No message is received after this. By the owning actor.
    func cancel() {
        isCancelled.store(true, ordering: .sequentiallyConsistent)
        if let entry { target.system.timers.cancel(entry) }
        entry = nil
    }
}

final class ActorTimer<Message>: AnyActorTimer, @unchecked Sendable {
    // SAFETY: see the superclass; `makeMessage` is only called by the owning actor.
    private let makeMessage: () -> Message

    init(target: ActorCell, interval: Duration?, makeMessage: @escaping () -> Message) {
        self.makeMessage = makeMessage
        super.init(target: target, interval: interval)
    }

    func start(after delay: Duration) {
        let entry = TimerCallback { [self] entry in fire(entry) }
        self.entry = entry
        target.require().timers.append(self)
        let timers = target.system.timers
        timers.add(entry, deadline: timers.deadline(after: delay))
    }

    /// On the time source's thread.
    private func fire(_ entry: TimerEntry) {
        // Sequentially consistent: see below. What was cancelled does not go back to the heap.
        if isCancelled.load(ordering: .sequentiallyConsistent) { return }
        // Relaxed: a skipped interval is no loss, the message that is waiting stands for it.
        if !isWaiting.exchange(true, ordering: .relaxed) { target.header.deliver(TimerSignal(timer: self)) }
        guard let interval else { return }
        let timers = target.system.timers
        // It may be early: at the end of a system everything that is left is fired.
        let now = max(timers.now, entry.deadline)
        let late = now - entry.deadline
        timers.add(entry, deadline: entry.deadline + interval * (1 + late / interval))
        // Sequentially consistent: a cancel that missed the entry in the heap has set the flag before.
        if isCancelled.load(ordering: .sequentiallyConsistent) { timers.cancel(entry) }
    }

    fileprivate func receive(at destination: UnsafeMutableRawPointer) -> Bool {
        isWaiting.store(false, ordering: .relaxed)
        guard !isCancelled.load(ordering: .relaxed) else { return false }
        if interval == nil {
            entry = nil
            target.relations?.timers.removeAll { $0 === self }
        }
        destination.bindMemory(to: Message.self, capacity: 1).initialize(to: makeMessage())
        return true
    }
}

private final class TimerSignal<Message>: Signal {
    private let timer: ActorTimer<Message>

    init(timer: ActorTimer<Message>) { self.timer = timer }

    override func makeMessage(at destination: UnsafeMutableRawPointer) -> Bool { timer.receive(at: destination) }
}

extension Duration {
    /// The whole nanoseconds; 0 for a negative duration, the largest number for one that does not fit.
    package var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        if seconds < 0 || attoseconds < 0 { return 0 }
        let (whole, tooLarge) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        let (total, overflow) = whole.addingReportingOverflow(UInt64(attoseconds) / 1_000_000_000)
        return tooLarge || overflow ? .max : total
    }
}
