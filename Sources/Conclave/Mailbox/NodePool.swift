// Where mailbox nodes come from: a free list per thread and size, balanced between threads through a depot.

public import Synchronization

/// The node sizes that are pooled. A larger node is allocated and freed one at a time.
@usableFromInline
enum SizeClass {
    @inlinable static var count: Int { 4 }
    @inlinable static var unpooled: UInt32 { 4 }

    /// The class whose nodes hold `payloadBytes` behind the header: 32, 64, 128 or 256 B in all.
    @inlinable
    static func of(payloadBytes: Int) -> UInt32 {
        let total = payloadBytes + NodeHeader.payloadOffset
        if total <= 32 { return 0 }
        if total <= 64 { return 1 }
        if total <= 128 { return 2 }
        if total <= 256 { return 3 }
        return unpooled
    }

    static func nodeSizeBytes(_ sizeClass: UInt32) -> Int { 32 << Int(sizeClass) }
}

/// One thread's free nodes of one size.
@usableFromInline
struct FreeList {
    /// The first free node's address, or 0.
    @usableFromInline var first: UInt = 0
    @usableFromInline var count: Int = 0
}

@usableFromInline
enum NodePool {
    /// Nodes that travel between a thread and the depot at a time. A thread keeps at most twice as many of a size.
    @inlinable static var magazineSize: Int { 128 }

    @inlinable
    static func allocate(_ sizeClass: UInt32, _ thread: ThreadPointer) -> NodePointer {
        let list = thread.pointee.freeLists + Int(sizeClass)
        if list.pointee.first == 0 { refill(sizeClass, list) }
        let node = NodePointer.at(list.pointee.first)
        list.pointee.first = node.pointee.next.load(ordering: .relaxed)
        list.pointee.count -= 1
        node.pointee.next.store(0, ordering: .relaxed)
        return node
    }

    @inlinable
    static func free(_ node: NodePointer, _ thread: ThreadPointer) {
        let sizeClass = node.pointee.sizeClass
        if sizeClass == SizeClass.unpooled {
            deallocateUnpooled(node)
            return
        }
        let list = thread.pointee.freeLists + Int(sizeClass)
        node.pointee.next.store(list.pointee.first, ordering: .relaxed)
        list.pointee.first = node.address
        list.pointee.count += 1
        if list.pointee.count >= 2 * magazineSize { flush(sizeClass, list, keeping: magazineSize) }
    }

