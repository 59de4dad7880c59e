// The seam between actors and whatever runs them: threads in production, one seeded loop in simulation.

/// Runs actors that have something to do.
package protocol Scheduler: AnyObject, Sendable {
    /// Takes over the right to run `cell`, from a thread that is none of the scheduler's own workers.
    func schedule(_ cell: RunnableCell)
    /// The same for an actor whose handlers may block: it must not hold up others.
    func scheduleOnOwnThread(_ cell: RunnableCell)
    /// Returns once no thread of the scheduler is left. Called when no actor is left.
    func shutdown() async
}

extension RunnableCell {
    /// Runs one batch. True: the caller still holds the right to run the actor and must schedule it again.
    package func runBatch() -> Bool {
        let thread = ThreadState.current
        let before = thread.pointee.current
        thread.pointee.current = cell
        defer { thread.pointee.current = before }
        return switch cell.pointee.runtime.runBatch(self) {
        case .idle: false
        case .yielded: true
        case .needsAttention: cell.pointee.object.attend()
        }
    }
}
