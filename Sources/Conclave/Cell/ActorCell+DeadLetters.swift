// What becomes of messages that no handler will see.

internal import Synchronization

extension ActorCell {
    /// The next incarnation is to find no message. Signals stay: each knows for itself whether it is still awaited.
    func discardMessages() {
        let thread = ThreadState.current
        let before = thread.pointee.askFailure
        thread.pointee.askFailure = .restarted
        defer { thread.pointee.askFailure = before }
        var waiting = lane?.takeMessages()
        while let node = waiting {
            waiting = NodePointer(bitPattern: node.pointee.next.load(ordering: .relaxed))
            discard(node, nil, .recipientRestarted)
            NodePool.free(node, thread)
        }
        var node = header.pointee.head.unsafelyUnwrapped
        while true {
            if isMessage(node) { discard(node, nil, .recipientRestarted) }
            // Acquiring: the node was written before it was linked.
            let next = node.pointee.next.load(ordering: .acquiring)
            guard next != 0 else { break }
            node = NodePointer.at(next)
        }
    }

    private func isMessage(_ node: NodePointer) -> Bool {
        switch node.pointee.kind {
        case .message: true
        case .hollow, .doorbell: false
        case .signal: node.payload.assumingMemoryBound(to: Unmanaged<Signal>.self).pointee.takeUnretainedValue().isCode
        }
    }

    /// Turns everything in the mailbox into dead letters and leaves it idle. By the holder of the scheduling right.
    ///
    /// - Parameter sender: the actor that sent the first message, if it is known.
    /// - Returns: false if a handler that was left behind wants to go on: the caller keeps the right.
    @discardableResult
    func drainTerminated(sender: CellPointer?) -> Bool {
        let thread = ThreadState.current
        let before = thread.pointee.askFailure
        thread.pointee.askFailure = exitReason.map { .afterEnd($0) } ?? .noProcess
        defer { thread.pointee.askFailure = before }
        while let waiting = lane?.take().node {
            discard(waiting, nil, .ended(exitReason ?? .noProcess))
            NodePool.free(waiting, thread)
        }
        var sender = sender
        var node = header.pointee.head.unsafelyUnwrapped
        while true {
            if !header.pointee.isAwaiting {
                for mail in header.takeSystemMail() { handle(mail) }
            }
            discard(node, sender, .ended(exitReason ?? .noProcess))
            sender = nil  // what follows may come from anybody
            let next = node.pointee.next.load(ordering: .acquiring)
            if next != 0 {
                NodePool.free(node, thread)
                node = NodePointer.at(next)
                header.pointee.head = node
                continue
            }
            // Relaxed: mail that is missed here comes with a node of its own.
            if header.pointee.isAwaiting, header.pointee.systemLane.load(ordering: .relaxed) != 0 { return false }
            let isIdle = header.pointee.tail.compareExchange(
                expected: node.address,
                desired: CellHeader.idle,
                successOrdering: .releasing,
                failureOrdering: .relaxed
            ).exchanged
            if isIdle {
                NodePool.free(node, thread)
                return true
            }
            SpinLock.pause()
        }
    }

    private func discard(_ node: NodePointer, _ sender: CellPointer?, _ reason: DeadLetter.Reason) {
        switch node.pointee.kind {
        case .hollow, .doorbell: return  // what the doorbell stood for has been taken
        case .signal:
            let signal = node.payload.assumingMemoryBound(to: Unmanaged<Signal>.self).move().takeRetainedValue()
            if signal.isCode { publishDeadLetter(sender: sender, reason) }
        case .message:
            node.pointee.kind = .hollow  // first: should its destruction trap, it is not tried again
            header.pointee.runtime.discardMessage(node.payload)
            publishDeadLetter(sender: sender, reason)
        }
        node.pointee.kind = .hollow
    }
}
