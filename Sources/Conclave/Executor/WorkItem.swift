// What waits in a worker's queues: an actor, or a piece of a task.

/// One word: the address of a `CellHeader`, or that of a task's job with the lowest bit set. Both are aligned to 8 bytes at least.
struct WorkItem {
    let bits: UInt

    init(bits: UInt) { self.bits = bits }
    init(_ cell: CellPointer) { bits = UInt(bitPattern: cell) }
    // SAFETY: an unowned job is one pointer, to an aligned object that lives until it has been run.
    init(_ job: UnownedJob) { bits = unsafeBitCast(job, to: UInt.self) | Self.jobBit }

    /// The actor, or nil if this is a job.
    var cell: CellPointer? { bits & Self.jobBit == 0 ? CellPointer(bitPattern: bits) : nil }

    /// The job. Only if `cell` is nil.
    var job: UnownedJob {
        // SAFETY: made from a job by the initialiser above.
        unsafeBitCast(bits & ~Self.jobBit, to: UnownedJob.self)
    }

    private static let jobBit: UInt = 1
}

/// A first-in, first-out ring that grows as needed. Guarded by its owner.
struct WorkRing {
    private var slots: [UInt] = Array(repeating: 0, count: 64)
    private var first = 0
    private(set) var count = 0

    mutating func append(_ item: WorkItem) {
        if count == slots.count { grow() }
        slots[(first + count) & (slots.count - 1)] = item.bits
        count += 1
    }

    mutating func popFirst() -> WorkItem? {
        if count == 0 { return nil }
        defer {
            first = (first + 1) & (slots.count - 1)
            count -= 1
        }
        return WorkItem(bits: slots[first])
    }

    private mutating func grow() {
        var larger: [UInt] = []
        larger.reserveCapacity(2 * slots.count)
        larger += slots[first...]
        larger += slots[..<first]
        larger += Array(repeating: 0, count: slots.count)
        slots = larger
        first = 0
    }
}
