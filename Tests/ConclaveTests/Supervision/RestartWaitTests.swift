import Conclave
import Testing

/// Backoff through actors, and what becomes of messages and asks over a restart.
@Suite(.timeLimit(.minutes(1))) struct RestartWaitTests {
    private static let backoff = RestartBackoff(.seconds(1), upTo: .seconds(4), jitter: 0, quietTime: .seconds(60))

    private func start(
        _ options: SpawnOptions,
        intensity: RestartIntensity = RestartIntensity(100, per: .seconds(5))
    ) throws -> (SteppedWorld, Journal<String>, ActorRef<Puppet.Message>) {
        let world = SteppedWorld(restartIntensity: intensity)
        let journal = Journal<String>()
        let actor = try world.system.spawn("it", options: options) {
            Puppet(journal, starting: { _ in journal.note("+") })
        }
        return (world, journal, actor)
    }

    @Test("backoff doubles up to its maximum, and messages wait meanwhile")
    func doubles() async throws {
        let (world, journal, actor) = try start(SpawnOptions(restart: .permanent, backoff: Self.backoff))
        for wait in [1, 2, 4, 4] {
            actor.act { _ in throw Planned() }
            actor.send(.note("after \(wait)"))
            world.settle()
            world.advance(by: .seconds(wait) - .nanoseconds(1))
            #expect(journal.entries.last?.hasPrefix("after \(wait)") != true || wait == 4)
            let before = journal.entries.count
            world.advance(by: .nanoseconds(1))
            #expect(Array(journal.entries.dropFirst(before)) == ["+", "after \(wait)"])
        }
        await world.shutdown()
    }

    @Test("a failed start waits longer as well")
    func failedStart() async throws {
        let world = SteppedWorld(restartIntensity: RestartIntensity(100, per: .seconds(5)))
        let journal = Journal<UInt64>()
        let second: UInt64 = 1_000_000_000
        let origin = world.time.now
        let actor = try world.system.spawn(options: SpawnOptions(restart: .permanent, backoff: Self.backoff)) {
            Puppet(starting: { _ in
                journal.note((world.time.now - origin) / second)
                if (2...4).contains(journal.entries.count) { throw Planned() }
            })
        }
        actor.act { _ in throw Planned() }
        world.settle()
        for _ in 0..<20 { world.advance(by: .seconds(1)) }
        #expect(journal.entries == [0, 1, 3, 7, 11])
        await world.shutdown()
    }

    @Test("the backoff is on the event stream, and so are failures and restarts, with counts")
    func events() async throws {
        let (world, _, actor) = try start(SpawnOptions(restart: .permanent, backoff: Self.backoff))
        let events = Journal<String>()
        world.system.onEvent { event in
            switch event {
            case .restartDelayed(let path, let delay): events.note("\(path) waits \(delay.components.seconds)")
            case .actorRestarted(let path, let restarts): events.note("\(path) restart \(restarts)")
            case .actorFailed(let path, let error): events.note("\(path) \(error)")
            default: break
            }
        }
        for _ in 0..<2 {
            actor.act { _ in throw Planned() }
            world.settle()
            world.advance(by: .seconds(5))
        }
        #expect(
            events.entries == [
                "/it Planned()", "/it waits 1", "/it restart 1", "/it Planned()", "/it waits 2", "/it restart 2",
            ]
        )
        #expect(world.system.counts.failures == 2)
        #expect(world.system.counts.restarts == 2)
        await world.shutdown()
    }

    @Test("a parent that stops while a child waits in its backoff does not wait for it, and leaves no timer")
    func stopWhileWaiting() async throws {
        let (world, journal, actor) = try start(SpawnOptions(restart: .permanent, backoff: Self.backoff))
        actor.act { _ in throw Planned() }
        world.settle()
        #expect(world.system.liveTimerCount == 1)
        await world.shutdown()
        #expect(journal.entries == ["+"])
        #expect(world.system.liveTimerCount == 0)
        // The test's own reference, and what it refers to.
        #expect(world.system.liveCellCount <= 2)
    }

    @Test("a stop from outside in the backoff: a transient actor ends at once, a permanent one is started in time")
    func outsideStopWhileWaiting() async throws {
        for (restart, expected) in [(RestartType.transient, ["+"]), (.permanent, ["+", "+"])] {
            let (world, journal, actor) = try start(SpawnOptions(restart: restart, backoff: Self.backoff))
            let downs = Journal<String>()
            try world.system.spawn { Puppet(downs, starting: { $0.monitor(actor) { .note("\($0)") } }) }
            actor.act { _ in throw Planned() }
            world.settle()
            actor.stop()
            world.settle()
            #expect(downs.entries == (restart == .transient ? ["shutdown"] : []))
            world.advance(by: .seconds(1))
            #expect(journal.entries == expected)
            #expect(world.system.liveTimerCount == 0)
            await world.shutdown()
        }
    }

    @Test("a child in its backoff is stopped with its group and started with it, no earlier than it may")
    func groupInBackoff() async throws {
        let world = SteppedWorld()
        let family = Family()
        try world.system.spawn("parent") {
            family.parent(
                .oneForAll,
                intensity: RestartIntensity(10, per: .seconds(5)),
                [
                    Family.Member("a"),
                    Family.Member("b", SpawnOptions(restart: .permanent, backoff: Self.backoff)),
                ]
            )
        }
        _ = family.news()
        family.ref("b").act { _ in throw Planned() }
        world.settle()
        #expect(family.news() == ["-b failed(Planned())", "-a shutdown"])
        world.advance(by: .milliseconds(999))
        #expect(family.news() == [])
        world.advance(by: .milliseconds(1))
        #expect(family.news() == ["+a", "+b"])
        await world.shutdown()
    }

    @Test("jitter is drawn from the system's seed: the same seed, the same waits")
    func seeded() async throws {
        func waits(_ seed: UInt64) async throws -> [String] {
            let world = SteppedWorld(restartIntensity: RestartIntensity(100, per: .seconds(5)), seed: seed)
            let events = Journal<String>()
            world.system.onEvent { if case .restartDelayed(_, let delay) = $0 { events.note("\(delay)") } }
            let backoff = RestartBackoff(.seconds(1), upTo: .seconds(30), jitter: 0.5)
            let actor = try world.system.spawn(options: SpawnOptions(restart: .permanent, backoff: backoff)) {
                Puppet()
            }
            for _ in 0..<5 {
                actor.act { _ in throw Planned() }
                world.settle()
                world.advance(by: .seconds(30))
            }
            await world.shutdown()
            return events.entries
        }
        let first = try await waits(1)
        #expect(first.count == 5)
        #expect(try await waits(1) == first)
        #expect(try await waits(2) != first)
    }

    // MARK: What waits over a restart

    @Test("a restart keeps the mailbox and drops the failing message")
    func keepMailbox() async throws {
        let (world, journal, actor) = try start(.permanent)
        actor.act { _ in throw Planned() }
        for number in 0..<3 { actor.send(.note("\(number)")) }
        world.settle()
        #expect(journal.entries == ["+", "+", "0", "1", "2"])
        #expect(world.system.deadLetterCount == 0)
        await world.shutdown()
    }

    @Test(
        ".discardMailbox by choice: the next incarnation starts with an empty mailbox",
        arguments: [Mailbox.unbounded, .bounded(10, overflow: .rejectNewest)]
    )
    func discardMailbox(_ mailbox: Mailbox) async throws {
        let (world, journal, actor) = try start(
            SpawnOptions(restart: .permanent, backoff: Self.backoff, onRestart: .discardMailbox, mailbox: mailbox)
        )
        let letters = Journal<String>()
        world.system.onEvent { if case .deadLetter(let letter) = $0 { letters.note("\(letter.reason)") } }
        actor.act { _ in throw Planned() }
        for number in 0..<3 { actor.send(.note("\(number)")) }
        world.settle()
        actor.send(.note("sent while it waits"))
        world.advance(by: .seconds(1))
        #expect(journal.entries == ["+", "+"])
        #expect(letters.entries == Array(repeating: "recipientRestarted", count: 4))
        for number in 0..<3 { actor.send(.note("later \(number)")) }
        world.settle()
        #expect(journal.entries == ["+", "+", "later 0", "later 1", "later 2"])
        await world.shutdown()
    }

    @Test(
        "asks in flight to a restarted actor fail at once with `.restarted`, also those in a mailbox that is discarded"
    )
    func asks() async throws {
        let system = ActorSystem("asks", restartIntensity: RestartIntensity(10, per: .seconds(5)))
        let kept = try system.spawn(options: .permanent) { Puppet() }
        #expect(await askFailure { try await kept.ask { .fail($0) } as Int } == "restarted")
        let gate = Journal<Int>()
        let discarding = try system.spawn(options: SpawnOptions(restart: .permanent, onRestart: .discardMailbox)) {
            Puppet(stopping: { _, _ in gate.note(1) })
        }
        let asker = Journal<String>()
        // Sent in one handler of another actor: the ask waits behind the failure.
        let other = try system.spawn { Puppet(asker) }
        other.act { context in
            discarding.act { _ in throw Planned() }
            context.ask(discarding, { (reply: Reply<Int>) in .count(reply) }) { result in
                switch result {
                case .success: .note("answered")
                case .failure(let error): .note("\(error)")
                }
            }
        }
        let answer = await asker.first(1)
        #expect(answer == ["\(AskError.restarted)"] || answer == ["answered"])
        await system.shutdown()
    }

    @Test("an ask in a discarded mailbox fails with `.restarted`")
    func discardedAsk() async throws {
        let (world, _, actor) = try start(SpawnOptions(restart: .permanent, onRestart: .discardMailbox))
        let answers = Journal<String>()
        let other = try world.system.spawn { Puppet(answers) }
        other.act { context in
            actor.act { _ in throw Planned() }
            context.ask(actor, { (reply: Reply<Int>) in .count(reply) }) { result in
                switch result {
                case .success: .note("answered")
                case .failure(let error): .note("\(error)")
                }
            }
        }
        world.settle()
        #expect(answers.entries == ["\(AskError.restarted)"])
        await world.shutdown()
    }

    @Test("signals stay in a discarded mailbox: a link made while the actor waits is kept")
    func linkWhileWaiting() async throws {
        let (world, journal, actor) = try start(
            SpawnOptions(restart: .permanent, backoff: Self.backoff, onRestart: .discardMailbox)
        )
        let other = try world.system.spawn { Puppet() }
        actor.act { _ in throw Planned() }
        world.settle()
        other.act { context in
            context.link(actor)
            throw Planned()
        }
        world.settle()
        // The next incarnation finds the exit and fails of it.
        world.advance(by: .seconds(1))
        #expect(journal.entries == ["+", "+"])
        world.advance(by: .seconds(2))
        #expect(journal.entries == ["+", "+", "+"])
        await world.shutdown()
    }
}
