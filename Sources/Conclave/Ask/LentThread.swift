// A task on a worker lends its thread to the actor that it asks.

internal import Synchronization

extension ThreadState {
    /// How often a task may lend its thread before it has to let others go first: it would never be suspended otherwise.
    static var lendings: Int { 64 }
}

extension UnsafeMutablePointer where Pointee == ThreadState {
    /// The task has lent the thread once more. Together its lendings take about as long as one batch may, not one batch each.
    ///
    /// - Parameter left: how often it might have, this time among them.
    fileprivate func noteLending(_ left: Int) {
        pointee.lendingsLeft = left - 1
        let lent = ThreadState.lendings - left + 1
        // Looks come at 2, 4, 8 and so on, as in a batch.
        guard lent > 1, lent & (lent - 1) == 0 else { return }
        let now = MonotonicClock.now
        if pointee.lentSince == 0 { pointee.lentSince = now }
        if now &- pointee.lentSince > BatchLimit.nanoseconds { pointee.lendingsLeft = 0 }
    }
}

extension ActorCell {
    /// Whether the caller, a task on a worker of this actor's scheduler, may run this actor on its thread.
    ///
    /// Not when something waits in the worker's next-slot, which no other worker looks into; nor when traps are survived, since the
    /// task would be lost with the thread.
    @usableFromInline @inline(never)
    var canBorrowThread: Bool {
        let thread = ThreadState.current
        guard thread.pointee.lendingsLeft > 0, isPlain.load(ordering: .relaxed), let worker = thread.pointee.worker
        else { return false }
        return worker.pointee.schedulerID == header.pointee.schedulerID && !header.pointee.runsOnOwnThread
            && worker.pointee.nextSlot.load(ordering: .relaxed) == 0
    }

    /// Puts a message in the mailbox and, if the actor was idle, runs it on the calling thread: once, as a worker would. Only if
    /// `canBorrowThread`.
    ///
    /// What this saves is the task's suspension, which costs several times as much as the message.
    @usableFromInline @inline(never)
    func sendLendingThread(_ node: NodePointer) {
        let thread = ThreadState.current
        guard link(node) else { return }
        // Relaxed: as in `scheduleFirst`.
        if header.pointee.isTerminated.load(ordering: .relaxed) {
            drainTerminated(sender: nil)
            return
        }
        let left = thread.pointee.lendingsLeft
        thread.pointee.lendingsLeft = 0
        if RunnableCell(header).runBatch(), let worker = thread.pointee.worker {
            worker.queue(bits: UInt(bitPattern: header))
        }
        thread.enterJob()
        thread.noteLending(left)
    }
}
