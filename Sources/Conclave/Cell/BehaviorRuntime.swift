// The loop that empties a mailbox, specialised for each behaviour in the module that declares it.

public import ConclavePlatform
public import Synchronization

/// What the runtime calls a behaviour through. `Behavior` and `AsyncBehavior` implement all of it; there is nothing here to write by
/// hand.
///
/// These are static requirements with inlinable default implementations because that is what the compiler specialises for each
/// conforming type. A method of a generic class, reached through its vtable, runs unspecialised code and is several times slower.
public protocol BehaviorRuntime {
    /// Receives messages until the mailbox is dry, the batch limit is reached or something other than a message needs attention.
    static func runBatch(_ cell: RunnableCell) -> BatchEnd
    /// The same for an actor in a system with an instrument, which it tells of each message.
    static func runInstrumentedBatch(_ cell: RunnableCell) -> BatchEnd
    /// Makes the behaviour and calls `started`. Throws what either throws, with no behaviour left behind.
    static func startIncarnation(_ cell: RunnableCell) throws
    /// Calls `stopping`, unless `reason` is `killed`, and destroys the behaviour.
    static func endIncarnation(_ cell: RunnableCell, _ reason: ExitReason)
    /// Destroys a message that nobody received.
    static func discardMessage(_ message: UnsafeMutableRawPointer)
    /// The message's type, for dead letters and traces.
    static var messageType: Any.Type { get }
    /// The behaviour's size and alignment in bytes.
    static var behaviorLayout: (size: Int, alignment: Int) { get }
    /// Whether it only looks after children: then it may take as long to stop as they need. False unless it says otherwise.
    static var isSupervisor: Bool { get }
}

/// Why a batch ended, and so what becomes of the scheduling right.
public enum BatchEnd: Sendable {
    /// The mailbox was dry and is idle now. The cell belongs to its senders: it must not be touched.
    case idle
    /// There is more to do; others may go first.
    case yielded
    /// A failure, a stop or system mail: see `ActorCell.attend`.
    case needsAttention
}

/// How long one actor may hold a worker while others are ready.
@usableFromInline
enum BatchLimit {
    /// Messages in one batch.
    @inlinable static var messages: Int { 256 }
    /// Messages before the first look at the clock, which starts the time; at once for an actor whose last batch took too long.
    ///
    /// No look before the first message: most batches are of one message, and a look costs as much as that. So an actor that was quick
    /// until now holds its worker for four slow messages, and for sixteen behind many quick ones in the same batch; from then on, and
    /// until a look finds it quick again, for one.
    @inlinable static var firstClockCheck: Int { 2 }

    /// Looks come at 2, 4, 8, 16, 32, 48 and so on messages: soon enough for slow handlers, and seldom for fast ones.
    @inlinable
    static func messagesToNextClockCheck(after received: Int) -> Int { received < 16 ? received : 16 }

    /// Nanoseconds in one batch.
    @inlinable static var nanoseconds: UInt64 { 500_000 }
    /// Other actors that one batch may put in the run queue before they go first, asked when the clock is looked at. The queue holds twice
    /// as many; and what thousands need at once is in no cache.
    static var wakes: Int { 128 }
    /// Rounds of waiting for a sender that is between its exchange and its link, before others go first.
    @inlinable static var linkSpins: Int { 64 }
}

extension Behavior {
    /// The mailbox loop.
    @inlinable
    public static func runBatch(_ runnable: RunnableCell) -> BatchEnd { runBatch(runnable.cell, NoProbe()) }

    /// The mailbox loop of a system with an instrument.
    @inlinable
    public static func runInstrumentedBatch(_ runnable: RunnableCell) -> BatchEnd {
        runBatch(runnable.cell, InstrumentProbe())
    }

