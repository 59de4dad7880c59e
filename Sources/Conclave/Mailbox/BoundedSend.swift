// Sending to a bounded mailbox: the verdict, and what follows from it.

internal import Synchronization

extension ActorRef {
    /// Sends `message` unless there is no room for it; then gives it back.
    ///
    /// Nil: the message was taken over. The message comes back from a full mailbox where `send` would make a dead letter of it:
    /// with every overflow but `dropOldest`, which makes room, and `fail`, which fails the receiver. An unbounded mailbox always
    /// has room. As with `send`, a message to an actor that has ended becomes a dead letter.
    @inlinable
    public func offer(_ message: consuming sending Message) -> sending Message? {
        let node = makeNode(message)
        if cell.offer(node) { return nil }
        let rejected = node.payload.assumingMemoryBound(to: Message.self).move()
        node.pointee.kind = .hollow
        NodePool.free(node, ThreadState.current)
        return Transferred(rejected).value
    }

    /// Sends `message`; waits, if the mailbox is full, until there is room. Senders that wait are served in the order of their coming.
    ///
    /// What one task sends in this way arrives in the order sent. Waits whatever the overflow of the mailbox, except that
    /// `dropOldest` makes room at once. An unbounded mailbox always has room.
    ///
    /// - Throws: `SendError.ended` when the actor had ended, or ends before there is room: the message is a dead letter then.
    ///   `CancellationError` when the task is cancelled before there is room: then the message is destroyed and never received.
    ///   Only bounded mailboxes tell: what is sent to an unbounded one becomes a dead letter without a word.
    @inlinable
    public func sendWhenRoom(_ message: consuming sending Message) async throws {
        try await cell.sendWhenRoom(RoomNode(makeNode(message)))
    }
}

/// A message's node on its way into an asynchronous call.
@usableFromInline
struct RoomNode: @unchecked Sendable {
    // SAFETY: handed over once, by whoever made the node from a message that was sent.
    let node: NodePointer
    @usableFromInline init(_ node: NodePointer) { self.node = node }
}

/// A value that nobody else refers to: it was sent and comes back.
@usableFromInline
struct Transferred<Value>: @unchecked Sendable {
    // SAFETY: made from a value that was sent, and read once.
    @usableFromInline let value: Value
    @inlinable init(_ value: Value) { self.value = value }
}

extension ActorCell {
    /// Puts a message in the mailbox, whatever kind that is; or makes a dead letter of it.
    @usableFromInline
    func send(_ node: NodePointer) {
        if lane != nil { return sendBounded(node) }
        let thread = ThreadState.current
        if refusesMail(thread) { return refuseAfterEnd(node) }
        enqueue(node, thread)
    }

    /// Puts a signal in the mailbox, whatever kind that is. False: the actor has ended, the signal is the caller's.
    func addSignal(_ node: NodePointer, _ thread: ThreadPointer) -> Bool {
        if let lane { return lane.addSignal(node, for: header) }
        if refusesMail(thread) { return false }
        enqueue(node, thread)
        return true
    }

    /// Makes a dead letter of a message, or of a signal if that is code, that came after the end.
    func refuseAfterEnd(_ node: NodePointer) { refuse(node, .ended(exitReason ?? .noProcess)) }

    /// `send`, for a mailbox with a bound.
    @usableFromInline @inline(never)
    func sendBounded(_ message: NodePointer) {
        switch bounded.add(message, for: header) {
        case .accepted: break
        case .displaced(let oldest): refuse(oldest, sender: nil, .mailboxFull(.dropOldest))
        case .full: refuse(message, .mailboxFull(bounded.overflow))
        case .overflowed:
            header.post(.mailboxOverflowed)
            refuse(message, .mailboxFull(.fail))
        case .ended(let reason): refuse(message, .ended(reason))
        }
    }

    /// False: there is no room, and the message is still the caller's.
    @usableFromInline
    func offer(_ message: NodePointer) -> Bool {
        guard let lane else {
            send(message)
            return true
        }
        switch lane.overflow {
        case .dropOldest, .fail: sendBounded(message)
        case .rejectNewest, .dropNewest, .suspendSender:
            switch lane.add(message, for: header) {
            case .accepted: break
            case .ended(let reason): refuse(message, .ended(reason))
            case .full, .overflowed, .displaced:
                publishOverflow()
                return false
            }
        }
        return true
    }

