// All of a system's timers: one heap, one alarm.

/// Keeps what is due and fires it when the time source says so.
@usableFromInline
final class TimerService: Sendable {
    private struct State {
        var heap = TimerHeap()
        /// What the alarm is set to.
        var alarm: UInt64?
        /// Threads that fire what was due: they hold entries, and so actors, that are in no heap any more.
        var firing = 0
        /// Wait until nobody fires.
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    let source: any TimeSource
    private let state = Guarded(State())

    init(source: any TimeSource) { self.source = source }

    var now: UInt64 { source.now }
    /// Timers that have neither fired nor been cancelled.
    var count: Int { state.withLock { $0.heap.count } }

    /// The moment `delay` from now; a negative delay is now.
    func deadline(after delay: Duration) -> UInt64 {
        let (deadline, overflow) = now.addingReportingOverflow(delay.nanoseconds)
        return overflow ? .max : deadline
    }

    func add(_ entry: TimerEntry, deadline: UInt64) {
        let alarm: UInt64? = state.withLock { state in
            state.heap.insert(entry, deadline: deadline)
            guard state.alarm.map({ deadline < $0 }) ?? true else { return nil }
            state.alarm = deadline
            return deadline
        }
        if alarm != nil { rearm() }
    }

    /// False: it fired, or was cancelled before.
    @discardableResult
    func cancel(_ entry: TimerEntry) -> Bool { state.withLock { $0.heap.remove(entry) } }

    /// As `release`, and waits for what fires at this moment. Nothing of any timer is left afterwards.
    func shutdown() async {
        release()
        await withCheckedContinuation { waiter in
            let isQuiet = state.withLock { state in
                if state.firing > 0 { state.waiters.append(waiter) }
                return state.firing == 0
            }
            if isQuiet { waiter.resume() }
        }
    }

    /// Fires every timer that is left, early, and lets go of the clock. Called when no actor is left: these are the timeouts of
    /// asks whose token somebody outside of the actors holds, and nobody should wait for those for ever.
    func release() {
        var left: [TimerEntry] = []
        state.withLock { state in
            while let entry = state.heap.popDue(at: .max) { left.append(entry) }
            state.alarm = nil
            source.setAlarm(at: nil) {}
        }
        for entry in left { entry.fire() }
    }

    /// Sets the alarm to what the state says by now: under the lock, so that two threads cannot set it in the wrong order.
    private func rearm() {
        state.withLock { state in
            guard let alarm = state.alarm else { return }
            source.setAlarm(at: alarm) { [weak self] in self?.fireDue() }
        }
    }

    private func fireDue() {
        fire { state in
            let now = source.now
            var due: [TimerEntry] = []
            while let entry = state.heap.popDue(at: now) { due.append(entry) }
            state.alarm = state.heap.nextDeadline
            return due
        }
        rearm()
        let waiters = state.withLock { state in
            state.firing -= 1
            defer { if state.firing == 0 { state.waiters = [] } }
            return state.firing == 0 ? state.waiters : []
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Fires what `take` takes out, and lets go of it.
    private func fire(_ take: (inout State) -> [TimerEntry]) {
        let due = state.withLock { state in
            state.firing += 1
            return take(&state)
        }
        for entry in due { entry.fire() }
    }
}
