// How asynchronous handlers run: as the pieces of a task, each of which is system mail of its actor.

public import Synchronization

/// What the handler's task is to do next.
@usableFromInline
enum AsyncStep<Message> {
    case receive(Message)
    case endBatch
    /// Nothing: the mailbox is dry, others go first, or there is something that is not for a handler.
    case finish
}

extension AsyncBehavior {
    /// Starts a task for the messages that wait, unless one is under way.
    @inlinable
    public static func runBatch(_ runnable: RunnableCell) -> BatchEnd { runBatch(runnable, NoProbe()) }

    /// The same in a system with an instrument.
    @inlinable
    public static func runInstrumentedBatch(_ runnable: RunnableCell) -> BatchEnd {
        runBatch(runnable, InstrumentProbe())
    }

    @inlinable
    static func runBatch<Probe: BatchProbe>(_ runnable: RunnableCell, _ probe: Probe) -> BatchEnd {
        let cell = runnable.cell
        guard cell.pointee.phase == .running, !cell.pointee.needsAttention, !cell.pointee.isAwaiting else {
            return .needsAttention
        }
        let thread = ThreadState.current
        var node = cell.pointee.head.unsafelyUnwrapped
        while true {
            // Relaxed: as in `Behavior.runBatch`.
            if cell.pointee.systemLane.load(ordering: .relaxed) != 0 {
                cell.pointee.head = node
                return .needsAttention
            }
            if node.pointee.kind != .hollow || cell.pointee.owesBatchEnd {
                cell.pointee.head = node
                cell.beginHandler { await serve(runnable, probe) }
                return .needsAttention
            }
            let next = node.pointee.next.load(ordering: .acquiring)
            if next != 0 {
                NodePool.free(node, thread)
                node = NodePointer.at(next)
                continue
            }
            thread.leave()
            if cell.becomeIdle(after: node) {
                NodePool.free(node, thread)
                return .idle
            }
            thread.enter(cell)
            if node.pointee.next.load(ordering: .relaxed) == 0 {
                cell.pointee.head = node
                return .yielded
            }
        }
    }

    /// The task's body. Each piece of it, from one suspension to the next, runs with the scheduling right.
    @inlinable
    static func serve<Probe: BatchProbe>(_ runnable: RunnableCell, _ probe: Probe) async {
        let cell = runnable.cell
        let behavior = cell.behavior(Self.self)
        var received = 0
        // When the first message was taken is known, so the first look comes after it.
        var nextClockCheck = 1
        loop: while true {
            do {
                switch nextStep(cell, received, &nextClockCheck, probe) {
                case .receive(let message):
                    received += 1
                    try await behavior.pointee.receive(message, Context<Message>(cell))
                    probe.didReceive(cell)
                case .endBatch: try await behavior.pointee.batchEnded(Context<Message>(cell))
                case .finish: break loop
                }
            } catch {
                probe.didFail(cell, error)
                cell.noteFailure(error)
            }
        }
        cell.endHandler()
    }

    /// Never inlined: what belongs to a thread must not be remembered across a suspension, after which it may be another one.
    @inlinable @inline(never)
    static func nextStep<Probe: BatchProbe>(
        _ cell: CellPointer,
        _ received: Int,
        _ nextClockCheck: inout Int,
        _ probe: Probe
    ) -> AsyncStep<Message> {
        let thread = ThreadState.current
        while true {
            // A handler that was left behind by a kill finds another phase.
            if cell.pointee.needsAttention || cell.pointee.phase != .running { return .finish }
            // Relaxed: a hint, as in `Behavior.runBatch`.
            if cell.pointee.systemLane.load(ordering: .relaxed) != 0 { return .finish }
            let node = cell.pointee.head.unsafelyUnwrapped
            let next = node.pointee.next.load(ordering: .acquiring)
            if node.pointee.kind == .hollow, next != 0 {
                NodePool.free(node, thread)
                cell.pointee.head = NodePointer.at(next)
            } else if node.pointee.kind == .hollow || isBatchOver(received, &nextClockCheck, thread) {
                if !cell.pointee.owesBatchEnd { return .finish }
                cell.pointee.owesBatchEnd = false
                return .endBatch
            } else {
                cell.pointee.owesBatchEnd = true
                if let message = takeMessage(node, cell, thread, probe) { return .receive(message) }
            }
        }
    }

