import Conclave
import Dispatch
import Testing

/// No watchdog here: only what a handler says about itself counts.
@Suite(.timeLimit(.minutes(2))) struct BlockingTests {
    @Test("context.blocking tells the executor, which starts a replacement worker first")
    func replacement() async throws {
        let system = ActorSystem("blocking", workers: 1, watchdog: nil)
        let journal = Journal<String>()
        let gate = DispatchSemaphore(value: 0)
        let blocked = try system.spawn { Puppet() }
        let other = try system.spawn { Puppet() }
        blocked.act { context in
            let value = try context.blocking {
                journal.note("blocks")
                gate.wait()
                return 7
            }
            journal.note("goes on with \(value)")
        }
        _ = await journal.first(1)
        other.act { _ in
            journal.note("other")
            gate.signal()
        }
        #expect(await journal.first(3) == ["blocks", "other", "goes on with 7"])
        await system.shutdown()
        #expect(system.threadCount == 0)
    }

    @Test("whom a handler has woken before or during context.blocking does not wait for its end")
    func wokenBefore() async throws {
        let system = ActorSystem("woken", workers: 1, watchdog: nil)
        let others = try (0..<5).map { _ in try system.spawn { Puppet() } }
        let late = try system.spawn { Puppet() }
        let blocked = try system.spawn { Puppet() }
        let gate = DispatchSemaphore(value: 0)
        blocked.act { context in
            for other in others { other.act { _ in gate.signal() } }
            try context.blocking {
                for _ in others { gate.wait() }
                late.act { _ in gate.signal() }
                gate.wait()
            }
        }
        try await blocked.settle()
        await system.shutdown()
    }

    @Test("what context.blocking throws reaches the handler, and a failure there fails the actor as any other")
    func throwing() async throws {
        let system = ActorSystem("throwing")
        let actor = try system.spawn { Puppet() }
        let failures = Journal<any Error>()
        system.onEvent { if case .actorFailed(_, let error) = $0 { failures.note(error) } }
        actor.act { try $0.blocking { throw Planned() } }
        #expect(await failures.first(1).first is Planned)
        await system.shutdown()
    }

    @Test("after blocked handlers have come back no more actors run at a time than there are workers")
    func surplus() async throws {
        let workers = 2
        let system = ActorSystem("surplus", workers: workers, watchdog: nil)
        let arrived = Journal<Int>()
        let gate = DispatchSemaphore(value: 0)
        let count = 12
        let blocked = try (0..<count).map { _ in try system.spawn { Puppet() } }
        for actor in blocked {
            actor.act { context in
                try context.blocking {
                    arrived.note(1)
                    gate.wait()
                }
            }
        }
        #expect(await arrived.first(count).count == count)
        for _ in blocked { gate.signal() }
        for actor in blocked { try await actor.settle() }

        let running = Counter()
        let most = Guarded(0)
        let busy = try (0..<50).map { _ in try system.spawn { Puppet() } }
        for actor in busy {
            actor.act { _ in
                running.up()
                for _ in 0..<200 { most.withLock { $0 = max($0, running.value) } }
                running.up(by: -1)
            }
        }
        for actor in busy { try await actor.settle() }
        #expect(most.withLock { $0 } <= workers)
        await system.shutdown()
        #expect(system.threadCount == 0)
    }

    @Test(
        "a token that a handler dropped before context.blocking fails its asker before its code runs",
        arguments: [false, true]
    )
    func droppedBeforeBlocking(onOwnThread: Bool) async throws {
        let system = ActorSystem("dropped")
        let tokens = Journal<Reply<Int>>()
        let gate = DispatchSemaphore(value: 0)
        let options = SpawnOptions(runsOn: onOwnThread ? .ownThread : .workers)
        let actor = try system.spawn(options: options) { Puppet() }
        let failure = await askFailure {
            try await actor.ask(timeout: .seconds(5)) { reply in
                tokens.note(reply)
                return .act { context in
                    tokens.clear { _ in }
                    try context.blocking { gate.wait() }
                }
            }
        }
        #expect(failure == "unanswered")
        gate.signal()
        try await actor.settle()
        await system.shutdown()
    }

    @Test("handlers that block again and again, a few at a time, lose no message and no thread")
    func churn() async throws {
        let system = ActorSystem("churn", workers: 2)
        let actors = try (0..<8).map { _ in try system.spawn { Puppet() } }
        let done = Counter()
        for round in 0..<2000 {
            actors[round % 8].act { context in
                let next = actors[(round + 1) % 8]
                next.act { _ in done.up() }
                try context.blocking { if round % 50 == 0 { DispatchQueue(label: "hop").sync {} } }
                next.act { _ in done.up() }
            }
        }
        for _ in 0..<2 { for actor in actors { try await actor.settle() } }
        #expect(done.value == 4000)
        await system.shutdown()
        #expect(system.threadCount == 0)
    }

    @Test(
        "context.blocking on an actor with a thread of its own, or in a start on a caller's thread, only runs its code"
    )
    func elsewhere() async throws {
        let system = ActorSystem("elsewhere")
        let journal = Journal<String>()
        let actor = try system.spawn(options: SpawnOptions(runsOn: .ownThread)) {
            Puppet(starting: { try $0.blocking { journal.note("start") } })
        }
        actor.act { try $0.blocking { journal.note("own thread") } }
        #expect(await journal.first(2) == ["start", "own thread"])
        await system.shutdown()
    }

    // In a process of its own, since other tests take from the same budget.
    @Test(
        "beyond the threads that Dispatch can give, context.blocking is refused with a typed error before its code runs"
    )
    func refusal() async {
        await #expect(processExitsWith: .success) {
            let system = ActorSystem("refusal", workers: 1)
            let actor = try system.spawn { Puppet() }
            while ThreadBudget.take() {}
            let journal = Journal<String>()
            actor.act { context in
                do {
                    try context.blocking { journal.note("ran") }
                } catch BlockingError.tooManyThreads(let limit) {
                    journal.note(limit == ThreadBudget.limit ? "refused" : "wrong limit")
                }
            }
            #expect(await journal.first(1) == ["refused"])
            ThreadBudget.giveBack()
            actor.act { try $0.blocking { journal.note("ran") } }
            #expect(await journal.first(2).last == "ran")
            try await actor.settle()  // the handler is over
            #expect(ThreadBudget.inUse == ThreadBudget.limit - 1)
            await system.shutdown()
        }
    }

    @Test("as many handlers may block at a time as the budget says, and the others still run")
    func budget() async {
        await #expect(processExitsWith: .success) {
            let system = ActorSystem("budget", workers: 2)
            let arrived = Journal<Int>()
            let gate = DispatchSemaphore(value: 0)
            for _ in 0..<ThreadBudget.limit {
                try system.spawn { Puppet() }.act { context in
                    try context.blocking {
                        arrived.note(1)
                        gate.wait()
                    }
                }
            }
            #expect(await arrived.first(ThreadBudget.limit).count == ThreadBudget.limit)
            try await system.spawn { Puppet() }.settle()
            for _ in 0..<ThreadBudget.limit { gate.signal() }
            await system.shutdown()
            #expect(system.threadCount == 0 && ThreadBudget.inUse == 0)
        }
    }
    @Test(
        "actors with a thread of their own take from the same budget: beyond it they wait for a thread, and the others still run"
    )
    func ownThreads() async {
        await #expect(processExitsWith: .success) {
            let system = ActorSystem("own threads", workers: 2)
            let arrived = Journal<Int>()
            let gate = DispatchSemaphore(value: 0)
            let count = ThreadBudget.limit + 20
            for number in 0..<count {
                try system.spawn(options: SpawnOptions(runsOn: .ownThread)) { Puppet() }.act { _ in
                    arrived.note(number)
                    gate.wait()
                }
            }
            #expect(await arrived.first(ThreadBudget.limit).count == ThreadBudget.limit)
            #expect(!ThreadBudget.take())
            let other = try system.spawn { Puppet() }
            try await other.settle()
            let journal = Journal<String>()
            other.act { context in
                do { try context.blocking { journal.note("ran") } } catch is BlockingError { journal.note("refused") }
            }
            #expect(await journal.first(1) == ["refused"])
            // All that could run have been there for long.
            #expect(arrived.count == ThreadBudget.limit)
            for _ in 0..<count { gate.signal() }
            #expect(await arrived.first(count).sorted() == Array(0..<count))
            await system.shutdown()
            #expect(system.threadCount == 0 && ThreadBudget.inUse == 0)
        }
    }
}
