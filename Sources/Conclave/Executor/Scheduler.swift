// The seam between actors and whatever runs them: threads in production, one seeded loop in simulation.

/// Runs actors that have something to do, and the jobs of tasks that prefer to run beside them.
package protocol Scheduler: TaskExecutor {
    /// Takes over the right to run `cell`, from a thread that is none of the scheduler's own workers.
    func schedule(_ cell: RunnableCell)
    /// The same for an actor whose handlers may block: it must not hold up others.
    func scheduleOnOwnThread(_ cell: RunnableCell)
    /// Runs a piece of a task soon, from whatever thread. Called after `shutdown` as well: a task is never lost.
    func schedule(_ job: RunnableJob)
    /// The actors whose handlers its workers run at this moment: to be compared with, not to be reached into.
    func runningCells() -> [RunnableCell]
    /// Returns once no thread of the scheduler is left. Called when no actor is left.
    func shutdown() async
}

extension Scheduler {
    /// None that are known of.
    package func runningCells() -> [RunnableCell] { [] }

    /// What Swift's tasks call.
    package func enqueue(_ job: consuming ExecutorJob) { schedule(RunnableJob(UnownedJob(job), on: self)) }
}

/// A piece of a task, from one suspension to the next.
package struct RunnableJob: @unchecked Sendable {
    // SAFETY: constant; a job is run once, by whoever took it out of a queue.
    let job: UnownedJob
    private let executor: UnownedTaskExecutor

    init(_ job: UnownedJob, on executor: some TaskExecutor) {
        self.job = job
        self.executor = executor.asUnownedTaskExecutor()
    }

    /// Runs it on the calling thread, up to its next suspension.
    package func run() { job.runSynchronously(on: executor) }
}

extension RunnableCell {
    /// Runs one batch. True: the caller still holds the right to run the actor and must schedule it again.
    package func runBatch() -> Bool {
        let thread = ThreadState.current
        let before = thread.pointee.current
        thread.pointee.current = cell
        defer { thread.pointee.current = before }
        thread.enter(cell)
        let runtime = cell.pointee.runtime
        switch cell.pointee.isInstrumented ? runtime.runInstrumentedBatch(self) : runtime.runBatch(self) {
        case .idle: return false  // it left the actor before it gave the right away
        case .yielded:
            thread.leave()
            return true
        case .needsAttention: return cell.pointee.object.attend()
        }
    }
}
