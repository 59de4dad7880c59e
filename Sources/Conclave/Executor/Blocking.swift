// Code that blocks, announced: the executor lets another thread do the worker's work meanwhile.

internal import Synchronization

/// Why `Context.blocking` did not run its code.
public enum BlockingError: Error, Hashable {
    /// The process keeps `limit` threads for code that blocks already. One more, and nothing might be left to run actors.
    case tooManyThreads(limit: Int)
}

extension BlockingError: CustomStringConvertible {
    /// For people to read.
    public var description: String {
        switch self {
        case .tooManyThreads(let limit): "\(limit) threads of this process are kept by code that blocks"
        }
    }
}

extension Context {
    /// Runs code that blocks, on this thread, while another one takes over the other actors.
    ///
    /// The handler waits for `body`, and so does this actor's mailbox; no other actor is delayed. Costs about as much as an
    /// uncontended lock when no other actor has anything to do. On an actor with a thread of its own it only runs `body`.
    /// - Returns: what `body` returns.
    /// - Throws: what `body` throws; `BlockingError` if so many threads are blocked that no other could take over: `body` has not
    ///   run then.
    public func blocking<Result>(_ body: () throws -> Result) throws -> Result { try runBlocking(body) }
}

/// The same for code of this package that has no context at hand. Outside of a system's workers it only runs `body`.
package func runBlocking<Result>(_ body: () throws -> Result) throws -> Result {
    let thread = ThreadState.current
    if let cell = thread.pointee.current, cell.pointee.needsAttention { cell.pointee.object.failDroppedAsks() }
    guard let worker = thread.pointee.worker else { return try body() }
    try worker.pointee.scheduler.beginBlocking(worker)
    // Whom `body` wakes is not to wait in our own queues, which only this thread looks at first.
    thread.pointee.worker = nil
    defer {
        thread.pointee.worker = worker
        worker.pointee.scheduler.endBlocking(worker)
    }
    return try body()
}

extension DispatchScheduler {
    /// The calling thread, which has `worker`'s seat, is about to block.
    fileprivate func beginBlocking(_ worker: WorkerPointer) throws(BlockingError) {
        guard ThreadBudget.take() else { throw .tooManyThreads(limit: ThreadBudget.limit) }
        // To where others can take it.
        if let next = worker.rescueNext() { worker.push(next) }
        lock.lock()
        let seat = seats[worker.pointee.index]
        if seat.occupancy == .running {  // else it has been replaced before: the handler had been busy for long
            seat.occupancy = .blocked
            awake.subtract(1, ordering: .sequentiallyConsistent)
        }
        // It holds one already if it was replaced before, or blocks for the second time in this batch.
        let hasTwo = seat.holdsBudget
        seat.holdsBudget = true
        lock.unlock()
        if hasTwo { ThreadBudget.giveBack() }
        if isWorkQueued { notifyOfWork() }
    }

    /// The thread goes on. It is one too many if another took its place; then it leaves when the batch is over.
    fileprivate func endBlocking(_ worker: WorkerPointer) {
        lock.lock()
        let seat = seats[worker.pointee.index]
        guard seat.occupancy == .blocked else { return lock.unlock() }
        let mustWatch = beginRunning(seat)
        if awake.load(ordering: .relaxed) > workerCount {
            worker.pointee.needsCheckIn.store(true, ordering: .relaxed)
        } else {
            seat.releaseBudget()
        }
        lock.unlock()
        if mustWatch { lookLater() }
    }
}
