import Conclave
import Testing

@Suite(.timeLimit(.minutes(1))) struct ReceiveTimeoutTests {
    private func idler(_ options: SpawnOptions = SpawnOptions()) throws -> (
        SteppedWorld, Journal<String>, ActorRef<Puppet.Message>
    ) {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let actor = try world.system.spawn(options: options) {
            Puppet(journal, starting: { $0.receiveTimeout(after: .seconds(10)) { .note("idle") } })
        }
        world.settle()
        return (world, journal, actor)
    }

    @Test("an actor that receives nothing for the time given is told, once", arguments: [true, false])
    func once(bounded: Bool) async throws {
        let (world, journal, _) = try idler(
            SpawnOptions(mailbox: bounded ? .bounded(5, overflow: .dropNewest) : .unbounded)
        )
        world.advance(by: .nanoseconds(9_999_999_999))
        #expect(journal.entries == [])
        world.advance(by: .nanoseconds(1))
        #expect(journal.entries == ["idle"])
        world.advance(by: .seconds(100))
        #expect(journal.entries == ["idle"])
        await world.shutdown()
    }

    @Test("each message starts the wait again, to the nanosecond", arguments: [true, false])
    func startsAgain(bounded: Bool) async throws {
        let (world, journal, actor) = try idler(
            SpawnOptions(mailbox: bounded ? .bounded(5, overflow: .dropNewest) : .unbounded)
        )
        for number in 1...5 {
            world.advance(by: .seconds(7))
            actor.send(.note("\(number)"))
            world.settle()
        }
        world.advance(by: .nanoseconds(9_999_999_999))
        #expect(journal.entries == ["1", "2", "3", "4", "5"])
        world.advance(by: .nanoseconds(1))
        #expect(journal.entries.last == "idle")
        // The next message begins the next wait.
        actor.send(.note("6"))
        world.settle()
        world.advance(by: .seconds(10))
        #expect(journal.entries.suffix(3) == ["idle", "6", "idle"])
        await world.shutdown()
    }

    @Test("a message that waits before the timeout's own is received first, and starts the wait again")
    func race() async throws {
        let (world, journal, actor) = try idler()
        actor.send(.note("in time"))
        world.time.advance(by: .seconds(10))  // its signal is behind the message now
        world.settle()
        #expect(journal.entries == ["in time"])
        world.advance(by: .seconds(10))
        #expect(journal.entries == ["in time", "idle"])
        await world.shutdown()
    }

    @Test("timers and answers do not count as messages")
    func signals() async throws {
        let (world, journal, actor) = try idler()
        let server = try world.system.spawn { Puppet() }
        actor.act { context in
            context.every(.seconds(4)) { .note("tick") }
            context.ask(server, timeout: .seconds(9), { .keep($0) }, { .note(describe($0)) })
        }
        world.settle()
        for _ in 0..<3 { world.advance(by: .seconds(4)) }
        #expect(journal.entries == ["tick", "tick", "timeout", "idle", "tick"])
        await world.shutdown()
    }

    @Test("however many messages come, there is one entry in the heap, and the alarm is set once")
    func oneEntry() async throws {
        let (world, journal, actor) = try idler()
        for _ in 0..<1000 {
            actor.act { _ in }
            world.settle()
        }
        #expect(world.system.liveTimerCount == 1)
        #expect(world.time.settings.value == 1)
        #expect(journal.entries == [])
        await world.shutdown()
    }

    @Test("a receive timeout can be replaced and cancelled, even if its message waits already")
    func cancel() async throws {
        let (world, journal, actor) = try idler()
        actor.act { context in
            world.time.advance(by: .seconds(10))
            context.receiveTimeout(after: .seconds(1)) { .note("replaced") }
        }
        world.settle()
        #expect(journal.entries == [])
        world.advance(by: .seconds(1))
        #expect(journal.entries == ["replaced"])
        actor.act { context in
            world.time.advance(by: .seconds(1))
            context.cancelReceiveTimeout()
        }
        world.settle()
        world.advance(by: .seconds(100))
        #expect(journal.entries == ["replaced"])
        #expect(world.system.liveTimerCount == 0)
        await world.shutdown()
    }

    @Test("a receive timeout ends with its incarnation")
    func restart() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let actor = try world.system.spawn(options: .permanent) { Puppet(journal) }
        actor.act { context in
            context.receiveTimeout(after: .seconds(1)) { .note("never") }
            throw Planned()
        }
        world.settle()
        actor.act { _ in }
        world.settle()
        world.advance(by: .seconds(10))
        #expect(journal.entries == [])
        #expect(world.system.liveTimerCount == 0)
        await world.shutdown()
    }
}
