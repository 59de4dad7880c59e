import Conclave
import Testing

@Suite(.timeLimit(.minutes(1))) struct TimerTests {
    @Test("a timer fires once, at its time and not before")
    func once() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let actor = try world.system.spawn { Puppet(journal) }
        actor.act { $0.after(.milliseconds(100), send: .note("fired")) }
        world.settle()
        world.advance(by: .nanoseconds(99_999_999))
        #expect(journal.entries == [])
        world.advance(by: .nanoseconds(1))
        #expect(journal.entries == ["fired"])
        world.advance(by: .seconds(10))
        #expect(journal.entries == ["fired"])
        #expect(world.system.liveTimerCount == 0)
        await world.shutdown()
    }

    @Test("timers fire in the order of their times, whatever the order of their start")
    func order() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let actor = try world.system.spawn { Puppet(journal) }
        actor.act { context in
            for delay in [5, 1, 4, 2, 3] { context.after(.seconds(delay), send: .note("\(delay)")) }
        }
        world.settle()
        world.advance(by: .seconds(5))
        #expect(journal.entries == ["1", "2", "3", "4", "5"])
        await world.shutdown()
    }

    @Test("a repeating timer fires every interval without drift")
    func repeating() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let actor = try world.system.spawn { Puppet(journal) }
        actor.act { context in
            let time = world.time
            context.every(.seconds(1)) { .note("\(time.now / 1_000_000_000)") }
        }
        world.settle()
        for _ in 0..<6 { world.advance(by: .milliseconds(700)) }
        #expect(journal.entries == ["2", "3", "4", "5"])
        #expect(world.system.liveTimerCount == 1)
        await world.shutdown()
        #expect(world.system.liveTimerCount == 0)
    }

    @Test("intervals that pass while a message still waits are left out")
    func skippedIntervals() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let actor = try world.system.spawn { Puppet(journal) }
        actor.act { $0.every(.seconds(1)) { .note("tick") } }
        world.settle()
        world.advance(by: .seconds(10))
        #expect(journal.entries == ["tick"])
        world.advance(by: .seconds(1))
        #expect(journal.entries == ["tick", "tick"])
        await world.shutdown()
    }

    @Test("a cancelled timer is silent, even if its message waits already")
    func cancel() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let actor = try world.system.spawn { Puppet(journal) }
        actor.act { context in
            let once = context.after(.seconds(1), send: .note("never"))
            let often = context.every(.seconds(1)) { .note("never") }
            context.cancel(context.after(.seconds(1), send: .note("never")))
            world.time.advance(by: .seconds(2))  // both messages are in the mailbox now
            context.cancel(once)
            context.cancel(often)
        }
        world.settle()
        world.advance(by: .seconds(10))
        #expect(journal.entries == [])
        #expect(world.system.liveTimerCount == 0)
        await world.shutdown()
    }

    @Test("timers end with the incarnation that started them, also those whose message waits already")
    func endWithIncarnation() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let actor = try world.system.spawn(options: .permanent) { Puppet(journal) }
        actor.act { context in
            context.after(.seconds(1), send: .note("never"))
            context.every(.seconds(1)) { .note("never") }
            world.time.advance(by: .seconds(1))
            throw Planned()
        }
        world.settle()
        world.advance(by: .seconds(10))
        #expect(journal.entries == [])
        #expect(world.system.liveTimerCount == 0)
        await world.shutdown()
    }

    @Test("timers and monitors that a stopping actor sets up end with it and leave nothing behind")
    func startedWhileStopping() async throws {
        let world = SteppedWorld()
        func run() throws {
            let other = try world.system.spawn("other") { Puppet() }
            let actor = try world.system.spawn {
                Puppet(stopping: { _, context in
                    context.after(.seconds(1), send: .note("never"))
                    context.every(.seconds(1)) { .note("never") }
                    context.monitor(other) { _ in .note("never") }
                })
            }
            actor.stop()
            world.settle()
        }
        try run()
        #expect(world.system.liveTimerCount == 0)
        #expect(world.system.liveCellCount == 2)
        await world.shutdown()
    }

    @Test("a delay that has passed, or none, fires at once, and one beyond the clock never")
    func extremes() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let actor = try world.system.spawn { Puppet(journal) }
        actor.act { context in
            context.after(.seconds(-1), send: .note("past"))
            context.after(.zero, send: .note("now"))
            context.after(.seconds(Int64.max), send: .note("never"))
            context.every(.seconds(Int64.max)) { .note("never") }
        }
        world.settle()
        world.advance(by: .seconds(1_000_000))
        #expect(journal.entries.sorted() == ["now", "past"])
        await world.shutdown()
    }

    @Test("the production clock takes an alarm for a moment that passes while it is set")
    func alarmForNow() async throws {
        let clock = DispatchTimeSource()
        let rung = Journal<Int>()
        for offset in 0..<200_000 { clock.setAlarm(at: clock.now + UInt64(offset % 200)) { rung.note(1) } }
        #expect(await !rung.first(1).isEmpty)
        clock.setAlarm(at: nil) {}
    }

    @Test("a repeating timer that is let go of early, as at the end of a system, goes on from its time")
    func early() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let actor = try world.system.spawn { Puppet(journal) }
        actor.act { $0.every(.seconds(10)) { .note("tick") } }
        world.settle()
        world.system.releaseTimers()
        world.settle()
        #expect(journal.entries == ["tick"])
        #expect(world.system.liveTimerCount == 1)
        await world.shutdown()
    }

    @Test("the production clock fires timers in order as well")
    func productionClock() async throws {
        let system = ActorSystem("timers")
        let journal = Journal<String>()
        let actor = try system.spawn { Puppet(journal) }
        actor.act { context in
            context.after(.milliseconds(30), send: .note("30"))
            context.after(.milliseconds(10), send: .note("10"))
            context.every(.milliseconds(100)) { .note("100") }
        }
        #expect(await journal.first(4) == ["10", "30", "100", "100"])
        await system.shutdown()
        #expect(system.liveTimerCount == 0)
    }
}
