import Conclave
import Dispatch
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(2))) struct WatchdogTests {
    /// Events about blocked workers, in order.
    private func blockedWorkers(of system: ActorSystem) -> Journal<BlockedWorker> {
        let journal = Journal<BlockedWorker>()
        system.onEvent { if case .workerBlocked(let worker) = $0 { journal.note(worker) } }
        return journal
    }

    @Test(
        "a handler that blocks without telling is noticed: a replacement starts and an event names the actor and message type"
    )
    func noticed() async throws {
        let system = ActorSystem("noticed", workers: 1, watchdog: .milliseconds(20))
        let events = blockedWorkers(of: system)
        let gate = DispatchSemaphore(value: 0)
        let blocked = try system.spawn("culprit") { Puppet() }
        let other = try system.spawn { Puppet() }
        let begun = Journal<Int>()
        blocked.act { _ in
            begun.note(1)
            gate.wait()
        }
        _ = await begun.first(1)
        try await other.settle()
        let event = try #require(await events.first(1).first)
        #expect(event.actor == "/culprit")
        #expect(event.messageType == Puppet.Message.self)
        #expect(event.isReplaced)
        gate.signal()
        try await blocked.settle()
        await system.shutdown()
        #expect(system.threadCount == 0)
    }

    @Test("what waits in the queues of a worker whose handler blocks is taken over, also what it wakes later")
    func takenOver() async throws {
        let system = ActorSystem("taken", workers: 1, watchdog: .milliseconds(20))
        let others = try (0..<5).map { _ in try system.spawn { Puppet() } }
        let late = try system.spawn { Puppet() }
        let blocked = try system.spawn { Puppet() }
        let gate = DispatchSemaphore(value: 0)
        blocked.act { _ in
            for other in others { other.act { _ in gate.signal() } }
            for _ in others { gate.wait() }
            for _ in 0..<3 {
                late.act { _ in gate.signal() }
                gate.wait()
            }
        }
        try await blocked.settle()
        await system.shutdown()
        #expect(system.threadCount == 0)
    }

    @Test("handlers that block in each of 2 × cores actors do not hold up the others, and events name all of them")
    func wave() async throws {
        let workers = ActorSystem.processorCount
        let system = ActorSystem("wave", workers: workers)
        let events = blockedWorkers(of: system)
        let begun = Journal<Int>()
        let gate = DispatchSemaphore(value: 0)
        let blocked = try (0..<2 * workers).map { try system.spawn("blocked-\($0)") { Puppet() } }
        let others = try (0..<20).map { _ in try system.spawn { Puppet() } }
        let delays = Journal<Duration>()
        for actor in blocked {
            actor.act { _ in
                begun.note(1)
                gate.wait()
            }
        }
        for other in others {
            let sent = ContinuousClock.now
            other.act { _ in delays.note(ContinuousClock.now - sent) }
        }
        // All of them, while the others block. How long they waited depends on what else the machine does.
        let longest = try #require(await delays.first(others.count).max())
        #expect(delays.entries.count == others.count)
        print("wave: others waited \(longest) at most behind \(blocked.count) blocking handlers")
        #expect(await begun.first(blocked.count).count == blocked.count)
        let named = await events.first(blocked.count).compactMap(\.actor)
        #expect(Set(named) == Set(blocked.map(\.path)))
        for _ in blocked { gate.signal() }
        await system.shutdown()
        #expect(system.threadCount == 0)
    }

    @Test("a handler that comes back after it was replaced goes on as before, and its worker makes room")
    func comesBack() async throws {
        let system = ActorSystem("back", workers: 2, watchdog: .milliseconds(5))
        let actors = try (0..<6).map { _ in try system.spawn { Puppet() } }
        let events = blockedWorkers(of: system)
        for round in 1...10 {
            let gate = DispatchSemaphore(value: 0)
            for actor in actors { actor.act { _ in gate.wait() } }
            #expect(await events.first(round * actors.count).count == round * actors.count)
            for _ in actors { gate.signal() }
            for actor in actors { try await actor.settle() }
        }
        await system.shutdown()
        #expect(system.threadCount == 0)
    }

    @Test("a handler that is found to be stuck in the moment of its end is counted once")
    func endsInThatMoment() async throws {
        let patience = 1_000_000
        let system = ActorSystem("moment", workers: 1, watchdog: .nanoseconds(patience))
        let actor = try system.spawn { Puppet() }
        for round in 0..<400 {
            // Ends about when the watchdog has seen enough; then there is nothing to do.
            let time = Duration.nanoseconds(patience * (50 + round % 200) / 100)
            actor.act { _ in
                let end = ContinuousClock.now + time
                while ContinuousClock.now < end {}
            }
            try await actor.settle()
        }
        while system.threadCount > 0 { await Task.yield() }
        #expect(system.awakeCount == 0)
        try await actor.settle()
        await system.shutdown()
        #expect(system.threadCount == 0)
    }

    @Test("a task that blocks on the system's executor is replaced as well, without an actor to name")
    func task() async throws {
        let system = ActorSystem("task", workers: 1, watchdog: .milliseconds(20))
        let events = blockedWorkers(of: system)
        let actor = try system.spawn { Puppet() }
        let gate = DispatchSemaphore(value: 0)
        let begun = Journal<Int>()
        let task = Task(executorPreference: system.taskExecutor) {
            begun.note(1)
            block(on: gate)
        }
        _ = await begun.first(1)
        try await actor.settle()
        #expect(await events.first(1).first?.actor == nil)
        gate.signal()
        await task.value
        await system.shutdown()
    }

    @Test("a worker is stuck after four periods without a new batch, or after one while others are stuck")
    func detector() {
        var detector = StallDetector()
        func look(_ batches: UInt32, _ othersAreStuck: Bool = false) -> Bool {
            detector.isStuck(3, batches: batches, othersAreStuck: othersAreStuck)
        }
        #expect((0..<5).map { _ in look(7) } == [false, false, false, false, true])
        #expect((0..<4).map { _ in look(7) } == [false, false, false, true])
        #expect((0..<20).allSatisfy { !look($0 % 4) })
        #expect((0..<3).map { _ in look(9, true) } == [false, true, true])
        detector.forget(3)
        #expect(!look(9, true))
    }
}

/// Out of an asynchronous context, where waiting is not offered.
private func block(on gate: DispatchSemaphore) { gate.wait() }
