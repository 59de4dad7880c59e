// The asker's end of a question: takes the first of answer, failure, timeout and cancellation.

internal import ConclavePlatform
internal import Synchronization

/// A question that is, or was, open. It is its own timer, and knows nothing of its value's type: a value comes in a node, as
/// messages do, so that whoever asks and answers in specialised code never meets generic metadata.
@usableFromInline
class Answer: TimerEntry, @unchecked Sendable {
    // SAFETY: `phase` is atomic and lets exactly one thread through to `conclude`; `asked` is constant.

    private enum Phase {
        /// Nobody has settled the question, and no task is suspended over it.
        static var open: UInt8 { 0 }
        /// The same, and the asking task is suspended: whoever settles resumes it.
        static var awaited: UInt8 { 1 }
        /// Somebody has settled the question and is about to say how.
        static var settled: UInt8 { 2 }
        /// What the asker is told is there, for the asker to take.
        static var concluded: UInt8 { 3 }
    }
    private final let phase = Atomic<UInt8>(Phase.open)
    /// Who was asked. It holds its system, and with it the timers.
    final let asked: ActorCell

    init(asking asked: ActorCell) {
        self.asked = asked
        super.init()
    }

    /// Passes on how the question ended. Called once, with a node that holds the value, or an error.
    ///
    /// - Parameter isAwaited: a task is suspended over the question.
    func conclude(_ outcome: AskOutcome, isAwaited: Bool) { fatalError("Answer.conclude is abstract") }

    override func fire() { fail(.timeout) }

    @usableFromInline
    final var isPending: Bool { phase.load(ordering: .relaxed) < Phase.settled }

    /// False: the question was over; the node and its value are still the caller's.
    @usableFromInline
    final func succeed(_ value: NodePointer) -> Bool {
        settle(with: .value(value))
    }

    final func fail(_ error: AskError) { end(throwing: error) }

    final func end(throwing error: any Error) {
        _ = settle(with: .failure(error))
    }

    /// False: the question was over.
    private final func settle(with outcome: AskOutcome) -> Bool {
        // Whoever settles is the only one who tells the asker: should the stack overflow in between, nobody would.
        conclave_enter_section()
        defer { conclave_leave_section() }
        guard let isAwaited = settle() else { return false }
        conclude(outcome, isAwaited: isAwaited)
        return true
    }

    final func startTimer(_ timeout: Duration) {
        asked.owningSystem._withUnsafeGuaranteedRef { system in
            system.timers.add(self, deadline: system.timers.deadline(after: timeout))
        }
    }

    final func cancelTimer() { _ = asked.owningSystem._withUnsafeGuaranteedRef { $0.timers.cancel(self) } }

    @usableFromInline
    final func noteLateReply() { asked.owningSystem._withUnsafeGuaranteedRef { $0.noteLateReply() } }

    /// Not nil for the first call: the caller decides what the asker is told, and whether a task is suspended over it.
    final func settle() -> Bool? {
        var before = phase.load(ordering: .relaxed)
        while before < Phase.settled {
            // Acquiring and releasing: what the asker wrote before it sent the request, and before it was suspended, is seen by
            // whoever settles.
            let (done, now) = phase.compareExchange(
                expected: before,
                desired: Phase.settled,
                ordering: .acquiringAndReleasing
            )
            if done { return before == Phase.awaited }
            before = now
        }
        return nil
    }

    // MARK: For an asking task

    /// The task is suspended from now on. False: the question was settled before.
    final func beginAwaiting() -> Bool {
        // Releasing: whoever settles sees the continuation.
        phase.compareExchange(
            expected: Phase.open,
            desired: Phase.awaited,
            successOrdering: .releasing,
            failureOrdering: .relaxed
        ).exchanged
    }

    /// Releasing: the asker sees the outcome.
    final func noteConclusion() { phase.store(Phase.concluded, ordering: .releasing) }

    /// Acquiring: see `noteConclusion`.
    @usableFromInline
    final var isConcluded: Bool { phase.load(ordering: .acquiring) == Phase.concluded }
}

/// How a question ended.
enum AskOutcome {
    /// The node's payload is the value.
    case value(NodePointer)
    case failure(any Error)
}

extension NodePool {
    /// A node with a value that is no message. A value that is too strictly aligned for a node has memory of its own.
    @inlinable @inline(__always)
    static func store<Value>(_ value: consuming Value) -> NodePointer {
        let thread = ThreadState.current
        if MemoryLayout<Value>.alignment <= NodeHeader.payloadOffset {
            let sizeClass = SizeClass.of(payloadBytes: MemoryLayout<Value>.size)
            let node =
                sizeClass == SizeClass.unpooled
                ? allocateUnpooled(payloadBytes: MemoryLayout<Value>.size)
                : allocate(sizeClass, thread)
            node.payload.bindMemory(to: Value.self, capacity: 1).initialize(to: value)
            return node
        }
        let node = allocate(0, thread)
        let memory = UnsafeMutablePointer<Value>.allocate(capacity: 1)
        memory.initialize(to: value)
        node.payload.bindMemory(to: UnsafeMutablePointer<Value>.self, capacity: 1).initialize(to: memory)
        return node
    }

    /// The value of a node that `store` made. The node goes back to the pool.
    @inlinable @inline(__always)
    static func take<Value>(_ type: Value.Type, _ node: NodePointer) -> Value {
        defer {
            node.pointee.kind = .hollow
            free(node, ThreadState.current)
        }
        if MemoryLayout<Value>.alignment <= NodeHeader.payloadOffset {
            return node.payload.assumingMemoryBound(to: Value.self).move()
        }
        let memory = node.payload.assumingMemoryBound(to: UnsafeMutablePointer<Value>.self).move()
        defer { memory.deallocate() }
        return memory.move()
    }
}
