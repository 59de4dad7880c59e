// What a simulated server's disk refuses to do.

internal import RaftLog
internal import Synchronization

/// The troubles of one disk. A failure comes once; the lack of space lasts until it is over, over crashes too.
final class DiskTrouble: Sendable {
    private struct State {
        /// The next operation of these kinds fails, after so many that do not.
        var failing: [DiskError.Operation: Int] = [:]
        var isFull = false
    }

    private let state = Mutex(State())

    /// The next operation of this kind, or the one after so many more, fails, if it comes before the next crash.
    func failNext(_ operation: DiskError.Operation, after others: Int = 0) {
        state.withLock { $0.failing[operation] = others }
    }

    /// A new start: failures that did not come are off.
    func forgetFailures() { state.withLock { $0.failing = [:] } }

    /// Whether there is no room for another file, nor for one to grow.
    var isFull: Bool {
        get { state.withLock { $0.isFull } }
        set { state.withLock { $0.isFull = newValue } }
    }

    /// What `MemoryDisk` is to ask.
    var rule: MemoryDisk.FaultRule {
        { [self] operation, _, _ in
            state.withLock { state in
                if !state.failing.isEmpty, let others = state.failing[operation] {
                    state.failing[operation] = others > 0 ? others - 1 : nil
                    if others == 0 { return .system(code: 5, message: "Input/output error") }
                }
                return state.isFull && (operation == .reserve || operation == .create) ? .noSpace : nil
            }
        }
    }
}
