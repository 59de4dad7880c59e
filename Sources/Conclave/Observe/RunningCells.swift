// Which actors the workers of the production scheduler are running.

internal import Synchronization

extension DispatchScheduler {
    package func runningCells() -> [RunnableCell] {
        lock.lock()
        defer { lock.unlock() }
        return seats.compactMap { seat in
            // Relaxed: compared with the address of an actor that somebody else keeps alive, and otherwise never used.
            let address = seat.thread?.pointee.running.load(ordering: .relaxed) ?? 0
            guard address != ThreadState.job else { return nil }
            return CellPointer(bitPattern: address).map { RunnableCell($0) }
        }
    }
}