    @inlinable @inline(__always)
    static func runBatch<Probe: BatchProbe>(_ cell: CellPointer, _ probe: Probe) -> BatchEnd {
        guard cell.pointee.phase == .running, !cell.pointee.needsAttention else { return .needsAttention }
        let thread = ThreadState.current
        let behavior = cell.behavior(Self.self)
        let context = Context<Message>(cell)
        var node = cell.pointee.head.unsafelyUnwrapped
        var received = 0
        var nextClockCheck = thread.pointee.messagesToFirstCheck
        /// Messages, not signals, that an idle timer has not been told of.
        var messages = 0
        var batchStart: UInt64 = 0
        if cell.pointee.isSlow { (nextClockCheck, batchStart) = cell.timeFromFirstMessage(thread) }
        var isFlushed = !cell.pointee.owesBatchEnd
        while true {
            // Relaxed: only a hint; the lane is taken with an acquiring exchange. A sender that misses us here also enqueues a
            // hollow node, so the mailbox cannot go idle over its mail.
            if cell.pointee.systemLane.load(ordering: .relaxed) != 0 {
                cell.noteActivity(&messages)
                cell.pointee.head = node
                cell.pointee.owesBatchEnd = !isFlushed
                return .needsAttention
            }
            let next = node.pointee.next.load(ordering: .acquiring)
            if node.pointee.kind == .hollow {
                if next != 0 {
                    NodePool.free(node, thread)
                    node = NodePointer.at(next)
                    continue
                }
                if !isFlushed {
                    isFlushed = true
                    cell.noteActivity(&messages)
                    cell.pointee.head = node
                    cell.pointee.owesBatchEnd = false
                    do { try behavior.pointee.batchEnded(context) } catch { cell.noteFailure(error) }
                    if cell.pointee.needsAttention { return .needsAttention }
                }
                thread.leave()
                if cell.becomeIdle(after: node) {
                    NodePool.free(node, thread)
                    return .idle
                }
                thread.enter(cell)
                if !awaitLink(node) {
                    cell.pointee.head = node
                    return .yielded
                }
                continue
            }
            isFlushed = false
            do {
                if node.pointee.kind == .message {
                    let mark = probe.mark(of: node, MessageLayout<Message>.markOffset)
                    let message = node.payload.assumingMemoryBound(to: Message.self).move()
                    node.pointee.kind = .hollow
                    if next != 0 {
                        NodePool.free(node, thread)
                        node = NodePointer.at(next)
                    }
                    // Before any code of the user: should it trap, another thread goes on from here.
                    cell.pointee.head = node
                    messages += 1
                    probe.willReceive(cell, mark: mark)
                    try behavior.pointee.receive(message, context)
                    probe.didReceive(cell)
                } else {
                    cell.noteActivity(&messages)
                    cell.pointee.head = node
                    if try receiveOther(node, behavior, context, probe) { messages += 1 }
                }
            } catch {
                probe.didFail(cell, error)
                cell.noteFailure(error)
            }
            if cell.pointee.needsAttention {
                cell.noteActivity(&messages)
                cell.pointee.owesBatchEnd = true
                return .needsAttention
            }
            received += 1
            if received == nextClockCheck {
                nextClockCheck += BatchLimit.messagesToNextClockCheck(after: received)
                let now = MonotonicClock.now
                if batchStart == 0 { batchStart = now }
                let isSlow = now &- batchStart > BatchLimit.nanoseconds
                cell.pointee.isSlow = isSlow
                if isSlow || received >= BatchLimit.messages || thread.mustYield {
                    cell.noteActivity(&messages)
                    cell.pointee.owesBatchEnd = false
                    do { try behavior.pointee.batchEnded(context) } catch { cell.noteFailure(error) }
                    return cell.pointee.needsAttention ? .needsAttention : .yielded
                }
            }
        }
    }

    /// Waits a moment for the sender that has taken the tail but not linked its node yet. False: it was probably preempted.
    @inlinable
    static func awaitLink(_ node: NodePointer) -> Bool {
        for _ in 0..<BatchLimit.linkSpins {
            if node.pointee.next.load(ordering: .relaxed) != 0 { return true }
            conclave_cpu_relax()
        }
        return false
    }

    /// Receives what is no plain message: a signal, or the next of what waits behind a doorbell. True: it was a message.
    @inlinable
    static func receiveOther<Probe: BatchProbe>(
        _ node: NodePointer,
        _ behavior: UnsafeMutablePointer<Self>,
        _ context: borrowing Context<Message>,
        _ probe: Probe
    ) throws -> Bool {
        guard node.pointee.kind == .doorbell else {
            try receiveSignal(node, behavior, context, probe)
            return false
        }
        guard let waiting = context.cell.answer(node) else { return false }
        if waiting.pointee.kind == .message {
            let mark = probe.mark(of: waiting, MessageLayout<Message>.markOffset)
            let message = waiting.payload.assumingMemoryBound(to: Message.self).move()
            waiting.pointee.kind = .hollow
            NodePool.free(waiting, ThreadState.current)
            probe.willReceive(context.cell, mark: mark)
            try behavior.pointee.receive(message, context)
            probe.didReceive(context.cell)
            return true
        }
        defer { NodePool.free(waiting, ThreadState.current) }
        try receiveSignal(waiting, behavior, context, probe)
        return false
    }

