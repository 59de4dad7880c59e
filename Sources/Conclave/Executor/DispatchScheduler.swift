// The production scheduler: worker loops on Dispatch threads, which go back to Dispatch when there is nothing to do.

internal import Dispatch
internal import Synchronization

/// Runs actors on `workerCount` threads, each a loop on a serial Dispatch queue of its own.
///
/// A fresh serial queue gets a thread at once; a concurrent or global queue waits up to a second behind blocked threads.
/// The wake-up protocol is Go's: at most one worker searches at a time after a wake-up, and the last searcher that finds work
/// wakes the next, so that a burst wakes as many workers as it needs and a trickle only one.
///
/// A thread that a handler keeps does not count: another one, on a seat of its own, takes its place as soon as there is work.
package final class DispatchScheduler: Scheduler, @unchecked Sendable {
    // SAFETY: `seats`, their contents, `parked`, `isStopping`, `stopWaiters`, `ownThreads`, `visitors` and `watch` are only touched under
    // `lock`; the shared queue under `sharedLock`; a slot of `workers` is written once, before `seatCount` says that it is there;
    // the rest is constant or atomic.
    let lock = SpinLock()
    /// Never shrinks: a thief may look at any worker at any moment.
    private(set) var seats: [Seat] = []
    var parked: [Seat] = []
    var isStopping = false
    private var stopWaiters: [CheckedContinuation<Void, Never>] = []
    /// Own-thread activations under way, or waiting for a thread, beside the workers.
    var ownThreads = 0
    /// Threads, none of them ours, that hold an actor of ours for a moment: the watchdog's, and the one that buries those trapped.
    var visitors = 0
    var watch: Watch
    /// Nanoseconds between two looks of the watchdog; nil if nobody watches. Outside of `watch`, for whoever does not hold the lock.
    let watchPeriod: Int?
    let traps: TrapWatch

    private let sharedLock = SpinLock()
    private var shared = WorkRing()
    /// A hint that spares a worker the lock.
    private let sharedCount = Atomic<Int>(0)

    /// The workers of `seats`, for those that do not hold the lock.
    private let workers: UnsafeMutablePointer<WorkerPointer>
    let seatCount = Atomic<Int>(0)
    private let seatLimit: Int
    /// The most threads that run actors at a time, but for moments after a blocked one has come back.
    let workerCount: Int
    /// Workers that look for work; while there is one, nobody else needs waking.
    let searching = Atomic<Int>(0)
    /// Seats that are `running`, as a hint for the fast path.
    let awake = Atomic<Int>(0)

    /// - Parameters:
    ///   - patience: how long a handler may hold its worker before that is replaced and reported; nil for ever.
    ///   - trapIsolation: how many traps of actors are survived.
    package init(workerCount: Int, patience: Duration? = nil, trapIsolation: TrapIsolation = .off) {
        precondition(workerCount > 0, "an actor system needs at least one worker")
        self.workerCount = workerCount
        seatLimit = workerCount + ThreadBudget.limit
        workers = .allocate(capacity: seatLimit)
        watch = Watch(patience: patience)
        watchPeriod = watch.period
        traps = TrapWatch(trapIsolation)
        for _ in 0..<workerCount { addSeat() }
        traps.begin { [weak self] in self?.bury($0, $1, $2) }
    }

    deinit {
        traps.end()
        workers.deallocate()
    }

    /// Under the lock, but for the initialiser.
    @discardableResult
    private func addSeat() -> Seat {
        let index = seats.count
        precondition(index < seatLimit, "every seat is kept by a handler, although each of those takes from the budget")
        let seat = Seat(index: index, scheduler: self)
        seats.append(seat)
        (workers + index).initialize(to: seat.worker)
        // Releasing: a thief that sees the number sees the worker.
        seatCount.store(index + 1, ordering: .releasing)
        return seat
    }

    func worker(_ index: Int) -> WorkerPointer { workers[index] }

    // MARK: Giving work

    package func schedule(_ cell: RunnableCell) { schedule(WorkItem(cell.cell)) }

    package func schedule(_ job: RunnableJob) {
        let item = WorkItem(job.job)
        if let worker = ThreadState.current.pointee.worker, worker.pointee.scheduler === self {
            worker.wakeNext(bits: item.bits)
        } else {
            schedule(item)
        }
    }

    private func schedule(_ item: WorkItem) {
        inject(item)
        notifyOfWork()
    }

    /// Puts an item at the end of the queue that all workers share.
    func inject(_ item: WorkItem) {
        sharedLock.lock()
        shared.append(item)
        sharedCount.add(1, ordering: .relaxed)
        sharedLock.unlock()
    }

    func takeShared() -> WorkItem? {
        guard sharedCount.load(ordering: .relaxed) > 0 else { return nil }
        sharedLock.lock()
        defer { sharedLock.unlock() }
        guard let first = shared.popFirst() else { return nil }
        sharedCount.subtract(1, ordering: .relaxed)
        return first
    }

    /// Wakes or starts a worker unless one is searching already or as many as there may be are awake.
    func notifyOfWork() {
        repeat {
            // Sequentially consistent: our work was queued before this look; a worker that stops searching looks at the
            // queues after its decrement. One of the two sees the other.
            atomicMemoryFence(ordering: .sequentiallyConsistent)
            if awake.load(ordering: .relaxed) >= workerCount || searching.load(ordering: .relaxed) > 0 { return }
            let isFirst = searching.compareExchange(expected: 0, desired: 1, ordering: .sequentiallyConsistent)
                .exchanged
            if !isFirst || wakeWorker() { return }
            searching.subtract(1, ordering: .sequentiallyConsistent)
            // Somebody may have trusted in our search meanwhile.
        } while isWorkQueued
    }

    /// Gives a parked or a new worker the search that the caller has announced. False: enough are awake by now.
    private func wakeWorker() -> Bool {
        lock.lock()
        guard awake.load(ordering: .relaxed) < workerCount else {
            lock.unlock()
            return false
        }
        let waiting = parked.popLast()
        let seat = waiting ?? seats.first { $0.occupancy == .absent } ?? addSeat()
        let mustWatch = beginRunning(seat)
        lock.unlock()
        if waiting != nil { seat.wakeUp.signal() } else { seat.queue.async { self.run(seat) } }
        if mustWatch { lookLater() }
        return true
    }

    /// The seat's thread counts from now on. Under the lock. True: the caller must see to the watchdog's next look.
    func beginRunning(_ seat: Seat) -> Bool {
        seat.occupancy = .running
        awake.add(1, ordering: .relaxed)
        return watch.begin()
    }

    /// Whether any queue holds an actor, for one who stopped searching or parked a moment ago.
    var isWorkQueued: Bool {
        // Sequentially consistent, see `notifyOfWork`: the caller's decrement is seen by whoever queues after this look.
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        if sharedCount.load(ordering: .relaxed) > 0 { return true }
        for index in 0..<seatCount.load(ordering: .acquiring) where !workers[index].pointee.runQueue.isEmpty {
            return true
        }
        return false
    }

    // MARK: Actors with a thread of their own

    package func scheduleOnOwnThread(_ runnable: RunnableCell) {
        let object = runnable.cell.pointee.object
        lock.withLock { ownThreads += 1 }
        ThreadBudget.whenTaken { [self] in
            object.ownQueue.async { [self] in
                traps.isolate { if runnable.runBatch() { scheduleOnOwnThread(runnable) } }
                ThreadBudget.giveBack()
                lock.withLock { ownThreads -= 1 }
                reportIfStopped()
            }
        }
    }

    // MARK: The end

    package func shutdown() async {
        await withCheckedContinuation { waiter in
            lock.lock()
            isStopping = true
            stopWaiters.append(waiter)
            let idle = parked
            parked = []
            for seat in idle {
                _ = beginRunning(seat)  // only to leave: nothing to watch
                searching.add(1, ordering: .sequentiallyConsistent)
            }
            lock.unlock()
            for seat in idle { seat.wakeUp.signal() }
            reportIfStopped()
        }
    }

    /// The caller, which counted as a visitor, has let go of the actors that it held.
    func visitorLeft() {
        lock.withLock { visitors -= 1 }
        reportIfStopped()
    }

    func reportIfStopped() {
        lock.lock()
        var waiters: [CheckedContinuation<Void, Never>] = []
        let isIdle = ownThreads == 0 && visitors == 0 && seats.allSatisfy { $0.occupancy == .absent }
        if isStopping, isIdle { swap(&waiters, &stopWaiters) }
        lock.unlock()
        for waiter in waiters { waiter.resume() }
    }

    /// Threads in use, for tests and snapshots.
    package var threadCount: Int {
        lock.withLock { seats.count { $0.occupancy != .absent } + ownThreads }
    }
    /// Workers that count as awake: none when there are no threads. For tests.
    package var awakeCount: Int { awake.load(ordering: .relaxed) }
}
