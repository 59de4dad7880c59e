// The seam between actors and the clock, and the clock of production.

internal import Dispatch

/// Says what time it is and wakes the timer service. Simulation puts its own in.
package protocol TimeSource: AnyObject, Sendable {
    /// Nanoseconds of monotonic time.
    var now: UInt64 { get }
    /// Calls `handler` once at `deadline` or soon after; a later call replaces an earlier one. Nil cancels.
    func setAlarm(at deadline: UInt64?, _ handler: @escaping @Sendable () -> Void)
}

/// One Dispatch timer, armed for the earliest deadline only.
package final class DispatchTimeSource: TimeSource, @unchecked Sendable {
    // SAFETY: `timer` is only touched under `lock`.
    private let lock = SpinLock()
    private var timer: (any DispatchSourceTimer)?
    private let queue = DispatchQueue(label: "conclave.timers", qos: .userInteractive)

    package init() {}

    deinit { timer?.cancel() }

    package var now: UInt64 { MonotonicClock.now }

    package func setAlarm(at deadline: UInt64?, _ handler: @escaping @Sendable () -> Void) {
        lock.lock()
        defer { lock.unlock() }
        guard let deadline else {
            timer?.cancel()
            timer = nil
            return
        }
        let timer = self.timer ?? makeTimer(handler)
        self.timer = timer
        let now = now  // once: the moment may pass between two looks
        let wait = deadline > now ? deadline - now : 0
        timer.schedule(deadline: .now() + .nanoseconds(Int(clamping: wait)), leeway: .microseconds(100))
    }

    private func makeTimer(_ handler: @escaping @Sendable () -> Void) -> any DispatchSourceTimer {
        let timer = DispatchSource.makeTimerSource(queue: queue)
        timer.setEventHandler(handler: handler)
        timer.schedule(deadline: .distantFuture)
        timer.activate()
        return timer
    }
}
