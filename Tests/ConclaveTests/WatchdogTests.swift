import Conclave
import Dispatch
import Foundation
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

    @Test("without a watchdog the actor that a handler woke last waits for its end, and no other")
    func unwatched() async throws {
        let system = ActorSystem("unwatched", workers: 2, watchdog: nil)
        let ran = Journal<String>()
        let gate = DispatchSemaphore(value: 0)
        let actors = try ["first", "second", "last"].map { name in (name, try system.spawn { Puppet() }) }
        try system.spawn { Puppet() }.act { _ in
            for (name, actor) in actors { actor.act { _ in ran.note(name) } }
            gate.wait()
        }
        #expect(Set(await ran.first(2)) == ["first", "second"])
        gate.signal()
        #expect(await ran.first(3).last == "last")
        await system.shutdown()
    }

    @Test("handlers that block in each of 2 × cores actors do not hold up the others, and events name all of them")
    func wave() async throws {
        // Others wait for 150 ms at most, and what the machine is late. It may be so where our witness does not notice: then it gets
        // another chance. A watchdog that is too slow is so each time.
        for round in 1...5 {
            let (delay, ofMachine) = try await longestDelay()
            print("wave: others waited \(delay / 1000) µs at most, the machine was late by \(ofMachine / 1000) µs")
            if delay < 150_000_000 + ofMachine { return }
            #expect(round < 5, "others waited \(delay) ns, in which the machine was late by \(ofMachine) ns")
        }
    }

    /// How long an actor waited at most, in nanoseconds, while 2 × cores others blocked for two seconds each.
    private func longestDelay() async throws -> (delay: UInt64, ofMachine: UInt64) {
        let workers = ActorSystem.processorCount
        let system = ActorSystem("wave", workers: workers)
        let events = blockedWorkers(of: system)
        let ended = Journal<Int>()
        let blocked = try (0..<2 * workers).map { try system.spawn("blocked-\($0)") { Puppet() } }
        let probe = try system.spawn { Puppet() }
        let witness = Witness()
        let longest = Guarded<(delay: UInt64, ofMachine: UInt64)>((0, 0))
        let probed = Counter()
        for actor in blocked {
            actor.act { _ in
                // What is tested, not a wait for something: a handler that blocks far longer than any of the others may wait.
                Thread.sleep(forTimeInterval: 2)
                ended.note(1)
            }
        }
        await onOwnThread {
            var sent = 0
            while ended.count < blocked.count {
                let lateBefore = witness.lateness
                let start = Witness.now
                probe.act { _ in
                    let delay = Witness.now - start
                    let late = witness.lateness  // of the moment: it may have become less
                    let ofMachine = late - min(late, lateBefore)
                    longest.withLock { longest in
                        let before = longest.delay - min(longest.delay, longest.ofMachine)
                        if delay > before + ofMachine { longest = (delay, ofMachine) }
                    }
                    probed.up()
                }
                sent += 1
                witness.sleep()
            }
            while probed.value < sent { witness.sleep() }
        }
        #expect(Set(await events.first(blocked.count).compactMap(\.actor)) == Set(blocked.map(\.path)))
        await system.shutdown()
        #expect(system.threadCount == 0)
        return longest.withLock { $0 }
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

    @Test("each message whose handler blocks is reported, although they wait one behind the other")
    func again() async throws {
        let system = ActorSystem("again", workers: 1, watchdog: .milliseconds(5))
        let events = blockedWorkers(of: system)
        let gates = (0..<3).map { _ in DispatchSemaphore(value: 0) }
        let actor = try system.spawn("culprit") { Puppet() }
        for gate in gates { actor.act { _ in gate.wait() } }
        for (place, gate) in gates.enumerated() {
            #expect(await events.first(place + 1).count == place + 1)
            gate.signal()
        }
        try await actor.settle()
        #expect(events.entries.allSatisfy { $0.actor == "/culprit" && $0.isReplaced })
        await system.shutdown()
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

/// A plain thread that sleeps a millisecond at a time. What it oversleeps, the machine was late, for whatever reason: a test that
/// promises a time adds that to its bound, so that it is strict on a quiet machine and holds on a loaded one.
private final class Witness: Sendable {
    private let late = Atomic<UInt64>(0)
    private let lastSeen = Atomic<UInt64>(Witness.now)
    /// A sleep of a millisecond takes a little longer on any machine.
    private static let tolerated: UInt64 = 2_000_000

    static var now: UInt64 { DispatchTime.now().uptimeNanoseconds }

    /// Nanoseconds so far, those of a sleep that is not over among them.
    var lateness: UInt64 {
        let seen = lastSeen.load(ordering: .acquiring)
        let since = max(Self.now, seen) - seen
        return late.load(ordering: .acquiring) + since - min(since, Self.tolerated)
    }

    /// By the one thread.
    func sleep() {
        let start = Self.now
        Thread.sleep(forTimeInterval: 0.001)
        let end = Self.now
        let took = end - start
        late.add(took - min(took, Self.tolerated), ordering: .releasing)
        lastSeen.store(end, ordering: .releasing)
    }
}
