// What becomes of messages that no handler will see.

internal import Synchronization

extension ActorCell {
    /// The next incarnation is to find no message. Signals stay: each knows for itself whether it is still awaited.
    func discardMessages() {
        let thread = ThreadState.current
        thread.withAskFailure(.restarted) {
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
    }

    private func isMessage(_ node: NodePointer) -> Bool {
        switch node.pointee.kind {
        case .message: true
        case .hollow, .doorbell: false
        case .signal: node.payload.assumingMemoryBound(to: Unmanaged<Signal>.self).pointee.takeUnretainedValue().isCode
        }
    }

    /// Whether the actor has ended, and with it all that there is to do about the mail: on the sender's thread then.
    func dealsAfterEnd(with mail: SystemMail) -> Bool {
        // Acquiring: see `terminate`.
        guard hasEnded.load(ordering: .acquiring) else { return false }
        switch mail {
        case .stop, .kill, .unwatch, .unlink, .mailboxOverflowed, .endBatch: break
        case .watch(let watch): watch.deliverDown(.noProcess)
        case .link(let link): accept(link)
        case .end, .endTimeOver, .childEnded, .childStopped, .childStarted, .childGone, .restart, .backoffOver,
            .inspect, .job:
            return false
        }
        return true
    }

    /// A message, or a signal, is not to go into the mailbox: the actor has ended, and somebody is at work on what is left there.
    func refusesMail(_ thread: ThreadPointer) -> Bool {
        // Acquiring: see `terminate`. Relaxed: if it becomes idle in this moment, it does not matter who makes the dead letter.
        // What a subscriber to dead letters sends waits there: no news would come of it now.
        hasEnded.load(ordering: .acquiring) && tail.load(ordering: .relaxed) != CellHeader.idle
            && !thread.pointee.isPublishing
    }

    /// How a drain ended.
    enum DrainEnd {
        /// The mailbox is empty and idle.
        case drained
        /// A handler that was left behind wants to go on: the caller keeps the right.
        case handlerGoesOn
        /// There is more, and others may go first: the caller keeps the right.
        case interrupted
    }

    /// Turns what is in the mailbox into dead letters and leaves it idle. By the holder of the scheduling right.
    ///
    /// - Parameters:
    ///   - sender: the actor that sent the first message, if it is known.
    ///   - limit: how many dead letters to make at a time.
    @discardableResult
    func drainTerminated(sender: CellPointer?, atMost limit: Int = .max) -> DrainEnd {
        let thread = ThreadState.current
        return thread.withAskFailure(exitReason.map { .afterEnd($0) } ?? .noProcess) { drain(sender, limit, thread) }
    }

    private func drain(_ sender: CellPointer?, _ limit: Int, _ thread: ThreadPointer) -> DrainEnd {
        var left = limit
        while let waiting = lane?.take().node {
            discard(waiting, nil, .ended(exitReason ?? .noProcess))
            NodePool.free(waiting, thread)
            left -= 1
            if left == 0 { return .interrupted }
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
                left -= 1
                if left <= 0 { return .interrupted }
                continue
            }
            // Relaxed: mail that is missed here comes with a node of its own.
            if header.pointee.isAwaiting, header.pointee.systemLane.load(ordering: .relaxed) != 0 {
                return .handlerGoesOn
            }
            if header.becomeIdle(after: node) {
                NodePool.free(node, thread)
                return .drained
            }
            SpinLock.pause()
        }
    }

    func discard(_ node: NodePointer, _ sender: CellPointer?, _ reason: DeadLetter.Reason) {
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
