// A question that waits for room in a mailbox whose senders wait.

/// The place of a request among the senders that wait. It is left when the ask ends in any other way.
struct WaitingRequest {
    private let cell: ActorCell
    private let lane: BoundedLane
    private let waiter = RoomWaiter(nil)

    init(_ cell: ActorCell, _ lane: BoundedLane) {
        self.cell = cell
        self.lane = lane
    }

    /// Puts the request in the mailbox now, or once there is room.
    func send(_ node: NodePointer) {
        waiter.message = node
        // What becomes of it, the asker learns from the fate of its reply token.
        _ = cell.addOrWait(waiter, lane)
    }

    func withdraw() { cell.withdraw(waiter, lane) }
}

extension ActorCell {
    /// Nil if asks of this actor do not wait for room.
    func makeWaitingRequest() -> WaitingRequest? {
        guard let lane, lane.overflow == .suspendSender else { return nil }
        return WaitingRequest(self, lane)
    }
}
