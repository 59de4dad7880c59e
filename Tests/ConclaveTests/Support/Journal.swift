import Conclave
import Dispatch
import Synchronization

/// What happened, in order, noted from any thread; a test waits for it.
final class Journal<Entry: Sendable>: Sendable {
    private struct Waiter {
        var id: Int
        var count: Int
        var continuation: CheckedContinuation<Void, Never>
    }
    private struct State {
        var entries: [Entry] = []
        var waiters: [Waiter] = []
        var nextWaiter = 0
    }
    private let state = Guarded(State())

    /// What has been noted so far.
    var entries: [Entry] { state.withLock { $0.entries } }

    /// How many have been noted so far.
    var count: Int { state.withLock { $0.entries.count } }

    func note(_ entry: Entry) {
        let ready = state.withLock { state in
            state.entries.append(entry)
            let count = state.entries.count
            let ready = state.waiters.filter { $0.count <= count }
            state.waiters.removeAll { $0.count <= count }
            return ready
        }
        for waiter in ready { waiter.continuation.resume() }
    }

    /// Waits until there are `count` entries. After `seconds` it returns fewer, for the test to complain about.
    func first(_ count: Int, within seconds: Double = 10) async -> [Entry] {
        await withCheckedContinuation { continuation in
            let id: Int? = state.withLock { state in
                if state.entries.count >= count { return nil }
                state.nextWaiter += 1
                state.waiters.append(Waiter(id: state.nextWaiter, count: count, continuation: continuation))
                return state.nextWaiter
            }
            guard let id else { return continuation.resume() }
            DispatchQueue.global().asyncAfter(deadline: .now() + seconds) { self.giveUp(id) }
        }
        return Array(entries.prefix(count))
    }

    /// Forgets what was noted; `body` gets the last copies.
    func clear(_ body: ([Entry]) -> Void) {
        let entries = state.withLock { state in
            defer { state.entries = [] }
            return state.entries
        }
        body(entries)
    }

    private func giveUp(_ id: Int) {
        let late = state.withLock { state in
            let late = state.waiters.filter { $0.id == id }
            state.waiters.removeAll { $0.id == id }
            return late
        }
        for waiter in late { waiter.continuation.resume() }
    }
}
