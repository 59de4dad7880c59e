// The production scheduler: worker loops on Dispatch threads, which go back to Dispatch when there is nothing to do.

internal import Dispatch
internal import Synchronization

/// Runs actors on at most `workerCount` threads, each a loop on a serial Dispatch queue of its own.
///
/// A fresh serial queue gets a thread at once; a concurrent or global queue waits up to a second behind blocked threads.
/// The wake-up protocol is Go's: at most one worker searches at a time after a wake-up, and the last searcher that finds work
/// wakes the next, so that a burst wakes as many workers as it needs and a trickle only one.
package final class DispatchScheduler: Scheduler, @unchecked Sendable {
    /// How long a worker without work keeps its thread.
    static let linger = DispatchTimeInterval.milliseconds(200)
    /// Looks through all queues before a worker parks.
    private static let searchRounds = 4
    /// Consecutive runs out of the next-slot while others wait in the run queue.
    private static let nextSlotLimit = 64
    /// How often the shared queue goes first, so that busy workers cannot starve it.
    private static let sharedQueueInterval: UInt32 = 61

    private enum WorkerThread { case absent, running, parked }

    // SAFETY: `threads`, `parked`, `isStopping` and `stopWaiters` are only touched under `lock`; the shared queue under
    // `sharedLock`; the rest is constant or atomic.
    private let lock = SpinLock()
    private var threads: [WorkerThread]
    private var parked: [Int] = []
    private var isStopping = false
    private var stopWaiters: [CheckedContinuation<Void, Never>] = []
    /// Own-thread activations under way, beside the workers.
    private var ownThreads = 0

    private let sharedLock = SpinLock()
    private var sharedFirst: CellPointer?
    private var sharedLast: CellPointer?
    /// A hint that spares a worker the lock.
    private let sharedCount = Atomic<Int>(0)

    private let workers: [WorkerPointer]
    private let queues: [DispatchQueue]
    private let wakeUps: [DispatchSemaphore]
    /// Workers that look for work; while there is one, nobody else needs waking.
    private let searching = Atomic<Int>(0)
    /// Workers that are not parked and not absent, as a hint for the fast path.
    private let awake = Atomic<Int>(0)

    package init(workerCount: Int) {
        precondition(workerCount > 0, "an actor system needs at least one worker")
        threads = Array(repeating: .absent, count: workerCount)
        queues = (0..<workerCount).map { DispatchQueue(label: "conclave.worker.\($0)") }
        wakeUps = (0..<workerCount).map { _ in DispatchSemaphore(value: 0) }
        var workers: [WorkerPointer] = []
        for _ in 0..<workerCount { workers.append(.allocate(capacity: 1)) }
        self.workers = workers
        for (index, worker) in workers.enumerated() {
            worker.initialize(to: WorkerState(index: index, scheduler: self))
        }
    }

    deinit {
        for worker in workers {
            worker.deinitialize(count: 1)
            worker.deallocate()
        }
    }

    // MARK: Giving work

    package func schedule(_ cell: RunnableCell) {
        inject(cell.cell)
        notifyOfWork()
    }

    /// Puts a cell at the end of the queue that all workers share.
    func inject(_ cell: CellPointer) {
        sharedLock.lock()
        cell.pointee.queueLink = nil
        if let last = sharedLast { last.pointee.queueLink = cell } else { sharedFirst = cell }
        sharedLast = cell
        sharedCount.add(1, ordering: .relaxed)
        sharedLock.unlock()
    }

    private func takeShared() -> CellPointer? {
        guard sharedCount.load(ordering: .relaxed) > 0 else { return nil }
        sharedLock.lock()
        defer { sharedLock.unlock() }
        guard let first = sharedFirst else { return nil }
        sharedFirst = first.pointee.queueLink
        if sharedFirst == nil { sharedLast = nil }
        sharedCount.subtract(1, ordering: .relaxed)
        return first
    }

    /// Wakes or starts a worker unless one is searching already or all are awake.
    func notifyOfWork() {
        repeat {
            // Sequentially consistent: our work was queued before this look; a worker that stops searching looks at the
            // queues after its decrement. One of the two sees the other.
            atomicMemoryFence(ordering: .sequentiallyConsistent)
            if awake.load(ordering: .relaxed) == workers.count || searching.load(ordering: .relaxed) > 0 { return }
            let isFirst = searching.compareExchange(expected: 0, desired: 1, ordering: .sequentiallyConsistent)
                .exchanged
            if !isFirst || wakeWorker() { return }
            searching.subtract(1, ordering: .sequentiallyConsistent)
            // Somebody may have trusted in our search meanwhile.
        } while isWorkQueued
    }

    /// Gives a parked or a new worker the search that the caller has announced. False: all are awake by now.
    private func wakeWorker() -> Bool {
        lock.lock()
        if let index = parked.popLast() {
            threads[index] = .running
            awake.add(1, ordering: .relaxed)
            lock.unlock()
            wakeUps[index].signal()
            return true
        }
        if let index = threads.firstIndex(of: .absent) {
            threads[index] = .running
            awake.add(1, ordering: .relaxed)
            lock.unlock()
            queues[index].async { self.run(index) }
            return true
        }
        lock.unlock()
        return false
    }

    // MARK: A worker's life

    private func run(_ index: Int) {
        let worker = workers[index]
        let thread = ThreadState.current
        thread.pointee.worker = worker
        defer { thread.pointee.worker = nil }
        var isSearching = true
        var tick: UInt32 = 0
        var nextSlotRuns = 0
        while true {
            tick &+= 1
            guard let cell = take(worker, tick, &nextSlotRuns) ?? search(worker, &isSearching) else {
                isSearching = true
                if park(index) { continue } else { return }
            }
            if isSearching {
                isSearching = false
                // The last searcher found work. Others trusted in its search: if there is more, somebody else should search.
                if searching.subtract(1, ordering: .sequentiallyConsistent).newValue == 0, isWorkQueued {
                    notifyOfWork()
                }
            }
            if RunnableCell(cell).runBatch() { worker.queue(cell) }
        }
    }

    /// The next cell without looking into other workers' queues.
    private func take(_ worker: WorkerPointer, _ tick: UInt32, _ nextSlotRuns: inout Int) -> CellPointer? {
        if tick % Self.sharedQueueInterval == 0, let cell = takeShared() { return cell }
        if nextSlotRuns < Self.nextSlotLimit {
            if let cell = worker.takeNext() {
                nextSlotRuns += 1
                return cell
            }
            nextSlotRuns = 0
            return worker.pointee.runQueue.pop() ?? takeShared()
        }
        nextSlotRuns = 0
        return worker.pointee.runQueue.pop() ?? worker.takeNext() ?? takeShared()
    }

    /// Looks at every queue a few times. The caller counts as searching afterwards, whatever the result.
    private func search(_ worker: WorkerPointer, _ isSearching: inout Bool) -> CellPointer? {
        if !isSearching {
            isSearching = true
            searching.add(1, ordering: .sequentiallyConsistent)
        }
        for _ in 0..<Self.searchRounds {
            if let cell = takeShared() ?? steal(worker) { return cell }
        }
        return nil
    }

    private func steal(_ thief: WorkerPointer) -> CellPointer? {
        for offset in 1..<max(workers.count, 1) {
            let victim = workers[(thief.pointee.index + offset) % workers.count]
            if let cell = thief.pointee.runQueue.steal(from: victim.pointee.runQueue) { return cell }
        }
        return nil
    }

    /// Whether any queue holds an actor, for one who stopped searching or parked a moment ago.
    private var isWorkQueued: Bool {
        // Sequentially consistent, see `notifyOfWork`: the caller's decrement is seen by whoever queues after this look.
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        return sharedCount.load(ordering: .relaxed) > 0 || workers.contains { !$0.pointee.runQueue.isEmpty }
    }

    /// Waits for work. True: there may be some, and the worker counts as searching. False: the thread is to be given back.
    private func park(_ index: Int) -> Bool {
        lock.lock()
        threads[index] = .parked
        parked.append(index)
        awake.subtract(1, ordering: .sequentiallyConsistent)
        lock.unlock()
        searching.subtract(1, ordering: .sequentiallyConsistent)
        if isWorkQueued, unpark(index, to: .running) {
            searching.add(1, ordering: .sequentiallyConsistent)
            return true
        }
        let mayLinger = lock.withLock { !isStopping }
        if mayLinger, wakeUps[index].wait(timeout: .now() + Self.linger) == .success { return true }
        if unpark(index, to: .absent) {
            reportIfStopped()
            return false
        }
        wakeUps[index].wait()  // whoever took us off the list signals at once
        return true
    }

    /// Takes a parked worker off the list. False: somebody is waking it.
    private func unpark(_ index: Int, to state: WorkerThread) -> Bool {
        lock.withLock {
            guard let position = parked.firstIndex(of: index) else { return false }
            parked.remove(at: position)
            threads[index] = state
            if state == .running { awake.add(1, ordering: .relaxed) }
            return true
        }
    }

    // MARK: Actors with a thread of their own

    package func scheduleOnOwnThread(_ runnable: RunnableCell) {
        let object = runnable.cell.pointee.object
        lock.withLock { ownThreads += 1 }
        object.ownQueue.async { [self] in
            if runnable.runBatch() { scheduleOnOwnThread(runnable) }
            lock.withLock { ownThreads -= 1 }
            reportIfStopped()
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
            for index in idle {
                threads[index] = .running
                awake.add(1, ordering: .relaxed)
                searching.add(1, ordering: .sequentiallyConsistent)
            }
            lock.unlock()
            for index in idle { wakeUps[index].signal() }
            reportIfStopped()
        }
    }

    private func reportIfStopped() {
        lock.lock()
        var waiters: [CheckedContinuation<Void, Never>] = []
        if isStopping, ownThreads == 0, threads.allSatisfy({ $0 == .absent }) { swap(&waiters, &stopWaiters) }
        lock.unlock()
        for waiter in waiters { waiter.resume() }
    }

    /// Threads in use, for tests and snapshots.
    package var threadCount: Int {
        lock.withLock { threads.count { $0 != .absent } + ownThreads }
    }
}