    /// A node too large, or too strictly aligned, for the pools.
    @usableFromInline
    static func allocateUnpooled(payloadBytes: Int) -> NodePointer {
        unpooled.add(1, ThreadState.current)
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: NodeHeader.payloadOffset + payloadBytes,
            alignment: NodeHeader.payloadOffset
        )
        return initializeNode(memory, SizeClass.unpooled)
    }

    @usableFromInline
    static func deallocateUnpooled(_ node: NodePointer) {
        unpooled.add(-1, ThreadState.current)
        UnsafeMutableRawPointer(node).deallocate()
    }

    /// Raw memory out of the pools, for an actor's header and behaviour: its first words are no node's while it is in use.
    static func allocateMemory(_ byteCount: Int, alignment: Int, _ thread: ThreadPointer) -> UnsafeMutableRawPointer {
        let sizeClass = classOfMemory(byteCount, alignment)
        guard sizeClass != SizeClass.unpooled else { return .allocate(byteCount: byteCount, alignment: alignment) }
        return UnsafeMutableRawPointer(allocate(sizeClass, thread))
    }

    /// Takes back what `allocateMemory` returned for the same size and alignment.
    static func freeMemory(
        _ memory: UnsafeMutableRawPointer,
        _ byteCount: Int,
        alignment: Int,
        _ thread: ThreadPointer
    ) {
        let sizeClass = classOfMemory(byteCount, alignment)
        if sizeClass == SizeClass.unpooled {
            memory.deallocate()
        } else {
            free(initializeNode(memory, sizeClass), thread)
        }
    }

    private static func classOfMemory(_ byteCount: Int, _ alignment: Int) -> UInt32 {
        if alignment > NodeHeader.payloadOffset { return SizeClass.unpooled }
        return SizeClass.of(payloadBytes: byteCount - NodeHeader.payloadOffset)
    }

    private static func initializeNode(_ memory: UnsafeMutableRawPointer, _ sizeClass: UInt32) -> NodePointer {
        let node = memory.bindMemory(to: NodeHeader.self, capacity: 1)
        node.initialize(to: NodeHeader(next: Atomic(0), kind: .hollow, sizeClass: sizeClass))
        return node
    }

    /// Puts a magazine's worth of nodes in an empty list: from the depot, or freshly allocated as one slab.
    @usableFromInline @inline(never)
    static func refill(_ sizeClass: UInt32, _ list: UnsafeMutablePointer<FreeList>) {
        if let first = depot(sizeClass).pop() {
            list.pointee = FreeList(first: first, count: magazineSize)
            return
        }
        let size = SizeClass.nodeSizeBytes(sizeClass)
        pooled.add(magazineSize, ordering: .relaxed)
        let slab = UnsafeMutableRawPointer.allocate(byteCount: size * magazineSize, alignment: 64)
        var first: UInt = 0
        for position in (0..<magazineSize).reversed() {
            let node = initializeNode(slab + position * size, sizeClass)
            node.pointee.next.store(first, ordering: .relaxed)
            first = node.address
        }
        list.pointee = FreeList(first: first, count: magazineSize)
    }

    /// Hands whole magazines to the depot until at most `keeping` nodes are left.
    @usableFromInline @inline(never)
    static func flush(_ sizeClass: UInt32, _ list: UnsafeMutablePointer<FreeList>, keeping: Int) {
        while list.pointee.count >= keeping + magazineSize {
            let first = list.pointee.first
            var last = NodePointer.at(first)
            for _ in 1..<magazineSize { last = NodePointer.at(last.pointee.next.load(ordering: .relaxed)) }
            list.pointee.first = last.pointee.next.load(ordering: .relaxed)
            list.pointee.count -= magazineSize
            last.pointee.next.store(0, ordering: .relaxed)
            depot(sizeClass).push(first)
        }
    }

    /// Empties a list when its thread ends: full magazines to the depot, the remainder to the size's loose nodes.
    static func drain(_ sizeClass: UInt32, _ list: UnsafeMutablePointer<FreeList>) {
        flush(sizeClass, list, keeping: 0)
        depot(sizeClass).pushLoose(list.pointee)
        list.pointee = FreeList()
    }

    // MARK: For tests

    /// Nodes that slabs were cut into so far, and larger ones that live. Relaxed: numbers that order nothing.
    private static let pooled = Atomic<Int>(0)
    private static let unpooled = ShardedCount()

    /// Nodes that are not free, of all threads, and the memory of actors among them. Exact while no thread sends or runs actors, and
    /// only to be asked for then.
    static var inUse: Int {
        let free = depots.reduce(ThreadState.freeNodes) { $0 + $1.count }
        return pooled.load(ordering: .relaxed) + unpooled.sum - free
    }

    private static func depot(_ sizeClass: UInt32) -> NodeDepot { depots[Int(sizeClass)] }
    private static let depots = (0..<SizeClass.count).map { _ in NodeDepot() }
}

/// Full magazines of one size, shared by all threads. Visited once per `NodePool.magazineSize` messages.
private final class NodeDepot: @unchecked Sendable {
    // SAFETY: `magazines` and `loose` are only touched under `lock`.
    private let lock = SpinLock()
    private var magazines: [UInt] = []
    /// Nodes of ended threads that do not fill a magazine yet.
    private var loose = FreeList()

    func pop() -> UInt? { lock.withLock { magazines.popLast() } }

    func push(_ first: UInt) { lock.withLock { magazines.append(first) } }

    var count: Int { lock.withLock { magazines.count * NodePool.magazineSize + loose.count } }

    func pushLoose(_ list: FreeList) {
        lock.withLock {
            var next = list.first
            while next != 0 {
                let node = NodePointer.at(next)
                next = node.pointee.next.load(ordering: .relaxed)
                node.pointee.next.store(loose.first, ordering: .relaxed)
                loose.first = node.address
                loose.count += 1
                if loose.count == NodePool.magazineSize {
                    magazines.append(loose.first)
                    loose = FreeList()
                }
            }
        }
    }
}
