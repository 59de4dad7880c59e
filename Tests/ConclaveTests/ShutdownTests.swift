import Conclave
import Dispatch
import Testing

@Suite(.timeLimit(.minutes(2))) struct ShutdownTests {
    /// Keeps itself busy with a message to itself for as long as it lives.
    private struct Busy: Behavior {
        enum Message { case again }
        mutating func started(_ context: borrowing Context<Message>) {
            context.myself.send(.again)
            // Now and then one message more to have in flight.
            context.every(.milliseconds(100)) { .again }
        }
        mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
            context.myself.send(.again)
        }
    }

    @Test("a system whose actors are all busy shuts down and leaves no actor, timer or thread")
    func busySystem() async throws {
        let system = ActorSystem("busy", workers: 4)
        for number in 0..<60 {
            try system.spawn(options: SpawnOptions(runsOn: number % 10 == 0 ? .ownThread : .workers)) { Busy() }
        }
        await system.shutdown()
        #expect(system.liveCellCount == 0)
        #expect(system.liveTimerCount == 0)
        #expect(system.threadCount == 0)
    }

    @Test(
        "a system shuts down while others send to its actors, and stop them, without pause",
        arguments: [false, true]
    )
    func flooded(isBounded: Bool) async throws {
        let system = ActorSystem("flooded", workers: 2)
        let options = SpawnOptions(mailbox: isBounded ? .bounded(1000, overflow: .dropOldest) : .unbounded)
        let actors = try (0..<3).map { _ in try system.spawn(options: options) { Puppet() } }
        let begun = Journal<Int>()
        let over = Counter()
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<4 {
                group.addTask {
                    await onOwnThread {
                        var rounds = 0
                        while over.value == 0 {
                            for actor in actors { if number < 3 { actor.send(.act { _ in }) } else { actor.stop() } }
                            rounds += 1
                            if rounds == 1000 { begun.note(number) }
                        }
                    }
                }
            }
            #expect(await begun.first(4, within: 60).count == 4)
            await system.shutdown()
            over.up()
        }
        #expect(system.threadCount == 0)
    }

    @Test(
        "an actor that fails in its start, or stops itself there, leaves a long mailbox to be discarded in pieces",
        arguments: [false, true]
    )
    func longMailboxAtStart(fails: Bool) async throws {
        let system = ActorSystem("long", workers: 1)
        let journal = Journal<String>()
        let parent = try system.spawn { Puppet(journal) }
        let make: @Sendable () -> Puppet = {
            Puppet(starting: { context in
                for _ in 0..<2000 { context.myself.send(.act { _ in }) }
                if fails { throw Planned() }
                context.stop()
            })
        }
        parent.act { context in
            do {
                let actor = try context.spawn { make() }
                context.monitor(actor) { .note("down \($0)") }
            } catch { journal.note("failed") }
        }
        #expect(await journal.first(1) == [fails ? "failed" : "down noProcess"])
        await system.shutdown()
        #expect(system.counts.deadLetters == 2000)
        #expect(system.threadCount == 0)
    }

    @Test("shutdown stops in reverse start order, and waits until all have")
    func order() async throws {
        let system = ActorSystem("order", workers: 4)
        let journal = Journal<String>()
        for name in ["a", "b", "c"] {
            try system.spawn(name) {
                Puppet(
                    starting: { context in
                        for child in ["1", "2"] {
                            try context.spawn(child) { Puppet(stopping: { _, _ in journal.note(name + child) }) }
                        }
                    },
                    stopping: { _, _ in journal.note(name) }
                )
            }
        }
        await system.shutdown()
        #expect(journal.entries == ["c2", "c1", "c", "b2", "b1", "b", "a2", "a1", "a"])
    }

    @Test("shutdown leaves nothing behind: no thread, no timer, no actor, no mailbox node and no system object")
    func nothingIsLeft() async {
        #if os(Linux)
            // In a process of its own, where nobody else's nodes and systems count.
            await #expect(processExitsWith: .success) {
                let before = ActorSystem.nodesInUse
                #expect(before == 0 && ActorSystem.liveSystemCount == 0)
                for round in 0..<3 {
                    let patient = RestartIntensity(1000, per: .seconds(1))
                    let system = ActorSystem("everything \(round)", workers: 4, restartIntensity: patient)
                    try await Everything.run(in: system)
                    #expect(ActorSystem.nodesInUse > 0 && ActorSystem.liveSystemCount == 1)
                    await system.shutdown()
                    #expect(system.threadCount == 0)
                    #expect(system.liveTimerCount == 0)
                    #expect(system.liveCellCount == 0)
                }
                #expect(ActorSystem.nodesInUse == 0)
                #expect(ActorSystem.liveSystemCount == 0)
            }
        #endif
    }

    @Test("a deep and wide tree shuts down and leaves nothing")
    func tree() async throws {
        @Sendable func node(_ depth: Int) -> Puppet {
            Puppet(starting: { context in
                context.every(.milliseconds(1)) { .note("tick") }
                if depth > 0 { for _ in 0..<4 { try context.spawn { node(depth - 1) } } }
            })
        }
        let system = ActorSystem("tree")
        try system.spawn { node(5) }
        #expect(system.liveCellCount == 1 + (4096 - 1) / 3)
        await system.shutdown()
        #expect(system.liveCellCount == 0)
        #expect(system.liveTimerCount == 0)
        #expect(system.threadCount == 0)
    }

    @Test("nothing refers to a system after its shutdown")
    func systemIsFreed() async throws {
        weak var system: ActorSystem?
        func run() async throws {
            let made = ActorSystem("freed")
            system = made
            try await made.spawn { Puppet() }.settle()
            await made.shutdown()
        }
        for _ in 0..<20 {
            try await run()
            #expect(system == nil)
        }
    }

    @Test("a system that gave up because of failures is freed like one that was shut down")
    func failedSystemIsFreed() async throws {
        let system = ActorSystem("failing", restartIntensity: RestartIntensity(0, per: .seconds(1)))
        func run() throws {
            let actor = try system.spawn(options: .permanent) { Puppet() }
            actor.act { _ in throw Planned() }
        }
        let ended = Task { await system.terminated() }
        try run()
        _ = await ended.value
        #expect(throws: SpawnError.parentStopping) { try system.spawn { Puppet() } }
        await system.shutdown()
        #expect(system.liveCellCount == 0)
        #expect(system.threadCount == 0)
    }

    @Test("a second shutdown, at the same time or later, returns as well")
    func twice() async throws {
        let system = ActorSystem("twice")
        for _ in 0..<50 { try system.spawn { Busy() } }
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 { group.addTask { await system.shutdown() } }
        }
        await system.shutdown()
        #expect(system.liveCellCount == 0)
        #expect(throws: SpawnError.parentStopping) { try system.spawn { Puppet() } }
    }

    @Test("actors that many threads start while the system stops are either refused or stopped")
    func spawnWhileStopping() async throws {
        for _ in 0..<20 {
            let system = ActorSystem("stopping", workers: 4)
            let started = Counter()
            let stopped = Counter()
            let begun = Journal<Int>()
            await withTaskGroup(of: Void.self) { group in
                for spawner in 0..<8 {
                    group.addTask {
                        await onOwnThread {
                            var number = 0
                            while spawn(number, in: system, started, stopped) {
                                number += 1
                                if number == 20 { begun.note(spawner) }
                            }
                        }
                    }
                }
                group.addTask {
                    _ = await begun.first(4)
                    await system.shutdown()
                }
            }
            await system.shutdown()
            #expect(started.value == stopped.value)
            #expect(system.liveCellCount == 0)
            #expect(system.threadCount == 0)
        }
    }

    /// Starts an actor of which every third has a message waiting and every seventh fails. False: refused.
    private func spawn(_ number: Int, in system: ActorSystem, _ started: Counter, _ stopped: Counter) -> Bool {
        do {
            try system.spawn {
                Puppet(
                    starting: { context in
                        started.up()
                        if number % 3 == 0 { context.myself.send(.note("")) }
                        if number % 7 == 0 { throw Planned() }
                    },
                    stopping: { _, _ in stopped.up() }
                )
            }
        } catch is Planned {
            started.up(by: -1)
        } catch {
            return false
        }
        return true
    }

    @Test("an actor whose own thread is in a blocking call ends with that call, and shutdown waits for it")
    func blockedOwnThread() async throws {
        let system = ActorSystem("blocked")
        let gate = DispatchSemaphore(value: 0)
        let journal = Journal<String>()
        let actor = try system.spawn(options: SpawnOptions(runsOn: .ownThread)) {
            Puppet(stopping: { _, _ in journal.note("stopped") })
        }
        actor.act { _ in
            journal.note("blocked")
            gate.wait()
        }
        _ = await journal.first(1)
        async let end: Void = system.shutdown()
        gate.signal()
        await end
        #expect(journal.entries == ["blocked", "stopped"])
        #expect(system.threadCount == 0)
    }
}

