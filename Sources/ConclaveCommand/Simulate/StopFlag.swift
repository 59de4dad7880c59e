import Synchronization

/// Whether somebody pressed Ctrl-C: what runs is finished, and nothing begun.
final class StopFlag: Sendable {
    private let state = Mutex(false)

    var isUp: Bool { state.withLock { $0 } }

    func raise() { state.withLock { $0 = true } }

    /// What was to stop has stopped; the next Ctrl-C is about something else.
    func lower() { state.withLock { $0 = false } }

    /// Raises it with each of these signals, until the task is cancelled.
    func raise(on signals: AsyncStream<Void>) -> Task<Void, Never> { Task { for await _ in signals { raise() } } }
}
