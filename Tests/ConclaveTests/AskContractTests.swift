import Conclave
import Testing

/// The section "Ask" of the contract, line by line; each failure from outside of actors and from inside one.
@Suite(.timeLimit(.minutes(1))) struct AskContractTests {
    /// A server that two ask: a task, and an actor that notes what it is told.
    private struct Scene {
        let world = SteppedWorld(restartIntensity: RestartIntensity(10, per: .seconds(5)))
        let server: ActorRef<Puppet.Message>
        let journal = Journal<String>()
        private let asker: ActorRef<Puppet.Message>

        init(restart: RestartType = .temporary, mailbox: Mailbox = .unbounded) throws {
            server = try world.system.spawn(options: SpawnOptions(restart: restart, mailbox: mailbox)) { Puppet() }
            asker = try world.system.spawn { [journal] in Puppet(journal) }
        }

        /// Asks from the actor, then from the task. Both requests are in the server's mailbox when this returns, or beyond it.
        func ask(
            timeout: Duration? = nil,
            serverIsIdle: Bool = true,
            _ request: @escaping @Sendable (Reply<Int>) -> Puppet.Message
        ) async -> Task<String, Never> {
            let server = server
            asker.act { context in
                if let timeout {
                    context.ask(server, timeout: timeout, { request($0) }, { .note("inside: \(describe($0))") })
                } else {
                    context.ask(server, { request($0) }, { .note("inside: \(describe($0))") })
                }
            }
            world.settle()
            let ready = world.scheduler.becameReady
            let before = ready.entries.count
            let task = Task {
                await askFailure {
                    if let timeout { return try await server.ask(timeout: timeout) { request($0) } }
                    return try await server.ask { request($0) }
                }
            }
            if serverIsIdle { _ = await ready.first(before + 1) }
            return task
        }

        /// What both were told, now that nothing is left to do.
        func results(_ task: Task<String, Never>) async -> [String] {
            world.settle()
            let outside = await task.value
            world.settle()
            return journal.entries + ["outside: \(outside)"]
        }
    }

    private func both(_ result: String) -> [String] { ["inside: \(result)", "outside: \(result)"] }

    @Test("Inside an actor an ask pipes its answer back as a message, never blocks")
    func pipes() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let server = try world.system.spawn { Puppet() }
        let asker = try world.system.spawn { Puppet(journal) }
        asker.act { context in
            context.ask(server, { .count($0) }, { .note("answer \(describe($0))") })
            journal.note("handler over")
        }
        asker.send(.note("next message"))
        world.settle()
        #expect(journal.entries == ["handler over", "next message", "answer 1"])
        await world.shutdown()
    }

    @Test("Timeout is mandatory (default 5 s)")
    func defaultTimeout() async throws {
        let scene = try Scene()
        let task = await scene.ask { .keep($0) }
        scene.world.settle()
        scene.world.advance(by: .nanoseconds(4_999_999_999))
        #expect(scene.journal.entries == [])
        scene.world.advance(by: .nanoseconds(1))
        #expect(await scene.results(task) == both("timeout"))
        await scene.world.shutdown()
    }

    @Test("Errors: .timeout")
    func timeout() async throws {
        let scene = try Scene()
        let task = await scene.ask(timeout: .seconds(1)) { .keep($0) }
        scene.world.settle()
        scene.world.advance(by: .seconds(1))
        #expect(await scene.results(task) == both("timeout"))
        #expect(scene.world.system.liveTimerCount == 0)
        await scene.world.shutdown()
    }

    @Test("Errors: .noProcess")
    func noProcess() async throws {
        let scene = try Scene()
        scene.server.stop()
        scene.world.settle()
        let task = await scene.ask(serverIsIdle: false) { .count($0) }
        #expect(await scene.results(task) == both("noProcess"))
        #expect(scene.world.system.liveTimerCount == 0)
        await scene.world.shutdown()
    }

    @Test("Errors: .stopped(reason)")
    func stopped() async throws {
        let scene = try Scene()
        let task = await scene.ask { .keep($0) }
        scene.world.settle()
        scene.server.act { _ in throw Planned() }
        #expect(await scene.results(task) == both("stopped(failed(Planned()))"))
        #expect(scene.world.system.liveTimerCount == 0)
        await scene.world.shutdown()
    }

    @Test("Errors: .restarted")
    func restarted() async throws {
        let scene = try Scene(restart: .permanent)
        let task = await scene.ask { .keep($0) }
        scene.world.settle()
        scene.server.act { _ in throw Planned() }
        #expect(await scene.results(task) == both("restarted"))
        // The message that the handler failed over, too.
        let again = await scene.ask { .fail($0) }
        #expect(await scene.results(again) == ["inside: restarted"] + both("restarted"))
        #expect(scene.world.system.liveTimerCount == 0)
        await scene.world.shutdown()
    }

    @Test("Dropping a token unanswered fails the asker at once. Errors: .unanswered")
    func unanswered() async throws {
        let scene = try Scene()
        let task = await scene.ask { .drop($0) }
        #expect(await scene.results(task) == both("unanswered"))
        #expect(scene.world.system.liveTimerCount == 0)
        await scene.world.shutdown()
    }

    @Test("Errors: .selfCall")
    func selfCall() async throws {
        let scene = try Scene()
        let journal = scene.journal
        let actor = try scene.world.system.spawn { Puppet(journal) }
        actor.act { $0.ask($0.myself, { .count($0) }, { .note(describe($0)) }) }
        scene.world.settle()
        #expect(scene.journal.entries == ["selfCall"])
        #expect(scene.world.system.liveTimerCount == 0)
        await scene.world.shutdown()
    }

    @Test("Errors: .mailboxFull")
    func mailboxFull() async throws {
        let scene = try Scene(mailbox: .bounded(1, overflow: .dropNewest))
        scene.server.act { _ in }
        let blocked = Task { [server = scene.server] in await askFailure { try await server.ask { .count($0) } } }
        #expect(await blocked.value == "mailboxFull")
        let actor = try scene.world.system.spawn { [journal = scene.journal] in Puppet(journal) }
        actor.act { [server = scene.server] in
            server.act { _ in }
            $0.ask(server, { .count($0) }, { .note(describe($0)) })
        }
        scene.world.scheduler.runNewestFirst()
        #expect(scene.journal.entries == ["mailboxFull"])
        #expect(scene.world.system.liveTimerCount == 0)
        await scene.world.shutdown()
    }

    @Test("A reply token is single-shot: later answers are dropped and counted")
    func singleShot() async throws {
        let scene = try Scene()
        let task = await scene.ask { reply in
            .act { _ in for number in 1...3 { reply(number) } }
        }
        #expect(await scene.results(task) == ["inside: 1", "outside: answered: 1"])
        #expect(scene.world.system.lateReplyCount == 4)
        await scene.world.shutdown()
    }

    @Test("A late reply is dropped before the mailbox and counted")
    func lateReply() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let kept = Journal<Reply<Int>>()
        let server = try world.system.spawn { Puppet() }
        let asker = try world.system.spawn { Puppet(journal) }
        asker.act { context in
            context.ask(
                server,
                timeout: .seconds(1),
                { (reply: Reply<Int>) in .act { _ in kept.note(reply) } },
                { .note(describe($0)) }
            )
        }
        world.settle()
        world.advance(by: .seconds(1))
        let ready = world.scheduler.becameReady.entries.count
        kept.entries[0](1)
        #expect(world.scheduler.becameReady.entries.count == ready, "the asker's mailbox was left alone")
        world.settle()
        #expect(journal.entries == ["timeout"])
        #expect(world.system.lateReplyCount == 1)
        await world.shutdown()
    }

    @Test("First of reply, DOWN, timeout, cancellation wins")
    func firstWins() async throws {
        enum Ending: CaseIterable { case reply, down, timeout, cancellation }
        for first in Ending.allCases {
            for second in Ending.allCases where second != first {
                let scene = try Scene()
                let kept = Journal<Reply<Int>>()
                let pending = Journal<PendingAsk>()
                let (server, journal) = (scene.server, scene.journal)
                let asker = try scene.world.system.spawn { Puppet(journal) }
                asker.act { context in
                    pending.note(
                        context.ask(
                            server,
                            timeout: .seconds(1),
                            { (reply: Reply<Int>) in .act { _ in kept.note(reply) } },
                            { .note(describe($0)) }
                        )
                    )
                }
                scene.world.settle()
                func end(_ ending: Ending) {
                    switch ending {
                    case .reply: for reply in kept.entries { reply(1) }
                    case .down:
                        // The one who answers is the server's own: it holds the token now.
                        kept.clear { tokens in
                            server.act { context in
                                withExtendedLifetime(tokens) {}
                                context.stop()
                            }
                        }
                    case .timeout: scene.world.time.advance(by: .seconds(1))
                    case .cancellation: asker.act { $0.cancel(pending.entries[0]) }
                    }
                    scene.world.settle()
                }
                end(first)
                end(second)
                let expected: [String] =
                    switch first {
                    case .reply: ["1"]
                    case .down: ["stopped(normal)"]
                    case .timeout: ["timeout"]
                    case .cancellation: []
                    }
                #expect(scene.journal.entries == expected, "\(first) before \(second)")
                #expect(scene.world.system.liveTimerCount == 0)
                await scene.world.shutdown()
            }
        }
    }

    @Test("an ask that an actor takes back is not answered, even if the answer waits already")
    func withdrawn() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let server = try world.system.spawn { Puppet() }
        let asker = try world.system.spawn { Puppet(journal) }
        asker.act { context in
            let waiting = context.ask(server, { .count($0) }, { .note("never \(describe($0))") })
            context.ask(server, { .count($0) }, { .note(describe($0)) })
            world.scheduler.step()  // both answers are in our mailbox now
            context.cancel(waiting)
        }
        world.settle()
        #expect(journal.entries == ["2"])
        #expect(world.system.liveTimerCount == 0)
        await world.shutdown()
    }

    @Test("cancelling the task that asks ends its ask; the late reply is counted")
    func cancelled() async throws {
        let scene = try Scene()
        let kept = Journal<Reply<Int>>()
        let task = await scene.ask { reply in .act { _ in kept.note(reply) } }
        scene.world.settle()
        task.cancel()
        #expect(await task.value == "CancellationError")
        for reply in kept.entries { reply(7) }
        scene.world.settle()
        #expect(scene.journal.entries == ["inside: 7"])
        #expect(scene.world.system.lateReplyCount == 1)
        #expect(scene.world.system.liveTimerCount == 0)
        await scene.world.shutdown()
    }

    @Test("The reply of an actor arrives before its DOWN, also when it answers and ends at once")
    func replyBeforeDown() async throws {
        let scene = try Scene()
        let journal = scene.journal
        let asker = try scene.world.system.spawn { Puppet(journal) }
        asker.act { [server = scene.server] context in
            context.monitor(server) { .note("down \($0)") }
            context.ask(
                server,
                { (reply: Reply<Int>) in
                    .act { context in
                        reply(1)
                        context.stop()
                    }
                },
                { .note(describe($0)) }
            )
        }
        scene.world.settle()
        #expect(journal.entries == ["1", "down normal"])
        await scene.world.shutdown()
    }
}
