// A worker's life: take, run, search, park.

internal import Dispatch
internal import Synchronization

extension DispatchScheduler {
    /// How long a worker without work keeps its thread.
    static var linger: DispatchTimeInterval { .milliseconds(200) }
    /// Looks through all queues before a worker parks.
    private static var searchRounds: Int { 4 }
    /// Consecutive runs out of the next-slot while others wait in the run queue.
    private static var nextSlotLimit: Int { 64 }
    /// How often the shared queue goes first, so that busy workers cannot starve it.
    private static var sharedQueueInterval: UInt32 { 61 }

    /// The life of a thread that has a seat.
    func run(_ seat: Seat) { traps.isolate { loop(seat) } }

    /// It counts as searching at first.
    private func loop(_ seat: Seat) {
        let worker = seat.worker
        let thread = ThreadState.current
        lock.withLock { seat.thread = thread }
        thread.pointee.worker = worker
        defer { thread.pointee.worker = nil }
        var isSearching = true
        var batches = worker.pointee.batches.load(ordering: .relaxed)
        var nextSlotRuns = 0
        while true {
            batches &+= 1
            // Relaxed: the watch only looks whether it moves.
            worker.pointee.batches.store(batches, ordering: .relaxed)
            guard let item = take(worker, batches, &nextSlotRuns) ?? search(worker, &isSearching) else {
                isSearching = true
                if park(seat) { continue } else { return }
            }
            if isSearching {
                isSearching = false
                // The last searcher found work. Others trusted in its search: if there is more, somebody else should search.
                if searching.subtract(1, ordering: .sequentiallyConsistent).newValue == 0, isWorkQueued {
                    notifyOfWork()
                }
            }
            if let cell = item.cell {
                if RunnableCell(cell).runBatch() { worker.queue(bits: item.bits) }
            } else {
                run(item.job, thread)
            }
            // Relaxed: whoever sets it does not wait for an answer.
            if worker.pointee.needsCheckIn.load(ordering: .relaxed), !checkIn(seat) {
                isSearching = true
                if waitParked(seat) { continue } else { return }
            }
        }
    }

    private func run(_ job: UnownedJob, _ thread: ThreadPointer) {
        thread.pointee.lendingsLeft = traps.areSurvived ? 0 : ThreadState.lendings
        thread.pointee.lentSince = 0
        thread.enterJob()
        RunnableJob(job, on: self).run()
        thread.leave()
        thread.pointee.lendingsLeft = 0
    }

    /// The next item without looking into other workers' queues.
    private func take(_ worker: WorkerPointer, _ batch: UInt32, _ nextSlotRuns: inout Int) -> WorkItem? {
        if batch % Self.sharedQueueInterval == 0, let item = takeShared() { return item }
        if nextSlotRuns < Self.nextSlotLimit {
            if let item = worker.takeNext() {
                nextSlotRuns += 1
                return item
            }
            nextSlotRuns = 0
            return worker.pointee.runQueue.pop() ?? takeShared()
        }
        nextSlotRuns = 0
        return worker.pointee.runQueue.pop() ?? worker.takeNext() ?? takeShared()
    }

    /// Looks at every queue a few times. The caller counts as searching afterwards, whatever the result.
    private func search(_ worker: WorkerPointer, _ isSearching: inout Bool) -> WorkItem? {
        if !isSearching {
            isSearching = true
            searching.add(1, ordering: .sequentiallyConsistent)
        }
        for _ in 0..<Self.searchRounds {
            if let item = takeShared() ?? steal(worker) { return item }
        }
        return nil
    }

    private func steal(_ thief: WorkerPointer) -> WorkItem? {
        // Acquiring: the workers up to this number are there.
        let count = seatCount.load(ordering: .acquiring)
        for offset in 1..<max(count, 1) {
            let victim = worker((thief.pointee.index + offset) % count)
            if let item = thief.pointee.runQueue.steal(from: victim.pointee.runQueue) { return item }
        }
        return nil
    }

    // MARK: Parking

    /// Waits for work. True: there may be some, and the worker counts as searching. False: the thread is to be given back.
    private func park(_ seat: Seat) -> Bool {
        lock.lock()
        // Only where threads cannot be observed: it was replaced when its handler was over already, too late for `checkIn`.
        if seat.occupancy == .stuck { comeBack(seat) }
        seat.occupancy = .parked
        parked.append(seat)
        awake.subtract(1, ordering: .sequentiallyConsistent)
        lock.unlock()
        searching.subtract(1, ordering: .sequentiallyConsistent)
        if isWorkQueued, unpark(seat, to: .running) {
            searching.add(1, ordering: .sequentiallyConsistent)
            return true
        }
        return waitParked(seat)
    }

    /// The same for a seat that is `parked` already.
    private func waitParked(_ seat: Seat) -> Bool {
        let mayLinger = lock.withLock { !isStopping }
        if mayLinger, seat.wakeUp.wait(timeout: .now() + Self.linger) == .success { return true }
        if unpark(seat, to: .absent) {
            reportIfStopped()
            return false
        }
        seat.wakeUp.wait()  // whoever took us off the list signals at once
        return true
    }

    /// Takes a parked seat off the list. False: somebody is waking it, or others do its work.
    private func unpark(_ seat: Seat, to occupancy: Seat.Occupancy) -> Bool {
        lock.lock()
        let mayRun = occupancy != .running || awake.load(ordering: .relaxed) < workerCount
        guard mayRun, let position = parked.firstIndex(where: { $0 === seat }) else {
            lock.unlock()
            return false
        }
        parked.remove(at: position)
        var mustWatch = false
        if occupancy == .running {
            mustWatch = beginRunning(seat)
        } else {
            seat.occupancy = occupancy
            seat.thread = nil
        }
        lock.unlock()
        if mustWatch { lookLater() }
        return true
    }

    /// A handler that kept its thread has let go of it. False: others do this worker's work by now, and its seat is parked.
    private func checkIn(_ seat: Seat) -> Bool {
        lock.lock()
        seat.worker.pointee.needsCheckIn.store(false, ordering: .relaxed)
        if seat.occupancy == .stuck { _ = beginRunning(seat) }  // watched already: see `comeBack`
        let isSurplus = awake.load(ordering: .relaxed) > workerCount
        if !isSurplus { seat.releaseBudget() }
        lock.unlock()
        if !isSurplus { return true }
        while let item = seat.worker.takeNext() ?? seat.worker.pointee.runQueue.pop() { inject(item) }
        lock.lock()
        defer { lock.unlock() }
        seat.releaseBudget()
        // Under the lock: whoever else is awake looks at the shared queue before it parks.
        guard awake.load(ordering: .relaxed) > workerCount else { return true }
        seat.occupancy = .parked
        parked.insert(seat, at: 0)
        awake.subtract(1, ordering: .sequentiallyConsistent)
        return false
    }

    /// A seat that is stuck counts again. Under the lock. The watch is on: it looks as long as there is a stuck worker.
    private func comeBack(_ seat: Seat) {
        _ = beginRunning(seat)
        seat.worker.pointee.needsCheckIn.store(false, ordering: .relaxed)
        seat.releaseBudget()
    }
}
