// How many threads may be kept from running actors, in the whole process.

internal import Synchronization

/// Dispatch makes 255 threads and no more; after that, nothing queued on it runs until one of them is free. So threads that
/// handlers keep (blocked, stuck, trapped, or an actor's own) are counted, across all systems, and refused before that point.
package enum ThreadBudget {
    /// What Dispatch allows, less a worker for each processor and a reserve for timers, sockets and the host program.
    package static let limit = max(32, 255 - 31 - ActorSystem.processorCount)

    private static let taken = Atomic<Int>(0)

    /// Reserves one thread. False: there are none left.
    package static func take() -> Bool {
        // Relaxed: only the number counts.
        if taken.add(1, ordering: .relaxed).newValue <= limit { return true }
        taken.subtract(1, ordering: .relaxed)
        return false
    }

    /// Counts a thread that is lost whatever the limit says.
    static func takeAnyway() { taken.add(1, ordering: .relaxed) }

    package static func giveBack() { taken.subtract(1, ordering: .relaxed) }

    /// Threads reserved at present, for tests.
    package static var inUse: Int { taken.load(ordering: .relaxed) }
}
