// The lock around a bounded mailbox, and its doorbell in the lock-free one.

internal import ConclavePlatform
internal import Synchronization

/// A bounded actor's messages and signals, in one order.
///
/// They wait here and not in the lock-free mailbox, which only carries one doorbell node while there is something: a queue that
/// is appended to with one exchange cannot refuse, drop its oldest, or count without a price for every unbounded actor. Whoever
/// rings has added before, under the lock; whoever answers takes under the lock: the order of each sender is the order here.
@usableFromInline
final class BoundedLane: @unchecked Sendable {
    // SAFETY: `queue` is only touched under `lock`; `capacity` and `overflow` are constant.
    private let lock = SpinLock()
    private var queue: BoundedQueue
    let overflow: Mailbox.Overflow
    let capacity: Int

    init(capacity: Int, overflow: Mailbox.Overflow) {
        self.capacity = capacity
        self.overflow = overflow
        queue = BoundedQueue(capacity: capacity, overflow: overflow)
    }

    /// The lane of a mailbox, if it has one.
    static func make(_ mailbox: Mailbox) -> BoundedLane? {
        switch mailbox {
        case .unbounded: nil
        case .bounded(let capacity, let overflow): BoundedLane(capacity: capacity, overflow: overflow)
        }
    }

    // MARK: Senders

    func add(_ message: NodePointer, for cell: CellPointer) -> BoundedQueue.Verdict {
        // Here and below: should the stack overflow before the doorbell has rung, nobody would ring it again.
        conclave_enter_section()
        defer { conclave_leave_section() }
        lock.lock()
        let verdict = queue.add(message)
        let rings = queue.takeRing()
        lock.unlock()
        if rings { ring(cell) }
        return verdict
    }

    /// Nil: the waiter waits, and is resumed in its turn. Withdrawn: it had given up before, the message is the caller's.
    func addOrWait(_ waiter: RoomWaiter, for cell: CellPointer) -> WaitVerdict {
        conclave_enter_section()
        defer { conclave_leave_section() }
        lock.lock()
        if waiter.isWithdrawn {
            lock.unlock()
            return .withdrawn
        }
        let verdict = queue.addOrWait(waiter)
        let rings = queue.takeRing()
        lock.unlock()
        if rings { ring(cell) }
        return verdict.map(WaitVerdict.decided) ?? .waits
    }

    enum WaitVerdict {
        case decided(BoundedQueue.Verdict)
        case waits
        case withdrawn
    }

    /// The sender gives up, from now on if it does not wait yet. Its message, if it was waiting with it.
    func withdraw(_ waiter: RoomWaiter) -> NodePointer? {
        lock.lock()
        defer { lock.unlock() }
        waiter.isWithdrawn = true
        guard queue.remove(waiter) else { return nil }
        defer { waiter.message = nil }
        return waiter.message
    }

    /// False: the actor has ended, the signal is the caller's.
    func addSignal(_ signal: NodePointer, for cell: CellPointer) -> Bool {
        conclave_enter_section()
        defer { conclave_leave_section() }
        lock.lock()
        let isAdded = queue.addSignal(signal)
        let rings = queue.takeRing()
        lock.unlock()
        if rings { ring(cell) }
        return isAdded
    }

    private func ring(_ cell: CellPointer) {
        let thread = ThreadState.current
        let doorbell = NodePool.allocate(0, thread)
        doorbell.pointee.kind = .doorbell
        cell.pointee.object.enqueue(doorbell, thread)
    }

    // MARK: The receiver

    /// The oldest of all that waits, by the holder of the scheduling right; it answers a doorbell and keeps it while `more`.
    ///
    /// - Parameter cell: if it has system mail, that goes first, and nothing is taken: it may be what an exit in here refers to, and
    ///   the mailbox loop looked for mail before the exit was added. Nil: it is not to be looked at.
    func take(unlessMailFor cell: CellPointer? = nil) -> (node: NodePointer?, more: Bool) {
        lock.lock()
        // Relaxed: under the lock we see what was posted before anything in the queue was added.
        if let cell, cell.pointee.systemLane.load(ordering: .relaxed) != 0 {
            lock.unlock()
            return (nil, true)
        }
        let (node, served) = queue.take()
        let more = queue.count > 0
        lock.unlock()
        served?.resume()
        return (node, more)
    }

    /// All messages, linked, oldest first; signals stay, and so does the doorbell.
    func takeMessages() -> NodePointer? {
        lock.lock()
        let (first, served) = queue.takeMessages()
        lock.unlock()
        for waiter in served { waiter.resume() }
        return first
    }

    /// Nothing is added from now on; those who wait for room are told why. What they had in hand is the last to be taken.
    func close(_ reason: ExitReason) {
        lock.lock()
        let left = queue.close(reason)
        lock.unlock()
        for waiter in left { waiter.resume(throwing: SendError.ended(reason)) }
    }

    /// The overflow that the receiver was told of has been dealt with: the next one is told again.
    func noteFailure() {
        lock.lock()
        queue.noteFailure()
        lock.unlock()
    }

    // MARK: For observers

    /// Messages and signals that wait, and messages so far that found the mailbox full.
    var counts: (waiting: Int, overflows: Int) {
        lock.lock()
        defer { lock.unlock() }
        return (queue.count, queue.overflowCount)
    }
}