    @inlinable
    static func receiveSignal<Probe: BatchProbe>(
        _ node: NodePointer,
        _ behavior: UnsafeMutablePointer<Self>,
        _ context: borrowing Context<Message>,
        _ probe: Probe
    ) throws {
        let signal = node.payload.assumingMemoryBound(to: Unmanaged<Signal>.self).move().takeRetainedValue()
        node.pointee.kind = .hollow
        if signal.isCode {
            probe.willReceive(context.cell, mark: InstrumentProbe.noMark)
            try signal.run(on: UnsafeMutableRawPointer(behavior), context.cell)
            probe.didReceive(context.cell)
            return
        }
        let slot = UnsafeMutablePointer<Message>.allocate(capacity: 1)
        defer { slot.deallocate() }
        if signal.makeMessage(at: UnsafeMutableRawPointer(slot)) {
            probe.willReceive(context.cell, mark: InstrumentProbe.noMark)
            try behavior.pointee.receive(slot.move(), context)
            probe.didReceive(context.cell)
        }
    }

}

extension ActorBehavior {
    /// Makes and starts a behaviour in the cell's memory.
    @inlinable
    public static func startIncarnation(_ runnable: RunnableCell) throws {
        let cell = runnable.cell
        let behavior = UnsafeMutableRawPointer(cell.behavior(Self.self)).bindMemory(to: Self.self, capacity: 1)
        behavior.initialize(to: try cell.makeBehavior())
        do {
            try behavior.pointee.started(Context<Message>(cell))
        } catch {
            behavior.deinitialize(count: 1)
            throw error
        }
    }

    /// Ends and destroys the behaviour.
    @inlinable
    public static func endIncarnation(_ runnable: RunnableCell, _ reason: ExitReason) {
        let cell = runnable.cell
        let behavior = cell.behavior(Self.self)
        if case .killed = reason {} else { behavior.pointee.stopping(reason, Context<Message>(cell)) }
        behavior.deinitialize(count: 1)
    }

    /// Destroys the message in place.
    @inlinable
    public static func discardMessage(_ message: UnsafeMutableRawPointer) {
        message.assumingMemoryBound(to: Message.self).deinitialize(count: 1)
    }

    /// An actor with work of its own.
    @inlinable public static var isSupervisor: Bool { false }

    /// The `Message` of the behaviour.
    @inlinable public static var messageType: Any.Type { Message.self }

    /// The layout of the behaviour.
    @inlinable
    public static var behaviorLayout: (size: Int, alignment: Int) {
        (MemoryLayout<Self>.size, MemoryLayout<Self>.alignment)
    }
}

/// Makes a behaviour for each incarnation of an actor.
@usableFromInline
final class BehaviorFactory<Made: ActorBehavior>: Sendable {
    @usableFromInline let make: @Sendable () throws -> Made
    @inlinable init(_ make: @escaping @Sendable () throws -> Made) { self.make = make }
}

/// What makes the behaviour of an actor's first incarnation. It stands on the stack of the thread that spawns the actor.
@usableFromInline
struct FirstStart<Made: ActorBehavior> {
    @usableFromInline let make: @Sendable () throws -> Made
    @inlinable init(make: @escaping @Sendable () throws -> Made) { self.make = make }
}

extension UnsafeMutablePointer where Pointee == CellHeader {
    /// Makes the behaviour of the incarnation that starts now.
    @inlinable
    func makeBehavior<Made: ActorBehavior>() throws -> Made {
        let thread = ThreadState.current
        guard let first = thread.pointee.firstStart else { return try factory(of: Made.self).make() }
        // Taken before it is used: it may spawn actors itself.
        thread.pointee.firstStart = nil
        return try first.assumingMemoryBound(to: FirstStart<Made>.self).pointee.make()
    }
}