    @usableFromInline
    func sendWhenRoom(_ message: RoomNode) async throws {
        guard let lane else { return send(message.node) }
        let waiter = RoomWaiter(message.node)
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                waiter.continuation = continuation
                if let verdict = addOrWait(waiter, lane) { waiter.resume(throwing: verdict.error) }
            }
        } onCancel: {
            withdraw(waiter, lane) { waiter.resume(throwing: CancellationError()) }
        }
    }

    /// What a sender that was willing to wait is told at once.
    struct RoomAnswer {
        /// Nil: the message is in the mailbox.
        var error: (any Error)?
    }

    /// Nil: the sender has to wait.
    func addOrWait(_ waiter: RoomWaiter, _ lane: BoundedLane) -> RoomAnswer? {
        switch lane.addOrWait(waiter, for: header) {
        case .waits:
            publishOverflow()
            return nil
        case .withdrawn:
            takeBack(waiter)
            return RoomAnswer(error: CancellationError())
        case .decided(.ended(let reason)):
            if let message = waiter.message.take() { refuse(message, .ended(reason)) }
            return RoomAnswer(error: SendError.ended(reason))
        case .decided(.displaced(let oldest)):
            refuse(oldest, sender: nil, .mailboxFull(.dropOldest))
            return RoomAnswer()
        case .decided: return RoomAnswer()
        }
    }

    /// A sender that waited, or is about to, gives up; `then` is called if it waited.
    func withdraw(_ waiter: RoomWaiter, _ lane: BoundedLane, then: () -> Void = {}) {
        guard let message = lane.withdraw(waiter) else { return }
        destroy(message)
        then()
    }

    private func takeBack(_ waiter: RoomWaiter) {
        if let message = waiter.message.take() { destroy(message) }
    }

    private func destroy(_ message: NodePointer) {
        header.pointee.runtime.discardMessage(message.payload)
        message.pointee.kind = .hollow
        NodePool.free(message, ThreadState.current)
    }

    private var bounded: BoundedLane {
        guard let lane else { preconditionFailure("\(path) has no bounded mailbox") }
        return lane
    }

    // MARK: What does not fit

    private func refuse(_ message: NodePointer, _ reason: DeadLetter.Reason) {
        refuse(message, sender: ThreadState.current.pointee.current, reason)
    }

    /// Makes a dead letter of a message, or of a signal if that is code, that never was, or is no longer, in the mailbox.
    private func refuse(_ message: NodePointer, sender: CellPointer?, _ reason: DeadLetter.Reason) {
        let failure: AskError
        switch reason {
        case .mailboxFull:
            publishOverflow()
            failure = .mailboxFull
        case .ended(let reason): failure = .afterEnd(reason)
        case .recipientRestarted: failure = .restarted
        }
        let thread = ThreadState.current
        thread.withAskFailure(failure) { discard(message, sender, reason) }
        NodePool.free(message, thread)
    }

    private func publishOverflow() {
        system.counters.overflows.add(1, ordering: .relaxed)
        system.publish(
            .mailboxOverflowed(path: path, bounded.overflow, overflows: bounded.counts.overflows)
        )
    }

    func publishDeadLetter(sender: CellPointer?, _ reason: DeadLetter.Reason) {
        system.publishDeadLetter(
            DeadLetter(
                messageType: header.pointee.runtime.messageType,
                recipient: path,
                sender: sender?.pointee.object.path,
                reason: reason
            )
        )
    }
}

extension CellPointer {
    /// The next message or signal behind a doorbell, which turns hollow with the last; nil if system mail goes first. By the holder
    /// of the scheduling right.
    @usableFromInline @inline(never)
    func answer(_ doorbell: NodePointer) -> NodePointer? {
        guard let lane = pointee.object.lane else { preconditionFailure("a doorbell without a bounded mailbox") }
        let (node, more) = lane.take(unlessMailFor: self)
        if !more { doorbell.pointee.kind = .hollow }
        return node
    }
}
