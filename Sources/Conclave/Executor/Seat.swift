// A worker as its scheduler sees it: the thread that has it, if any, and how to wake that thread.

internal import Dispatch

/// A worker's place at the table. A system has one for each thread that may run actors at a time, and one more for each
/// thread that is kept by a handler.
final class Seat: @unchecked Sendable {
    // SAFETY: the variables are only touched under the scheduler's `lock`; what `worker` points to is guarded as it says itself.

    enum Occupancy {
        /// No thread.
        case absent
        /// A thread that waits for work.
        case parked
        /// A thread that runs or looks for work. Only these count as `awake`.
        case running
        /// A handler said that it blocks.
        case blocked
        /// A handler blocks, or computes for long, and has not said so.
        case stuck
    }

    let worker: WorkerPointer
    let wakeUp = DispatchSemaphore(value: 0)
    /// A fresh serial queue gets a thread at once, however many threads are blocked.
    private(set) var queue: DispatchQueue
    var occupancy = Occupancy.absent
    /// The thread's state. Invariant: not nil while the loop runs, nil while `absent`.
    var thread: ThreadPointer?
    /// A thread is reserved for the one that this seat's handler keeps.
    var holdsBudget = false

    init(index: Int, scheduler: DispatchScheduler) {
        worker = .allocate(capacity: 1)
        worker.initialize(to: WorkerState(index: index, scheduler: scheduler))
        queue = DispatchQueue(label: "conclave.worker.\(index)")
    }

    /// The thread will never come back, and so the old queue never runs anything again.
    func renewQueue() { queue = DispatchQueue(label: queue.label) }

    deinit {
        worker.deinitialize(count: 1)
        worker.deallocate()
    }

    /// The handler keeps its thread no longer, or the seat has been given up.
    func releaseBudget() {
        if holdsBudget { ThreadBudget.giveBack() }
        holdsBudget = false
    }
}
