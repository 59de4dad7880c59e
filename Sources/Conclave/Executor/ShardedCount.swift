// A counter that many threads change and few read.

internal import Synchronization

/// Each worker adds to a cache line of its own; the value is the sum of them all.
struct ShardedCount: ~Copyable, @unchecked Sendable {
    // SAFETY: `shards` is constant, and what it points to is atomic.
    private let shards: UnsafeMutablePointer<Atomic<Int>>

    private static var shardCount: Int { 8 }
    /// Words from one shard to the next: two cache lines, since processors fetch them in pairs.
    private static var stride: Int { 16 }

    init() {
        let words = Self.shardCount * Self.stride
        let bytes = words * MemoryLayout<Atomic<Int>>.stride
        let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 128)
        shards = memory.bindMemory(to: Atomic<Int>.self, capacity: words)
        for word in 0..<words { (shards + word).initialize(to: Atomic(0)) }
    }

    deinit { shards.deallocate() }

    func add(_ difference: Int, _ thread: ThreadPointer) {
        let index = thread.pointee.worker.map { $0.pointee.index % (Self.shardCount - 1) + 1 } ?? 0
        shards[index * Self.stride].add(difference, ordering: .relaxed)
    }

    /// Exact while nobody adds.
    var sum: Int { (0..<Self.shardCount).reduce(0) { $0 + shards[$1 * Self.stride].load(ordering: .relaxed) } }
}
