// The watchdog: finds handlers that hold their worker for long without having said so.

internal import ConclavePlatform
internal import Dispatch
internal import Synchronization

/// A worker whose handler blocks, or computes, without having said so by `Context.blocking`.
public struct BlockedWorker: Sendable {
    /// The path of the actor whose handler it is. Nil if it is a task on the system's executor, or if the kernel does not let us
    /// know safely.
    public let actor: String?
    /// What the actor understands; nil with `actor`.
    public let messageType: Any.Type?
    /// Another worker took its place. If not, so many threads are blocked already that there is none left.
    public let isReplaced: Bool
}

extension DispatchScheduler {
    /// What the watchdog knows. Guarded by the scheduler's lock.
    struct Watch {
        /// Nanoseconds between two looks; nil if nobody watches.
        let period: Int?
        var detector = StallDetector()
        /// A look is to come. Only while a worker is busy: an idle system uses no CPU.
        private(set) var isOn = false
        var onBlocked: @Sendable (BlockedWorker) -> Void = { _ in }

        init(patience: Duration?) {
            precondition(
                patience.map { $0 >= .milliseconds(1) } ?? true,
                "a watchdog needs a patience of a millisecond at least"
            )
            period = patience.map { Int(clamping: $0.nanoseconds / StallDetector.looksPerPatience) }
        }

        /// A worker is busy. True: the caller must see to the next look.
        mutating func begin() -> Bool {
            if isOn || period == nil { return false }
            isOn = true
            return true
        }

        mutating func end() {
            isOn = false
            detector = StallDetector()
        }
    }

    /// Who is told of blocked workers, on the watchdog's thread.
    func report(blocked handler: @escaping @Sendable (BlockedWorker) -> Void) {
        lock.withLock { watch.onBlocked = handler }
    }

    /// - Parameter isWave: a worker is stuck, and more may follow: the next look comes twice as soon.
    func lookLater(isWave: Bool = false) {
        guard let period = watchPeriod else { return }
        Self.watchQueue.asyncAfter(deadline: .now() + .nanoseconds(isWave ? period / 2 : period)) { [weak self] in
            self?.look()
        }
    }

    /// One for all systems: a look is short.
    private static let watchQueue = DispatchQueue(label: "conclave.watchdog")
    /// Whether the kernel lets us look at what a thread runs.
    static let canObserveThreads = conclave_heavy_fence_prepare() != 0

    private func look() { if lookAndReport() { visitorLeft() } }

    /// True: it has held actors, and counts as a visitor.
    private func lookAndReport() -> Bool {
        var found: [(actor: ActorCell?, isReplaced: Bool)] = []
        var rescued = false
        lock.lock()
        let othersAreStuck = seats.contains { $0.occupancy == .stuck }
        for seat in seats {
            switch seat.occupancy {
            case .running:
                // Relaxed: only whether there is anything at all.
                guard let thread = seat.thread, thread.pointee.running.load(ordering: .relaxed) != 0 else {
                    watch.detector.forget(seat.worker.pointee.index)
                    continue
                }
                let batches = seat.worker.pointee.batches.load(ordering: .relaxed)
                let index = seat.worker.pointee.index
                guard watch.detector.isStuck(index, batches: batches, othersAreStuck: othersAreStuck) else { continue }
                observe(thread) { actor in
                    // It may have moved while we looked.
                    guard seat.worker.pointee.batches.load(ordering: .relaxed) == batches else { return }
                    found.append((actor, replace(seat)))
                }
            case .stuck: break
            case .absent, .parked, .blocked:
                watch.detector.forget(seat.worker.pointee.index)
                continue
            }
            // What the handler has woken, or wakes later, must not wait for its end. The run queue is open to thieves anyway.
            // The thread does not reach for its next-slot meanwhile: it checks in first, under our lock.
            if seat.occupancy == .stuck, let next = seat.worker.rescueNext() {
                inject(next)
                rescued = true
            }
        }
        let isWave = seats.contains { $0.occupancy == .stuck }
        let goesOn = seats.contains { $0.occupancy == .running || $0.occupancy == .stuck }
        if !goesOn { watch.end() }
        let onBlocked = watch.onBlocked
        let isVisitor = !found.isEmpty
        if isVisitor { visitors += 1 }
        lock.unlock()
        // At once: what the same batch receives next would not be found again.
        for (actor, isReplaced) in found where isReplaced { actor?.header.post(.endBatch) }
        if goesOn { lookLater(isWave: isWave) }
        if rescued || !found.isEmpty { notifyOfWork() }
        for (actor, isReplaced) in found {
            onBlocked(
                BlockedWorker(
                    actor: actor?.path,
                    messageType: actor?.header.pointee.runtime.messageType,
                    isReplaced: isReplaced
                )
            )
        }
        return isVisitor
    }

    /// The worker counts no longer: another may be awake in its place. False: no thread is left for that. Under the lock.
    private func replace(_ seat: Seat) -> Bool {
        guard seat.holdsBudget || ThreadBudget.take() else { return false }
        seat.holdsBudget = true
        seat.occupancy = .stuck
        awake.subtract(1, ordering: .sequentiallyConsistent)
        seat.worker.pointee.needsCheckIn.store(true, ordering: .relaxed)
        return true
    }

    /// Calls `body`, unless the thread has come to the end of what it ran, with the actor that it runs, if it is one and the kernel lets
    /// us know. Until `body` returns the thread does not let go of it; and what `body` wrote, it sees when it does.
    ///
    /// Under the lock, so that the thread cannot give its seat back meanwhile.
    private func observe(_ thread: ThreadPointer, _ body: (ActorCell?) -> Void) {
        guard Self.canObserveThreads else { return body(nil) }
        // See `leave`: from here until we say that we are done the thread does not let go of its actor.
        thread.pointee.isObserved.store(true, ordering: .sequentiallyConsistent)
        conclave_heavy_fence()
        let address = thread.pointee.running.load(ordering: .acquiring)
        if address != 0 {
            let cell = address == ThreadState.job ? nil : CellPointer(bitPattern: address)
            body(cell?.pointee.object)
        }
        // Releasing: the reference is counted, and what `body` wrote is there, before the thread goes on.
        thread.pointee.isObserved.store(false, ordering: .releasing)
    }
}
