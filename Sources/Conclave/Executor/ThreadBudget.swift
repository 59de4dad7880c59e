// How many threads may be kept from running actors, in the whole process.

internal import Dispatch

/// Dispatch makes 255 threads and no more; after that, nothing queued on it runs until one of them is free. So threads that
/// handlers keep (blocked, stuck, trapped, or an actor's own) are counted, across all systems. Beyond the limit handlers that would
/// block are refused, and actors with a thread of their own wait for one.
package enum ThreadBudget {
    private struct State {
        var taken = 0
        /// What waits for a thread, in the order of coming. Invariant: empty while `taken` is below `limit`.
        var waiting = Ring<@Sendable () -> Void>()

        /// False: there are none left.
        mutating func take() -> Bool {
            if taken >= limit { return false }
            taken += 1
            return true
        }
    }
    private static let state = Guarded(State())

    /// What Dispatch allows, less a worker for each processor and a reserve for timers, sockets and the host program.
    package static let limit = max(32, 255 - 31 - ActorSystem.processorCount)

    /// Reserves one thread. False: there are none left.
    package static func take() -> Bool {
        state.withLock { $0.take() }
    }

    /// Reserves one thread for `body`, and calls it once there is one: at once, or in its turn on a thread of Dispatch's.
    static func whenTaken(_ body: @escaping @Sendable () -> Void) {
        let isTaken = state.withLock { state in
            let isTaken = state.take()
            if !isTaken { state.waiting.append(body) }
            return isTaken
        }
        if isTaken { body() }
    }

    /// Counts a thread that is lost whatever the limit says.
    static func takeAnyway() { state.withLock { $0.taken += 1 } }

    package static func giveBack() {
        let next: (@Sendable () -> Void)? = state.withLock { state in
            // Lost threads may have brought it above the limit.
            if state.taken <= limit, let next = state.waiting.popFirst() { return next }
            state.taken -= 1
            return nil
        }
        // Not here: whoever gives a thread back may hold a lock.
        if let next { turns.async(execute: next) }
    }

    private static let turns = DispatchQueue(label: "conclave.threads")

    /// Threads reserved at present, for tests.
    package static var inUse: Int { state.withLock { $0.taken } }
}
