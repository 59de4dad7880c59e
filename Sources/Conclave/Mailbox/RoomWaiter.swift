// A sender that waits for room in a bounded mailbox.

/// One waiting sender and the message it has in hand.
final class RoomWaiter: @unchecked Sendable {
    // SAFETY: everything is only touched under the lock of the one lane that the waiter is for; before it waits by its sender,
    // and once it is out of the list by whoever took it out.

    /// Nil once the message is in the mailbox, or has been taken back.
    var message: NodePointer?
    /// Resumed when the wait is over, by whoever ended it. Nil for an ask, which learns it from the fate of its token.
    var continuation: UnsafeContinuation<Void, any Error>?
    /// The sender gave up, perhaps before it began to wait.
    var isWithdrawn = false
    fileprivate var isWaiting = false
    fileprivate var next: RoomWaiter?
    fileprivate unowned(unsafe) var previous: RoomWaiter?

    init(_ message: NodePointer?) { self.message = message }

    /// Lets the sender go on: the wait is over, with an error unless the message is in the mailbox. Called once, under no lock.
    func resume(throwing error: (any Error)? = nil) {
        if let error { continuation?.resume(throwing: error) } else { continuation?.resume() }
    }
}

/// Waiting senders in the order of their coming. Linked both ways: one that gives up leaves at once, and nothing of it stays.
struct RoomWaiterList {
    private var first: RoomWaiter?
    private unowned(unsafe) var last: RoomWaiter?

    mutating func append(_ waiter: RoomWaiter) {
        waiter.isWaiting = true
        waiter.previous = last
        if let last { last.next = waiter } else { first = waiter }
        last = waiter
    }

    mutating func popFirst() -> RoomWaiter? {
        guard let waiter = first else { return nil }
        _ = remove(waiter)
        return waiter
    }

    /// False: it is not in the list.
    mutating func remove(_ waiter: RoomWaiter) -> Bool {
        guard waiter.isWaiting else { return false }
        waiter.isWaiting = false
        let next = waiter.next
        next?.previous = waiter.previous
        if let previous = waiter.previous { previous.next = next } else { first = next }
        if last === waiter { last = waiter.previous }
        waiter.next = nil
        waiter.previous = nil
        return true
    }
}
