import Conclave
import Testing

@Suite(.timeLimit(.minutes(1))) struct AskTests {
    @Test("an ask that nobody answers fails after its timeout, and a late answer is dropped")
    func timeout() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let server = try world.system.spawn { Puppet() }
        let asker = try world.system.spawn { Puppet(journal) }
        asker.act { context in
            context.ask(server, timeout: .seconds(2), { .keep($0) }, { .note(describe($0)) })
        }
        world.settle()
        world.advance(by: .seconds(1))
        #expect(journal.entries == [])
        world.advance(by: .seconds(1))
        #expect(journal.entries == ["timeout"])
        server.stop()
        world.settle()
        #expect(journal.entries == ["timeout"])
        await world.shutdown()
    }

    @Test("an answer takes the timeout back")
    func answerCancelsTimer() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let server = try world.system.spawn { Puppet() }
        let asker = try world.system.spawn { Puppet(journal) }
        asker.act { $0.ask(server, { .count($0) }, { .note(describe($0)) }) }
        world.settle()
        #expect(journal.entries == ["1"])
        #expect(world.system.liveTimerCount == 0)
        await world.shutdown()
    }

    @Test("the second answer through one token is dropped")
    func singleShot() async throws {
        let system = ActorSystem("ask")
        let server = try system.spawn { Puppet() }
        let answer = try await server.ask { (reply: Reply<Int>) in
            .act { _ in
                #expect(reply.isAwaited)
                reply(1)
                #expect(!reply.isAwaited)
                reply(2)
            }
        }
        #expect(answer == 1)
        await system.shutdown()
    }

    @Test("a dropped token fails the asker at once")
    func dropped() async throws {
        let system = ActorSystem("ask")
        let server = try system.spawn { Puppet() }
        #expect(await askFailure { try await server.ask { .drop($0) } } == "unanswered")
        #expect(system.liveTimerCount == 0)
        await system.shutdown()
    }

    @Test("a handler that fails over a question fails the asker with its own fate")
    func failing() async throws {
        let system = ActorSystem("ask", restartIntensity: RestartIntensity(10, per: .seconds(5)))
        let temporary = try system.spawn { Puppet() }
        let permanent = try system.spawn(options: .permanent) { Puppet() }
        #expect(await askFailure { try await temporary.ask { .fail($0) } } == "stopped(failed(Planned()))")
        #expect(await askFailure { try await permanent.ask { .fail($0) } } == "restarted")
        await system.shutdown()
    }

    @Test("a token in the behaviour is dropped with the incarnation")
    func keptToken() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let server = try world.system.spawn(options: .permanent) { Puppet() }
        let asker = try world.system.spawn { Puppet(journal) }
        asker.act { $0.ask(server, { .keep($0) }, { .note(describe($0)) }) }
        world.settle()
        #expect(journal.entries == [])
        server.act { _ in throw Planned() }
        world.settle()
        #expect(journal.entries == ["restarted"])
        await world.shutdown()
    }

    @Test("an actor that has ended fails its askers at once")
    func ended() async throws {
        let system = ActorSystem("ask")
        let server = try system.spawn { Puppet() }
        server.stop()
        _ = await server.terminated()
        #expect(await askFailure { try await server.ask { .count($0) } } == "noProcess")
        await system.shutdown()
        #expect(await askFailure { try await server.ask { .count($0) } } == "noProcess")
        #expect(system.liveTimerCount == 0)
    }

    @Test("questions that wait in the mailbox fail when the actor ends")
    func waitingQuestions() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let server = try world.system.spawn { Puppet() }
        let asker = try world.system.spawn { Puppet(journal) }
        asker.act { context in
            context.ask(server, { .count($0) }, { .note(describe($0)) })
            context.ask(server, { .count($0) }, { .note(describe($0)) })
            server.stop()
        }
        world.settle()
        #expect(journal.entries == ["noProcess", "noProcess"])
        await world.shutdown()
    }

    @Test("cancelling the task ends its ask, and leaves no timer")
    func cancellation() async throws {
        let system = ActorSystem("ask")
        let server = try system.spawn { Puppet() }
        for _ in 0..<200 {
            let task = Task { await askFailure { try await server.ask(timeout: .seconds(60)) { .keep($0) } } }
            task.cancel()
            #expect(await task.value == "CancellationError")
        }
        #expect(system.liveTimerCount == 0)
        await system.shutdown()
    }

    @Test("a task that is cancelled already sends nothing")
    func cancelledBefore() async throws {
        let system = ActorSystem("ask")
        let journal = Journal<String>()
        let server = try system.spawn { Puppet(journal) }
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return await askFailure {
                try await server.ask { reply in
                    .act { _ in
                        journal.note("sent"); reply(1)
                    }
                }
            }
        }
        #expect(await task.value == "CancellationError")
        try await server.settle()
        #expect(journal.entries == [])
        await system.shutdown()
    }

    @Test("an actor cannot ask itself")
    func selfCall() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let actor = try world.system.spawn { Puppet(journal) }
        actor.act { $0.ask($0.myself, { .count($0) }, { .note(describe($0)) }) }
        world.settle()
        #expect(journal.entries == ["selfCall"])
        await world.shutdown()
    }

    @Test("a question asked in the start of a second incarnation gets its answer")
    func askInRestart() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let server = try world.system.spawn { Puppet() }
        let actor = try world.system.spawn(options: .permanent) {
            Puppet(journal, starting: { $0.ask(server, { .count($0) }, { .note(describe($0)) }) })
        }
        world.settle()
        actor.act { _ in throw Planned() }
        world.settle()
        #expect(journal.entries == ["1", "2"])
        await world.shutdown()
    }

    @Test("the answer to an earlier incarnation's question is not received")
    func answerToEarlierIncarnation() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let server = try world.system.spawn { Puppet() }
        let actor = try world.system.spawn(options: .permanent) { Puppet(journal) }
        actor.act { context in
            context.ask(server, { .count($0) }, { .note(describe($0)) })
            throw Planned()
        }
        world.settle()
        #expect(journal.entries == [])
        await world.shutdown()
    }

    @Test("a question that a worker was started for fails when the worker fails")
    func tokenInFactory() async throws {
        let system = ActorSystem("ask")
        let server = try system.spawn { Puppet() }
        for _ in 0..<50 {
            let failure = await askFailure {
                try await server.ask { (reply: Reply<Int>) in
                    .act { context in
                        let worker = try context.spawn {
                            Puppet(starting: { context in
                                context.myself.act { _ in
                                    _ = reply
                                    throw Planned()
                                }
                            })
                        }
                        withExtendedLifetime(worker) {}
                    }
                }
            }
            #expect(failure == "stopped(failed(Planned()))")
        }
        await system.shutdown()
    }

    @Test("a question in a timer's message fails when the timer ends with its incarnation")
    func tokenInTimer() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let server = try world.system.spawn { Puppet() }
        let asker = try world.system.spawn { Puppet(journal) }
        asker.act { context in
            context.ask(
                server,
                { (reply: Reply<Int>) in .act { $0.after(.seconds(60), send: .keep(reply)) } },
                { .note(describe($0)) }
            )
        }
        world.settle()
        server.act { _ in throw Planned() }
        world.settle()
        #expect(journal.entries == ["stopped(failed(Planned()))"])
        await world.shutdown()
    }

    @Test("an actor that drops a question while it starts fails the asker at once")
    func droppedInStart() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let server = try world.system.spawn { Puppet() }
        let asker = try world.system.spawn { Puppet(journal) }
        asker.act { context in
            context.ask(
                server,
                { (reply: Reply<Int>) in
                    .act { context in
                        let box = Taken(reply)
                        try context.spawn { Puppet(starting: { _ in box.take() }) }
                    }
                },
                { .note(describe($0)) }
            )
        }
        world.settle()
        #expect(journal.entries == ["unanswered"])
        await world.shutdown()
    }

    @Test("an ask whose token is outside of all actors fails when the system ends")
    func tokenOutside() async throws {
        let system = ActorSystem("ask")
        let server = try system.spawn { Puppet() }
        let escaped = Journal<Reply<Int>>()
        async let failure = askFailure {
            try await server.ask(timeout: .seconds(600)) { (reply: Reply<Int>) in .act { _ in escaped.note(reply) } }
        }
        #expect(await escaped.first(1).count == 1)
        await system.shutdown()
        #expect(await failure == "timeout")
    }
}

/// Holds a value until told to drop it.
private final class Taken<Value: Sendable>: Sendable {
    private let value: Guarded<Value?>
    init(_ value: Value) { self.value = Guarded(value) }
    func take() { value.withLock { $0 = nil } }
}
