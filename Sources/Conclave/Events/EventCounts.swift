// How often things went wrong in a system.

internal import Synchronization

/// What happened in a system so far, whether or not somebody listened to its events.
public struct EventCounts: Hashable, Sendable {
    /// Messages that nobody received.
    public var deadLetters: Int
    /// Handlers and starts that threw.
    public var failures: Int
    /// Fresh incarnations that took over.
    public var restarts: Int
    /// Messages that found a bounded mailbox full.
    public var overflows: Int
    /// Answers that came after their ask was over: answered before, timed out or cancelled.
    public var lateReplies: Int
    /// Parents that ended because a child failed too often.
    public var restartLimitsExceeded: Int
}

/// The counters behind `EventCounts`. Relaxed: each is a number of its own, which orders nothing.
final class EventCounters: Sendable {
    let deadLetters = Atomic<Int>(0)
    let failures = Atomic<Int>(0)
    let restarts = Atomic<Int>(0)
    let overflows = Atomic<Int>(0)
    let lateReplies = Atomic<Int>(0)
    let restartLimitsExceeded = Atomic<Int>(0)

    var counts: EventCounts {
        EventCounts(
            deadLetters: deadLetters.load(ordering: .relaxed),
            failures: failures.load(ordering: .relaxed),
            restarts: restarts.load(ordering: .relaxed),
            overflows: overflows.load(ordering: .relaxed),
            lateReplies: lateReplies.load(ordering: .relaxed),
            restartLimitsExceeded: restartLimitsExceeded.load(ordering: .relaxed)
        )
    }
}

extension ActorSystem {
    /// How often things went wrong so far.
    public var counts: EventCounts { counters.counts }

    /// Messages so far that nobody received.
    public var deadLetterCount: Int { counts.deadLetters }

    /// Answers so far that came after their ask was over: answered before, timed out or cancelled.
    public var lateReplyCount: Int { counts.lateReplies }

    func noteLateReply() { counters.lateReplies.add(1, ordering: .relaxed) }

    /// Calls `handler` for each event from now on, on the thread where it happens: short, and never blocking.
    public func onEvent(_ handler: @escaping @Sendable (SystemEvent) -> Void) { events.observe(handler) }

    /// Tells the subscribers. What happens to an event on its way to them is counted but makes no event: it could go on for ever.
    func publish(_ event: @autoclosure () -> SystemEvent) {
        guard events.hasSubscribers else { return }
        let thread = ThreadState.current
        guard !thread.pointee.isPublishing else { return }
        thread.pointee.isPublishing = true
        // What a subscriber sends is no part of an agent's action that runs here.
        let held = thread.pointee.heldSends
        thread.pointee.heldSends = nil
        defer {
            thread.pointee.isPublishing = false
            thread.pointee.heldSends = held
        }
        events.publish(event())
    }

    func publishDeadLetter(_ letter: @autoclosure () -> DeadLetter) {
        counters.deadLetters.add(1, ordering: .relaxed)
        publish(.deadLetter(letter()))
    }

    func publishFailure(path: @autoclosure () -> String, _ error: any Error) {
        counters.failures.add(1, ordering: .relaxed)
        publish(.actorFailed(path: path(), error: error))
    }
}
