import Conclave
import Dispatch
import Testing

/// The contract's lines about agents.
@Suite(.timeLimit(.minutes(1))) struct AgentTests {
    @Test("one action at a time per agent, in the order sent")
    func order() async throws {
        let system = ActorSystem("agents")
        let numbers = Agent([Int](), in: system)
        for number in 0..<1000 { numbers.send { $0.append(number) } }
        #expect(try await numbers.get() == Array(0..<1000))
        await system.shutdown()
    }

    @Test("functions sent by several tasks are all applied")
    func concurrent() async throws {
        let system = ActorSystem("agents")
        let counter = Agent(0, in: system)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 { group.addTask { for _ in 0..<1000 { counter.send { $0 += 1 } } } }
        }
        #expect(try await counter.get() == 8000)
        await system.shutdown()
    }

    @Test("send runs on the executor, sendBlocking on a thread that may block: other actors go on meanwhile")
    func blocking() async throws {
        let system = ActorSystem("agents", workers: 1)
        let agent = Agent([String](), in: system)
        let gate = DispatchSemaphore(value: 0)
        let begun = Journal<String>()
        agent.send { $0.append("before") }
        agent.sendBlocking { state in
            begun.note("blocked")
            gate.wait()
            state.append("blocking")
        }
        agent.send { $0.append("after") }
        _ = await begun.first(1)
        // The only worker is free, and what was finished before can be seen.
        #expect(try await Agent(1, in: system).get() == 1)
        #expect(agent.snapshot == ["before"])
        gate.signal()
        #expect(try await agent.get() == ["before", "blocking", "after"])
        await system.shutdown()
        #expect(system.threadCount == 0)
    }

    @Test("an agent runs blocking and other actions in the order sent, however many")
    func blockingOrder() async throws {
        let system = ActorSystem("agents")
        let agent = Agent([Int](), in: system)
        for number in 0..<1000 {
            if number % 7 == 0 { agent.sendBlocking { $0.append(number) } } else { agent.send { $0.append(number) } }
        }
        await agent.settled()
        #expect(try await agent.get() == Array(0..<1000))
        await system.shutdown()
    }

    @Test("sends made inside an action are held until it succeeds", arguments: [false, true])
    func heldSends(isBlocking: Bool) async throws {
        let system = ActorSystem("agents")
        let other = Agent([String](), in: system)
        let agent = Agent([String](), in: system)
        let gate = DispatchSemaphore(value: 0)
        let reached = Journal<String>()
        let action: @Sendable (inout [String]) -> Void = { state in
            other.send { $0.append("first") }
            other.send { $0.append("second") }
            agent.send { $0.append("later") }
            reached.note("sent")
            gate.wait()
            state.append("action")
        }
        if isBlocking { agent.sendBlocking(action) } else { agent.send(action) }
        _ = await reached.first(1)
        #expect(try await other.get() == [])
        gate.signal()
        await agent.settled()
        #expect(try await other.get() == ["first", "second"])
        #expect(try await agent.get() == ["action", "later"])
        await system.shutdown()
    }

    @Test("sends made inside an action are dropped if it throws, and the state is as before", arguments: [false, true])
    func droppedSends(isBlocking: Bool) async throws {
        let system = ActorSystem("agents")
        let other = Agent(0, in: system)
        let agent = Agent([0], in: system, onError: .continue { _, _ in })
        let action: @Sendable (inout [Int]) throws -> Void = { state in
            state.append(1)
            other.send { $0 += 1 }
            agent.send { $0.append(2) }
            throw Planned()
        }
        if isBlocking { agent.sendBlocking(action) } else { agent.send(action) }
        agent.send { state in
            state.append(3)
            other.send { $0 += 10 }
        }
        #expect(try await agent.get() == [0, 3])
        #expect(try await other.get() == 10)
        await system.shutdown()
    }

    @Test("what a subscriber sends over an event that an action causes is not held: it is no part of the action")
    func subscriberInside() async throws {
        let system = ActorSystem("agents")
        let (other, ended) = (Agent(0, in: system), try system.spawn { Puppet() })
        ended.stop()
        _ = await ended.terminated()
        system.onEvent { if case .deadLetter = $0 { other.send { $0 += 1 } } }
        let agent = Agent(0, in: system, onError: .continue { _, _ in })
        agent.send { _ in
            ended.act { _ in }
            throw Planned()
        }
        await agent.settled()
        #expect(try await other.get() == 1)
        await system.shutdown()
    }

    @Test(
        "what an actor that an action spawns sends in its start is not held: it is that actor's, whatever becomes of the action",
        arguments: [false, true]
    )
    func startedInside(isBlocking: Bool) async throws {
        let system = ActorSystem("agents")
        let other = Agent([String](), in: system)
        let agent = Agent(0, in: system, onError: .continue { _, _ in })
        let arrived = DispatchSemaphore(value: 0)
        let action: @Sendable (inout Int) throws -> Void = { _ in
            other.send { $0.append("the action's") }
            try system.spawn {
                Puppet(
                    starting: { context in
                        other.send { $0.append("started") }
                        context.stop()
                    },
                    stopping: { _, _ in
                        other.send {
                            $0.append("stopping")
                            arrived.signal()
                        }
                    }
                )
            }
            // While the action still runs.
            #expect(arrived.wait(timeout: .now() + 5) == .success)
            throw Planned()
        }
        if isBlocking { agent.sendBlocking(action) } else { agent.send(action) }
        await agent.settled()
        #expect(try await other.get() == ["started", "stopping"])
        await system.shutdown()
    }

    @Test("snapshot reads without a message: the state at the end of a recent batch")
    func snapshot() async throws {
        let world = SteppedWorld()
        let counter = try Agent(1, in: world.system, name: "counter")
        #expect(counter.snapshot == 1)
        counter.send { $0 += 1 }
        #expect(counter.snapshot == 1)
        world.settle()
        #expect(counter.snapshot == 2)
        await world.shutdown()
    }

    @Test("on error fail: the queue is held, and the agent goes on when it is restarted by hand")
    func fail() async throws {
        let system = ActorSystem("agents")
        let agent = Agent(["first"], in: system)
        agent.send { _ in throw Planned() }
        agent.send { $0.append("held") }
        #expect(await !agent.settled())
        #expect(agent.failure is Planned)
        #expect(agent.snapshot == ["first"])
        await #expect(throws: AgentError.self) { try await agent.get() }
        try await agent.restart(with: ["again"])
        #expect(agent.failure == nil)
        #expect(try await agent.get() == ["again", "held"])
        await #expect(throws: AgentError.self) { try await agent.restart(with: []) }
        agent.send { _ in throw Planned() }
        agent.send { $0.append("lost") }
        try await agent.restart(with: ["clean"], discardingHeld: true)
        #expect(try await agent.get() == ["clean"])
        await system.shutdown()
    }

    @Test("a long held queue runs in order, and one that fails again is held again")
    func failAgain() async throws {
        let system = ActorSystem("agents")
        let agent = Agent([Int](), in: system)
        agent.send { _ in throw Planned() }
        for number in 0..<500 {
            agent.send { $0.append(number) }
            if number == 250 { agent.send { _ in throw Planned() } }
        }
        try await agent.restart(with: [])
        #expect(await !agent.settled())
        #expect(agent.snapshot.last == 250)
        try await agent.restart(with: agent.snapshot)
        #expect(try await agent.get() == Array(0..<500))
        await system.shutdown()
    }

    @Test(
        "on error fail: a supervisor restarts the agent with its first state, and what waits is kept",
        arguments: [false, true]
    )
    func supervised(isBlocking: Bool) async throws {
        let system = ActorSystem("agents")
        let agent = try Agent(["first"], in: system, name: "agent", options: .permanent)
        agent.send { $0.append("gone") }
        if isBlocking { agent.sendBlocking { _ in throw Planned() } } else { agent.send { _ in throw Planned() } }
        agent.send { $0.append("kept") }
        #expect(try await agent.get() == ["first", "kept"])
        await system.shutdown()
    }

    @Test("on error continue: the handler hears of the error, and the next action runs")
    func continueWithHandler() async throws {
        let system = ActorSystem("agents")
        let agent = Agent([String](), in: system, onError: .continue { error, state in state.append("\(error)") })
        agent.send { $0.append("before") }
        agent.send { _ in throw Planned() }
        agent.send { $0.append("after") }
        #expect(try await agent.get() == ["before", "Planned()", "after"])
        #expect(agent.failure == nil)
        await system.shutdown()
    }

    @Test("await agent.settled() is a barrier over what was sent so far")
    func settled() async throws {
        let system = ActorSystem("agents")
        let agent = Agent(0, in: system)
        for round in 1...100 {
            for _ in 0..<10 { agent.send { $0 += 1 } }
            agent.sendBlocking { $0 += 1 }
            #expect(await agent.settled())
            #expect(agent.snapshot == 11 * round)
            #expect(try await agent.get() == 11 * round)
        }
        agent.stop()
        #expect(await !agent.settled())
        await system.shutdown()
        #expect(system.liveTimerCount == 0)
    }

    @Test("who waits for an agent to settle can be cancelled")
    func cancelSettled() async throws {
        let world = SteppedWorld()
        let agent = Agent(0, in: world.system)
        let waiting = Task { await agent.settled() }
        waiting.cancel()
        #expect(await !waiting.value)
        await world.shutdown()
        #expect(world.system.liveTimerCount == 0)
    }

    @Test("an agent of an actor ends with it")
    func child() async throws {
        let system = ActorSystem("agents")
        let made = Journal<Agent<Int>>()
        let parent = try system.spawn { Puppet(starting: { made.note(try $0.spawnAgent(7, name: "agent")) }) }
        let agent = try #require(await made.first(1).first)
        #expect(try await agent.get() == 7)
        parent.stop()
        _ = await agent.terminated()
        #expect(await !agent.settled())
        await system.shutdown()
    }

    @Test("an agent that was stopped answers no more, its last snapshot stays")
    func stopped() async throws {
        let system = ActorSystem("agents")
        let counter = Agent(1, in: system)
        counter.send { $0 = 5 }
        #expect(try await counter.get() == 5)
        counter.stop()
        #expect(["noProcess", "stopped(shutdown)"].contains(await askFailure { try await counter.get() }))
        await system.shutdown()
        #expect(counter.snapshot == 5)
    }

    @Test("an agent made in a system that has ended is one that has ended: what it is sent are dead letters")
    func ended() async throws {
        let system = ActorSystem("agents")
        await system.shutdown()
        let agent = Agent(1, in: system)
        agent.send { $0 += 1 }
        #expect(system.deadLetterCount == 1)
        #expect(await askFailure { try await agent.get() } == "noProcess")
        #expect(await !agent.settled())
        #expect(agent.snapshot == 1)
        #expect(throws: SpawnError.parentStopping) { try Agent(1, in: system, name: "agent") }
    }

    @Test("an agent, its state and its actions are gone after the shutdown, whatever it was doing")
    func noLeak() async throws {
        final class Token: Sendable {}
        weak var state: Token?
        weak var action: Token?
        let system = ActorSystem("agents")
        func run() async throws {
            let first = Token()
            state = first
            let agent = Agent(first, in: system)
            let captured = Token()
            action = captured
            agent.send { _ in throw Planned() }
            agent.send { [captured] _ in withExtendedLifetime(captured) {} }
            #expect(await !agent.settled())
            agent.sendBlocking { _ in }
        }
        try await run()
        await system.shutdown()
        #expect(system.liveCellCount == 0)
        #expect(state == nil)
        #expect(action == nil)
    }

    /// Notes each message that an agent has received.
    private struct Received: Instrument {
        let journal = Journal<String>()
        func handlerEnded(in actor: ActorInfo, error: (any Error)?) { if actor.path == "/agent" { journal.note("") } }
    }

    @Test("what an agent holds when it ends becomes dead letters, and who waits for it is told at once")
    func heldAtTheEnd() async throws {
        let received = Received()
        let system = ActorSystem("agents", instrument: received)
        let gate = DispatchSemaphore(value: 0)
        let agent = try Agent(0, in: system, name: "agent")
        agent.sendBlocking { _ in gate.wait() }
        agent.send { $0 += 1 }
        async let settled = agent.settled()
        async let found = askFailure { try await agent.get(timeout: .seconds(60)) }
        #expect(await received.journal.first(4).count == 4)
        agent.stop()
        gate.signal()
        _ = await agent.terminated()  // for which reason is not told if it has ended already
        #expect(await !settled)
        #expect(await found == "noProcess")
        await system.shutdown()
        // The three that were held, and the end of the blocking action, which came too late.
        #expect(system.deadLetterCount == 4)
    }

    @Test("a blocking action that outlives its incarnation changes nothing of the next one")
    func blockingOverRestart() async throws {
        let system = ActorSystem("agents")
        let (first, second) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let journal = Journal<String>()
        let failing = Journal<ActorRef<Puppet.Message>>()
        let made = Journal<Agent<[String]>>()
        try system.spawn("parent") {
            Puppet(starting: { context in
                context.supervise(.oneForAll)
                failing.note(try context.spawn(options: .permanent) { Puppet() })
                made.note(try context.spawnAgent([], name: "agent", options: .permanent))
                try context.spawn("witness", options: .permanent) {
                    Puppet(starting: { _ in journal.note("started") })
                }
            })
        }
        let agent = try #require(await made.first(1).first)
        agent.sendBlocking { state in
            journal.note("first")
            first.wait()
            state.append("first")
        }
        #expect(await journal.first(2) == ["started", "first"])
        failing.entries.first?.act { _ in throw Planned() }
        try await waitUntil { await system.snapshot()["/parent/agent"]?.state == .ending }
        agent.sendBlocking { state in
            journal.note("second")
            second.wait()
            state.append("second")
        }
        first.signal()
        #expect(await journal.first(4).contains("second"))
        agent.send { $0.append("third") }
        async let state = agent.get()
        // The order comes after the question, which waits for the second action.
        await #expect(throws: AgentError.self) { try await agent.restart(with: []) }
        second.signal()
        #expect(try await state == ["second", "third"])
        await system.shutdown()
    }
}
