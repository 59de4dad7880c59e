// One worker: the queues that a thread of the executor runs actors from.

internal import ConclavePlatform
public import Synchronization

/// A worker's queues. Its own thread adds and takes; other workers steal from the run queue and, when it is stuck, the next-slot.
@usableFromInline
struct WorkerState: ~Copyable {
    /// The actor (or job) woken last: run next, so that a question and its answer need no other thread. 0 when empty.
    @usableFromInline let nextSlot = Atomic<UInt>(0)
    /// Batches begun: while it stands still, so does the thread.
    let batches = Atomic<UInt32>(0)
    /// The scheduler wants a word with the thread when its batch is over: it may have been replaced meanwhile.
    let needsCheckIn = Atomic<Bool>(false)
    let runQueue = RunQueue()
    /// What the batch numbered `wakingBatch` has put in the run queue. Only the worker's own thread counts here; atomic because a change
    /// of a plain field is an access to all of the state, in which others read.
    let wakeCount = Atomic<Int>(0)
    let wakingBatch = Atomic<UInt32>(0)
    /// Whose worker this is. Not retained: a scheduler outlives its workers' threads.
    private let owner: Unmanaged<DispatchScheduler>
    @usableFromInline let schedulerID: ObjectIdentifier
    let index: Int
    /// Others may empty the next-slot at any moment: there is no fence to make sure that the thread does not.
    let isRescuedAnytime = !DispatchScheduler.canObserveThreads

    init(index: Int, scheduler: DispatchScheduler) {
        self.index = index
        owner = Unmanaged.passUnretained(scheduler)
        schedulerID = ObjectIdentifier(scheduler)
    }

    var scheduler: DispatchScheduler { owner.takeUnretainedValue() }

    /// The scheduler without a count of references, which all workers would write to.
    func withScheduler<Result>(_ body: (DispatchScheduler) throws -> Result) rethrows -> Result {
        try owner._withUnsafeGuaranteedRef(body)
    }
}

@usableFromInline typealias WorkerPointer = UnsafeMutablePointer<WorkerState>

extension UnsafeMutablePointer where Pointee == WorkerState {
    /// Runs `cell` next on this worker; what was to run next goes to the run queue. Called by the worker's own thread.
    @inlinable
    func wakeNext(_ cell: CellPointer) { wakeNext(bits: UInt(bitPattern: cell)) }

    /// The same for a `WorkItem`.
    @inlinable
    func wakeNext(bits woken: UInt) {
        // Releasing: a thief sees what we wrote before the wake-up. Only this thread ever fills the slot, so an empty slot
        // stays empty until the store.
        if pointee.nextSlot.load(ordering: .relaxed) == 0 {
            pointee.nextSlot.store(woken, ordering: .releasing)
        } else {
            let displaced = pointee.nextSlot.exchange(woken, ordering: .acquiringAndReleasing)
            if displaced != 0 { queue(bits: displaced) }
        }
    }

    /// Adds to the run queue's end and lets an idle worker know. Called by the worker's own thread.
    @usableFromInline @inline(never)
    func queue(bits: UInt) {
        // Should the stack overflow from here on, nobody else has the item.
        conclave_enter_section()
        defer { conclave_leave_section() }
        noteWake()
        push(WorkItem(bits: bits))
        pointee.withScheduler { $0.notifyOfWork() }
    }

