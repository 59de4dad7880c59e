// What waits in a bounded mailbox, and the verdict over what does not fit. A pure value: no lock, no clock, no scheduling.

internal import Synchronization

/// A queue of messages, at most `capacity` of them, and of any number of signals in one order.
///
/// It owns the nodes in it. Whoever calls holds the lock that guards the queue, and destroys payloads after letting go of it.
struct BoundedQueue {
    /// The most messages that wait.
    let capacity: Int
    let overflow: Mailbox.Overflow
    /// Messages that wait. Invariant: at most `capacity` until the queue is closed.
    private(set) var messageCount = 0
    /// Messages and signals that wait.
    private(set) var count = 0
    /// Messages so far that found the mailbox full, the rejected ones among them.
    private(set) var overflowCount = 0
    /// How the actor ended; nothing is added after that.
    private(set) var end: ExitReason?
    /// Senders that wait for room. Invariant: none while `messageCount` is below `capacity`.
    private var waiters = RoomWaiterList()

    private var first: NodePointer?
    private var last: NodePointer?
    /// The last of the signals before the first message, if there are such: dropping the oldest message need not count on them.
    private var lastLeadingSignal: NodePointer?
    /// The lock-free mailbox holds a doorbell for this queue, or is about to.
    private var hasDoorbell = false
    /// The receiver has been told to fail and has not done so yet.
    private var isFailing = false

    /// What becomes of a message.
    enum Verdict {
        /// It waits in the queue now.
        case accepted
        /// So does it; this older message, now the caller's, made room.
        case displaced(NodePointer)
        /// There is no room. The message is still the caller's.
        case full
        /// As `full`, and the caller is to tell the receiver to fail.
        case overflowed
        /// The actor has ended. The message is still the caller's.
        case ended(ExitReason)
    }

    init(capacity: Int, overflow: Mailbox.Overflow) {
        precondition(capacity > 0, "a bounded mailbox needs room for at least one message")
        self.capacity = capacity
        self.overflow = overflow
    }

    // MARK: Adding

    /// Adds a message at the end, if there is room or room can be made.
    mutating func add(_ message: NodePointer) -> Verdict {
        if let end { return .ended(end) }
        if messageCount < capacity {
            append(message)
            messageCount += 1
            return .accepted
        }
        overflowCount += 1
        switch overflow {
        case .dropOldest:
            let oldest = removeOldestMessage()
            append(message)
            return .displaced(oldest)
        case .fail:
            if isFailing { return .full }
            isFailing = true
            return .overflowed
        case .rejectNewest, .dropNewest, .suspendSender: return .full
        }
    }

    /// Adds the message of `waiter`; if there is no room, and none can be made, the waiter is served in its turn.
    ///
    /// - Returns: the verdict, never `full`; nil if the sender waits. The queue owns the message unless the actor has ended.
    mutating func addOrWait(_ waiter: RoomWaiter) -> Verdict? {
        if end == nil, messageCount == capacity, overflow != .dropOldest {
            overflowCount += 1
            waiters.append(waiter)
            return nil
        }
        let verdict = add(waiter.message.unsafelyUnwrapped)
        if end == nil { waiter.message = nil }
        return verdict
    }

    /// Adds what is never refused. False: the actor has ended, the signal is still the caller's.
    mutating func addSignal(_ signal: NodePointer) -> Bool {
        if end != nil { return false }
        append(signal)
        return true
    }

    /// Whether the caller has to put a doorbell into the lock-free mailbox, for what it added.
    mutating func takeRing() -> Bool {
        if hasDoorbell || count == 0 { return false }
        hasDoorbell = true
        return true
    }

    /// A sender waits no longer. False: it has been served.
    mutating func remove(_ waiter: RoomWaiter) -> Bool { waiters.remove(waiter) }

    // MARK: Taking

    /// The oldest of all that waits, and the sender that got its room.
    ///
    /// When the last is taken the caller, who holds the doorbell, stops answering it: the next one added rings again.
    mutating func take() -> (node: NodePointer?, served: RoomWaiter?) {
        guard let node = first else {
            hasDoorbell = false
            return (nil, nil)
        }
        remove(node, after: nil)
        var served: RoomWaiter?
        if node.pointee.kind == .message {
            messageCount -= 1
            served = serveWaiter()
        }
        if first == nil { hasDoorbell = false }
        return (node, served)
    }

    /// Takes all messages, and leaves the signals: for a restart that starts with an empty mailbox.
    mutating func takeMessages() -> (first: NodePointer?, served: [RoomWaiter]) {
        var taken = BoundedQueue(capacity: capacity, overflow: overflow)
        while messageCount > 0 {
            taken.append(removeOldestMessage())
            messageCount -= 1
        }
        var served: [RoomWaiter] = []
        while let waiter = serveWaiter() { served.append(waiter) }
        return (taken.first, served)
    }

    /// Nothing is added from now on. The messages of those who wait for room join what is left, to be taken with it.
    mutating func close(_ reason: ExitReason) -> [RoomWaiter] {
        end = reason
        var left: [RoomWaiter] = []
        while let waiter = waiters.popFirst() {
            append(waiter.message.unsafelyUnwrapped)
            waiter.message = nil
            messageCount += 1
            left.append(waiter)
        }
        return left
    }

    /// The receiver has failed, or ends anyway.
    mutating func noteFailure() { isFailing = false }

    // MARK: The list

    private mutating func serveWaiter() -> RoomWaiter? {
        guard messageCount < capacity, let waiter = waiters.popFirst() else { return nil }
        append(waiter.message.unsafelyUnwrapped)
        waiter.message = nil
        messageCount += 1
        return waiter
    }

    // Relaxed everywhere: the links of nodes in here are only touched under the queue's lock.

    private func next(_ node: NodePointer) -> NodePointer? {
        NodePointer(bitPattern: node.pointee.next.load(ordering: .relaxed))
    }

    private mutating func append(_ node: NodePointer) {
        node.pointee.next.store(0, ordering: .relaxed)
        // A run of leading signals grows as long as there is no message.
        if node.pointee.kind == .signal, last == lastLeadingSignal { lastLeadingSignal = node }
        if let last { last.pointee.next.store(node.address, ordering: .relaxed) } else { first = node }
        last = node
        count += 1
    }

    private mutating func remove(_ node: NodePointer, after previous: NodePointer?) {
        let following = next(node)
        if let previous {
            previous.pointee.next.store(following?.address ?? 0, ordering: .relaxed)
        } else {
            first = following
        }
        if last == node { last = previous }
        if lastLeadingSignal == node { lastLeadingSignal = nil }
        node.pointee.next.store(0, ordering: .relaxed)
        count -= 1
    }

    /// Passes each signal once, however often it is called: what was found stays found.
    private mutating func removeOldestMessage() -> NodePointer {
        var previous = lastLeadingSignal
        var oldest = previous.map { next($0) } ?? first
        while let node = oldest, node.pointee.kind == .signal {
            previous = node
            oldest = next(node)
        }
        guard let oldest else { preconditionFailure("a bounded mailbox counts a message that is not in it") }
        remove(oldest, after: previous)
        lastLeadingSignal = previous
        return oldest
    }
}
