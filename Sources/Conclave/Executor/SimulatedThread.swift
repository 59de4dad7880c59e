// What a simulation needs of the runtime beyond the scheduler and the time source.

/// A thread that runs actors for a simulation: no clock decides there how long an actor may run, only a count of messages.
package enum SimulatedThread {
    /// From now on, actors that run on the calling thread yield after `messagesPerBatch` messages.
    package static func enter(messagesPerBatch: Int) {
        precondition(messagesPerBatch > 0, "a batch holds at least one message")
        let thread = ThreadState.current
        thread.pointee.messagesToFirstCheck = messagesPerBatch
        thread.pointee.yieldsAtCheck = true
    }

    /// The calling thread is as any other again.
    package static func leave() {
        let thread = ThreadState.current
        thread.pointee.messagesToFirstCheck = BatchLimit.firstClockCheck
        thread.pointee.yieldsAtCheck = false
    }
}

extension RunnableCell {
    /// Where the actor is in its system's tree. The caller holds the right to run it.
    package var path: String { cell.pointee.object.path }
}

extension ActorSystem {
    /// Fires the timers that are left, early. For a simulated machine that crashed: nobody waits for what it was asked.
    package func releaseTimers() { timers.release() }
}
