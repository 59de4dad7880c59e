// What a simulated server's disk refuses to do.

internal import RaftLog
internal import Synchronization

/// The troubles of one disk. A failure comes once; the lack of space lasts until it is over, over crashes too.
final class DiskTrouble: Sendable {
    private struct State {
        /// The next operation of these kinds fails.
        var failing: Set<DiskError.Operation> = []
        var isFull = false
    }

    private let state = Mutex(State())

    /// The next operation of this kind fails, if it comes before the next crash.
    func failNext(_ operation: DiskError.Operation) { _ = state.withLock { $0.failing.insert(operation) } }

    /// A new start: failures that did not come are off.
    func forgetFailures() { state.withLock { $0.failing = [] } }

    /// Whether there is no room for another file, nor for one to grow.
    var isFull: Bool {
        get { state.withLock { $0.isFull } }
        set { state.withLock { $0.isFull = newValue } }
    }

    /// What `MemoryDisk` is to ask.
    var rule: MemoryDisk.FaultRule {
        { [self] operation, _, _ in
            state.withLock { state in
                if !state.failing.isEmpty, state.failing.remove(operation) != nil {
                    return .system(code: 5, message: "Input/output error")
                }
                return state.isFull && (operation == .reserve || operation == .create) ? .noSpace : nil
            }
        }
    }
}