    /// Whether others are to go first, after so many messages; true until the task is suspended or over. The time counts from the task's
    /// last suspension: what it awaits holds no worker.
    @inlinable
    static func isBatchOver(_ received: Int, _ nextClockCheck: inout Int, _ thread: ThreadPointer) -> Bool {
        if received >= BatchLimit.messages { return true }
        // A simulation's batches do not depend on the time that they take.
        if thread.pointee.yieldsAtCheck { return false }
        if thread.pointee.pieceStart == 0 {
            thread.pointee.pieceStart = MonotonicClock.now
            return false
        }
        // More than that if the look was due as the handler went on, when its time began.
        guard received >= nextClockCheck else { return false }
        if MonotonicClock.now &- thread.pointee.pieceStart > BatchLimit.nanoseconds || thread.mustYield { return true }
        nextClockCheck = received + BatchLimit.messagesToNextClockCheck(after: received)
        return false
    }

    /// The message of a node that is not hollow, which it is afterwards. Nil: there was none to be received.
    @inlinable
    static func takeMessage<Probe: BatchProbe>(
        _ node: NodePointer,
        _ cell: CellPointer,
        _ thread: ThreadPointer,
        _ probe: Probe
    ) -> Message? {
        switch node.pointee.kind {
        case .hollow: return nil
        case .message:
            var messages = 1
            cell.noteActivity(&messages)
            let mark = probe.mark(of: node, MessageLayout<Message>.markOffset)
            let message = node.payload.assumingMemoryBound(to: Message.self).move()
            node.pointee.kind = .hollow
            probe.willReceive(cell, mark: mark)
            return message
        case .doorbell:
            guard let waiting = cell.answer(node) else { return nil }
            defer { NodePool.free(waiting, thread) }
            return takeMessage(waiting, cell, thread, probe)
        case .signal:
            let signal = node.payload.assumingMemoryBound(to: Unmanaged<Signal>.self).move().takeRetainedValue()
            node.pointee.kind = .hollow
            let slot = UnsafeMutablePointer<Message>.allocate(capacity: 1)
            defer { slot.deallocate() }
            guard signal.makeMessage(at: UnsafeMutableRawPointer(slot)) else { return nil }
            probe.willReceive(cell, mark: InstrumentProbe.noMark)
            return slot.move()
        }
    }
}

extension UnsafeMutablePointer where Pointee == CellHeader {
    /// Starts the task of a handler. By the holder of the scheduling right, which `attend` then gives to the task's first piece.
    @usableFromInline
    func beginHandler(_ body: sending @escaping () async -> Void) { pointee.object.beginHandler(body) }

    /// The handler's task is over but for its return. Called by its last piece.
    @usableFromInline
    func endHandler() { pointee.object.endHandler() }
}

extension ActorCell: TaskExecutor {
    /// The next piece of the handler's task is ready: it runs when it is this actor's turn.
    @usableFromInline
    func enqueue(_ job: consuming ExecutorJob) { header.post(.job(UnownedJob(job))) }

    fileprivate func beginHandler(_ body: sending @escaping () async -> Void) {
        header.pointee.isAwaiting = true
        // The task holds the actor: a kill does not wait for it, and it may outlive the parent's reference. Detached: it has nothing
        // to do with a task that has lent us its thread.
        require().handler = Task.detached(executorPreference: self) {
            await body()
            withExtendedLifetime(self) {}
        }
    }

    fileprivate func endHandler() {
        header.pointee.isAwaiting = false
        relations?.handler = nil
    }
}
