import Synchronization
import Testing

@testable import Conclave

@Suite struct BoundedQueueTests {
    @Test("a bounded queue does what a plain array would, over random sends, signals, waits, withdrawals and takes")
    func reference() {
        var random = TestRandom.seeded("CONCLAVE_QUEUE_SEED")
        let overflows: [Mailbox.Overflow] = [.rejectNewest, .dropOldest, .dropNewest, .suspendSender, .fail]
        for round in 0..<200 {
            let capacity = Int.random(in: 1...8, using: &random)
            var pair = QueuePair(capacity: capacity, overflow: overflows[round % overflows.count])
            for _ in 0..<300 { pair.step(&random) }
            pair.finish()
        }
    }

    @Test("dropping the oldest of many messages behind many signals passes each signal once")
    func dropBehindSignals() {
        var queue = BoundedQueue(capacity: 1, overflow: .dropOldest)
        for _ in 0..<50_000 { _ = queue.addSignal(numbered(.signal, 0)) }
        _ = queue.add(numbered(.message, 0))
        // Quadratic work would take minutes here.
        for number in 1...50_000 {
            guard case .displaced(let oldest) = queue.add(numbered(.message, number)) else {
                Issue.record("message \(number) displaced nothing")
                break
            }
            #expect(content(of: oldest) == number - 1)
            NodePool.free(oldest, ThreadState.current)
        }
        while let node = queue.take().node { NodePool.free(node, ThreadState.current) }
    }
}

/// A queue and the plain arrays that say what it should do.
private struct QueuePair {
    var queue: BoundedQueue
    let capacity: Int
    let overflow: Mailbox.Overflow
    /// What waits: positive numbers are messages, negative ones signals.
    var expected: [Int] = []
    var waiting: [(waiter: RoomWaiter, number: Int)] = []
    var isFailing = false
    var hasDoorbell = false
    var next = 1

    init(capacity: Int, overflow: Mailbox.Overflow) {
        queue = BoundedQueue(capacity: capacity, overflow: overflow)
        self.capacity = capacity
        self.overflow = overflow
    }

    private var messages: Int { expected.count { $0 > 0 } }

    mutating func step(_ random: inout TestRandom) {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<30: send()
        case 30..<45: signal()
        case 45..<60: wait()
        case 60..<64: withdraw(&random)
        case 64..<66: takeMessages()
        case 66..<67:
            queue.noteFailure()
            isFailing = false
        default: take()
        }
        #expect(queue.messageCount == messages)
        #expect(queue.count == expected.count)
        #expect(messages <= capacity)
        #expect(waiting.isEmpty || messages == capacity)
    }

    private mutating func send() {
        let number = nextNumber()
        let node = numbered(.message, number)
        switch queue.add(node) {
        case .accepted:
            #expect(messages < capacity)
            expected.append(number)
        case .displaced(let oldest):
            #expect(messages == capacity && overflow == .dropOldest)
            let position = expected.firstIndex { $0 > 0 }
            #expect(content(of: oldest) == position.map { expected[$0] })
            if let position { expected.remove(at: position) }
            expected.append(number)
            NodePool.free(oldest, ThreadState.current)
        case .full:
            #expect(messages == capacity && overflow != .dropOldest && (overflow != .fail || isFailing))
            NodePool.free(node, ThreadState.current)
        case .overflowed:
            #expect(messages == capacity && overflow == .fail && !isFailing)
            isFailing = true
            NodePool.free(node, ThreadState.current)
        case .ended: Issue.record("the queue is not closed")
        }
        ring()
    }

    private mutating func signal() {
        let number = nextNumber()
        let isAdded = queue.addSignal(numbered(.signal, -number))
        #expect(isAdded)
        expected.append(-number)
        ring()
    }

    private mutating func wait() {
        let number = nextNumber()
        let waiter = RoomWaiter(numbered(.message, number))
        switch queue.addOrWait(waiter) {
        case nil: waiting.append((waiter, number))
        case .accepted: expected.append(number)
        case .displaced(let oldest):
            if let position = expected.firstIndex(where: { $0 > 0 }) { expected.remove(at: position) }
            expected.append(number)
            NodePool.free(oldest, ThreadState.current)
        default: Issue.record("a verdict that a willing sender never gets")
        }
        ring()
    }

    private mutating func withdraw(_ random: inout TestRandom) {
        guard !waiting.isEmpty else { return }
        let (waiter, _) = waiting.remove(at: Int.random(in: 0..<waiting.count, using: &random))
        let removals = [queue.remove(waiter), queue.remove(waiter)]
        #expect(removals == [true, false])
        if let node = waiter.message { NodePool.free(node, ThreadState.current) }
    }

    private mutating func take() {
        let (node, served) = queue.take()
        #expect(node.map(content(of:)) == expected.first)
        if !expected.isEmpty { expected.removeFirst() }
        let expectedServed = serve()
        #expect(served.map(ObjectIdentifier.init) == expectedServed.map(ObjectIdentifier.init))
        if let node { NodePool.free(node, ThreadState.current) }
        if expected.isEmpty { hasDoorbell = false }
    }

    private mutating func takeMessages() {
        var (node, served) = queue.takeMessages()
        for number in expected where number > 0 {
            #expect(node.map(content(of:)) == number)
            guard let taken = node else { break }
            node = NodePointer(bitPattern: taken.pointee.next.load(ordering: .relaxed))
            NodePool.free(taken, ThreadState.current)
        }
        expected.removeAll { $0 > 0 }
        var expectedServed: [ObjectIdentifier] = []
        while let waiter = serve() { expectedServed.append(ObjectIdentifier(waiter)) }
        #expect(served.map(ObjectIdentifier.init) == expectedServed)
        ring()
    }

    private mutating func serve() -> RoomWaiter? {
        guard messages < capacity, !waiting.isEmpty else { return nil }
        let (waiter, number) = waiting.removeFirst()
        expected.append(number)
        return waiter
    }

    private mutating func ring() {
        let rings = queue.takeRing()
        #expect(rings == (!hasDoorbell && !expected.isEmpty))
        if !expected.isEmpty { hasDoorbell = true }
    }

    private mutating func nextNumber() -> Int {
        next += 1
        return next
    }

    /// Closes the queue and takes all that is left.
    mutating func finish() {
        let left = queue.close(.normal)
        #expect(left.map(ObjectIdentifier.init) == waiting.map { ObjectIdentifier($0.waiter) })
        expected += waiting.map(\.number)
        let late = numbered(.message, 0)
        if case .ended = queue.add(late) {} else { Issue.record("a closed queue took a message") }
        NodePool.free(late, ThreadState.current)
        for number in expected {
            let (node, served) = queue.take()
            #expect(node.map(content(of:)) == number)
            #expect(served == nil)
            if let node { NodePool.free(node, ThreadState.current) }
        }
        let nothing = queue.take().node
        #expect(nothing == nil)
    }
}

private func numbered(_ kind: NodeKind, _ number: Int) -> NodePointer {
    let node = NodePool.allocate(0, ThreadState.current)
    node.pointee.kind = kind
    node.payload.bindMemory(to: Int.self, capacity: 1).initialize(to: number)
    return node
}

private func content(of node: NodePointer) -> Int { node.payload.assumingMemoryBound(to: Int.self).pointee }