    /// The actor that runs now has put another one in the queue. Relaxed: see `wakeCount`.
    private func noteWake() {
        let batch = pointee.batches.load(ordering: .relaxed)
        let isFirst = batch != pointee.wakingBatch.load(ordering: .relaxed)
        if isFirst { pointee.wakingBatch.store(batch, ordering: .relaxed) }
        pointee.wakeCount.store(isFirst ? 1 : pointee.wakeCount.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
    }

    /// Whether the actor that runs now has woken so many that they had better go first.
    var hasWokenMany: Bool {
        pointee.wakeCount.load(ordering: .relaxed) >= BatchLimit.wakes
            && pointee.wakingBatch.load(ordering: .relaxed) == pointee.batches.load(ordering: .relaxed)
    }

    /// Adds to the run queue's end. Called by the worker's own thread.
    func push(_ item: WorkItem) {
        if !pointee.runQueue.push(item) { pointee.withScheduler { $0.inject(item) } }
    }

    /// Empties the next-slot, by the worker's own thread between two batches.
    ///
    /// No exchange, which costs as much as sending a message: others only reach into the slot, by `rescueNext`, of a thread that is
    /// stuck in a batch. It is seen there by `DispatchScheduler.observe`, which it cannot pass without seeing `needsCheckIn`, and then
    /// it waits for the scheduler's lock, under which the slot is rescued, before it gets here.
    func takeNext() -> WorkItem? {
        let bits = pointee.nextSlot.load(ordering: .relaxed)
        guard bits != 0 else { return nil }
        if pointee.isRescuedAnytime { return rescueNext() }
        pointee.nextSlot.store(0, ordering: .relaxed)
        return WorkItem(bits: bits)
    }

    /// Empties the next-slot of a thread that is in a batch: by itself, or, if it is stuck or gone, by another under the
    /// scheduler's lock.
    func rescueNext() -> WorkItem? {
        guard pointee.nextSlot.load(ordering: .relaxed) != 0 else { return nil }
        let bits = pointee.nextSlot.exchange(0, ordering: .acquiring)
        return bits == 0 ? nil : WorkItem(bits: bits)
    }
}

/// A bounded ring that its owner fills and empties in order and from which others take half at a time.
///
/// The scheme is that of Go's scheduler (runtime/proc.go, runqput and runqgrab): `head` moves only by compare-exchange, so that a
/// thief which copied items that were meanwhile taken, or overwritten, fails and tries again.
struct RunQueue: ~Copyable {
    static let capacity: UInt32 = 256

    private let head = Atomic<UInt32>(0)
    private let tail = Atomic<UInt32>(0)
    private let slots: UnsafeMutablePointer<Atomic<UInt>>

    init() {
        slots = .allocate(capacity: Int(Self.capacity))
        for slot in 0..<Int(Self.capacity) { (slots + slot).initialize(to: Atomic(0)) }
    }

    deinit { slots.deallocate() }

    private func slot(_ position: UInt32) -> UnsafeMutablePointer<Atomic<UInt>> {
        slots + Int(position % Self.capacity)
    }

    var isEmpty: Bool { head.load(ordering: .acquiring) == tail.load(ordering: .acquiring) }

    /// Owner only. False when full.
    func push(_ item: WorkItem) -> Bool {
        let end = tail.load(ordering: .relaxed)
        guard end &- head.load(ordering: .acquiring) < Self.capacity else { return false }
        slot(end).pointee.store(item.bits, ordering: .relaxed)
        // Releasing: a thief that sees the new tail sees the slot, and what the item's last holder wrote.
        tail.store(end &+ 1, ordering: .releasing)
        return true
    }

    /// Owner only. The oldest item.
    func pop() -> WorkItem? {
        var start = head.load(ordering: .acquiring)
        let end = tail.load(ordering: .relaxed)
        while start != end {
            let bits = slot(start).pointee.load(ordering: .relaxed)
            let (taken, now) = head.compareExchange(
                expected: start,
                desired: start &+ 1,
                ordering: .acquiringAndReleasing
            )
            if taken { return WorkItem(bits: bits) }
            start = now
        }
        return nil
    }

    /// Moves half of `victim`'s items here, one of them as the result. Called by this queue's owner, whose queue is empty.
    func steal(from victim: borrowing RunQueue) -> WorkItem? {
        let ownEnd = tail.load(ordering: .relaxed)
        while true {
            let start = victim.head.load(ordering: .acquiring)
            let end = victim.tail.load(ordering: .acquiring)
            let available = end &- start
            if available == 0 { return nil }
            let count = available - available / 2
            if count > Self.capacity / 2 { continue }  // head and tail were read at different moments
            for position in 0..<count {
                let bits = victim.slot(start &+ position).pointee.load(ordering: .relaxed)
                slot(ownEnd &+ position).pointee.store(bits, ordering: .relaxed)
            }
            let moved = victim.head.compareExchange(
                expected: start,
                desired: start &+ count,
                ordering: .acquiringAndReleasing
            ).exchanged
            if moved {
                let last = slot(ownEnd &+ (count - 1)).pointee.load(ordering: .relaxed)
                tail.store(ownEnd &+ (count - 1), ordering: .releasing)
                return WorkItem(bits: last)
            }
        }
    }
}
