import Conclave
import Testing

/// `sendWhenRoom`: senders that wait.
@Suite(.timeLimit(.minutes(1))) struct SuspendedSenderTests {
    private func full(_ overflow: Mailbox.Overflow = .suspendSender) throws -> (
        SteppedWorld, Journal<String>, ActorRef<Puppet.Message>
    ) {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let actor = try world.system.spawn(options: SpawnOptions(mailbox: .bounded(1, overflow: overflow))) {
            Puppet(journal)
        }
        actor.send(.note("first"))
        return (world, journal, actor)
    }

    /// Starts a sender and waits until it waits.
    private func start(
        _ world: SteppedWorld,
        _ body: @escaping @Sendable () async -> Void
    ) async -> Task<Void, Never> {
        let waits = Journal<Int>()
        world.system.onEvent { if case .mailboxOverflowed = $0 { waits.note(1) } }
        let task = Task { await body() }
        #expect(await waits.first(1).count == 1)
        return task
    }

    @Test("suspendSender: a sender waits for room and goes on when there is some")
    func waits() async throws {
        let (world, journal, actor) = try full()
        let task = await start(world) {
            do { try await actor.sendWhenRoom(.note("second")) } catch { journal.note("\(error)") }
            journal.note("sent")
        }
        #expect(journal.entries == [])
        world.settle()
        await task.value
        world.settle()
        #expect(journal.entries.sorted() == ["first", "second", "sent"])
        await world.shutdown()
    }

    @Test("senders that wait are served in the order of their coming")
    func fair() async throws {
        let (world, journal, actor) = try full()
        var tasks: [Task<Void, Never>] = []
        for number in 1...5 {
            tasks.append(await start(world) { try? await actor.sendWhenRoom(.note("\(number)")) })
        }
        world.settle()
        for task in tasks { await task.value }
        world.settle()
        #expect(journal.entries == ["first", "1", "2", "3", "4", "5"])
        await world.shutdown()
    }

    @Test("send does not overtake a sender that waits: it makes a dead letter")
    func noOvertaking() async throws {
        let (world, journal, actor) = try full()
        let task = await start(world) { try? await actor.sendWhenRoom(.note("waiting")) }
        actor.send(.note("overtaking"))
        #expect(world.system.deadLetterCount == 1)
        world.settle()
        await task.value
        world.settle()
        #expect(journal.entries == ["first", "waiting"])
        await world.shutdown()
    }

    @Test("a sender that is cancelled while it waits stops waiting; its message is never received")
    func cancelled() async throws {
        let (world, journal, actor) = try full()
        let outcome = Journal<String>()
        let task = await start(world) {
            do { try await actor.sendWhenRoom(.note("cancelled")) } catch { outcome.note("\(type(of: error))") }
        }
        task.cancel()
        await task.value
        #expect(outcome.entries == ["CancellationError"])
        world.settle()
        #expect(journal.entries == ["first"])
        #expect(world.system.deadLetterCount == 0)
        await world.shutdown()
    }

    @Test("a task that was cancelled before sends only if there is room at once")
    func cancelledBefore() async throws {
        let (world, journal, actor) = try full()
        let outcome = Journal<String>()
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            do { try await actor.sendWhenRoom(.note("cancelled")) } catch { outcome.note("\(type(of: error))") }
        }
        await task.value
        #expect(outcome.entries == ["CancellationError"])
        world.settle()
        #expect(journal.entries == ["first"])
        await world.shutdown()
    }

    @Test("a sender that waits learns that the actor ended; its message is a dead letter")
    func ended() async throws {
        let (world, _, actor) = try full()
        let outcome = Journal<String>()
        let task = await start(world) {
            do { try await actor.sendWhenRoom(.note("too late")) } catch { outcome.note("\(error)") }
            do { try await actor.sendWhenRoom(.note("later still")) } catch { outcome.note("\(error)") }
        }
        actor.stop()
        world.settle()
        await task.value
        #expect(outcome.entries == Array(repeating: "\(SendError.ended(.shutdown))", count: 2))
        #expect(world.system.deadLetterCount == 3)
        await world.shutdown()
    }

    @Test("whoever is willing to wait may, whatever the overflow")
    func otherOverflows() async throws {
        for overflow in [Mailbox.Overflow.rejectNewest, .dropNewest, .fail] {
            let (world, journal, actor) = try full(overflow)
            let task = await start(world) { try? await actor.sendWhenRoom(.note("second")) }
            world.settle()
            await task.value
            world.settle()
            #expect(journal.entries == ["first", "second"])
            await world.shutdown()
        }
        let (world, journal, actor) = try full(.dropOldest)
        try await actor.sendWhenRoom(.note("second"))
        world.settle()
        #expect(journal.entries == ["second"])
        await world.shutdown()
    }

    @Test("a fast sender is slowed down to the pace of the receiver, and its order is kept")
    func backPressure() async throws {
        let system = ActorSystem("pressure")
        struct Slow: Behavior {
            enum Message { case number(Int), result(Reply<Bool>) }
            var next = 0
            var isOrdered = true
            mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
                switch consume message {
                case .number(let number):
                    if number != next { isOrdered = false }
                    next = number + 1
                case .result(let reply): reply(isOrdered && next == 20_000)
                }
            }
        }
        let actor = try system.spawn(options: SpawnOptions(mailbox: .bounded(4, overflow: .suspendSender))) { Slow() }
        for number in 0..<20_000 { try await actor.sendWhenRoom(.number(number)) }
        #expect(try await actor.ask { .result($0) })
        #expect(system.deadLetterCount == 0)
        await system.shutdown()
    }

    // MARK: Asks

    @Test("an ask of a full mailbox fails at once with mailboxFull")
    func askFull() async throws {
        for overflow in [Mailbox.Overflow.rejectNewest, .dropNewest, .fail] {
            let (world, _, actor) = try full(overflow)
            #expect(await askFailure { try await actor.ask { .count($0) } } == "mailboxFull")
            #expect(world.system.liveTimerCount == 0)
            await world.shutdown()
        }
    }

    @Test("a request that is dropped to make room fails its asker with mailboxFull")
    func askDropped() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let actor = try world.system.spawn(options: SpawnOptions(mailbox: .bounded(1, overflow: .dropOldest))) {
            Puppet()
        }
        let asker = try world.system.spawn { Puppet(journal) }
        asker.act { context in
            context.ask(actor, { .count($0) }, { .note(describe($0)) })
            actor.send(.note("newer"))
        }
        world.settle()
        #expect(journal.entries == ["mailboxFull"])
        await world.shutdown()
    }

    @Test("with suspendSender an ask waits for room, from outside and from inside an actor")
    func askWaits() async throws {
        let (world, journal, actor) = try full()
        let task = await start(world) { journal.note(await askFailure { try await actor.ask { .count($0) } }) }
        let asker = try world.system.spawn { Puppet(journal) }
        asker.act { $0.ask(actor, { .count($0) }, { .note("inside \(describe($0))") }) }
        world.scheduler.runNewestFirst()
        await task.value
        world.settle()
        #expect(journal.entries.sorted() == ["answered: 2", "first", "inside 3"])
        await world.shutdown()
    }

    @Test("an ask that waits for room too long times out, and nothing of it is left")
    func askTimesOut() async throws {
        let (world, journal, actor) = try full()
        let asker = try world.system.spawn { Puppet(journal) }
        asker.act { $0.ask(actor, timeout: .seconds(2), { .count($0) }, { .note(describe($0)) }) }
        // The actor is ready but does not run.
        world.scheduler.stepNewest()
        world.time.advance(by: .seconds(2))
        world.scheduler.stepNewest()
        #expect(journal.entries == ["timeout"])
        actor.act { context in journal.note("\(context.myself.path)") }
        world.settle()
        #expect(try await answer(actor, in: world) == 2)
        await world.shutdown()
    }

    @Test("an ask that waits for room fails when the actor ends")
    func askEnded() async throws {
        let (world, journal, actor) = try full()
        let asker = try world.system.spawn { Puppet(journal) }
        asker.act { $0.ask(actor, { .count($0) }, { .note(describe($0)) }) }
        world.scheduler.stepNewest()
        actor.stop()
        world.settle()
        #expect(journal.entries == ["noProcess"])
        await world.shutdown()
    }

    /// How many messages the actor has received, this one among them.
    private func answer(_ actor: ActorRef<Puppet.Message>, in world: SteppedWorld) async throws -> Int {
        let journal = Journal<Int>()
        let asker = try world.system.spawn { Puppet() }
        asker.act { context in
            context.ask(
                actor,
                { .count($0) },
                { result in
                    if case .success(let count) = result { journal.note(count) }
                    return .note("")
                }
            )
        }
        world.settle()
        return journal.entries.first ?? -1
    }
}