/// A system with a bit of everything in flight.
private enum Everything {
    /// A message and a behaviour too large for the pools.
    private struct Large: Behavior {
        var kept: (InlineWords, InlineWords) = (InlineWords(1), InlineWords(2))
        mutating func receive(_ message: consuming InlineWords, _ context: borrowing Context<InlineWords>) {
            kept.0 = message
            context.myself.send(kept.1)
        }
    }

    static func run(in system: ActorSystem) async throws {
        for _ in 0..<2 { try system.spawn { Large() }.send(InlineWords(3)) }
        let hub = try system.spawn("hub", options: .permanent) { Puppet() }
        for number in 0..<60 {
            let mailbox: Mailbox = number % 5 == 0 ? .bounded(4, overflow: .dropOldest) : .unbounded
            let options = SpawnOptions(
                restart: .transient,
                backoff: RestartBackoff(.milliseconds(1), upTo: .seconds(100)),
                runsOn: number % 20 == 0 ? .ownThread : .workers,
                mailbox: mailbox
            )
            let actor = try system.spawn(options: options) {
                Puppet(starting: { context in
                    context.every(.milliseconds(1 + number)) { .note("tick") }
                    context.monitor(hub) { _ in .note("down") }
                    context.trapExits { _ in .note("exit") }
                    context.link(hub)
                    try context.spawn { Puppet() }.send(.note("child"))
                })
            }
            for _ in 0..<10 { actor.send(.note("")) }
            if number % 7 == 0 { actor.stop() }
            if number % 11 == 0 { actor.act { _ in throw Planned() } }
            hub.act { context in
                context.ask(actor, timeout: .seconds(60)) {
                    .keep($0)
                } _: { _ in
                    .note("answer")
                }
                try context.stash(.note("put aside"))
            }
        }
        system.onEvent { _ in }
        let agent = Agent(0, in: system)
        for _ in 0..<100 { agent.send { $0 += 1 } }
        agent.sendBlocking { $0 += 1 }
        await agent.settled()
        let pool = try WorkerPool(workers: 2, in: system) { (job: Int) in job + 1 }
        #expect(try await pool.submit(1) == 2)
        _ = await system.snapshot()
        _ = await askFailure { try await hub.ask(timeout: .milliseconds(1)) { .keep($0) } }
    }
}
