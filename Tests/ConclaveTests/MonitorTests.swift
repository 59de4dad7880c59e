import Conclave
import Testing

@Suite(.timeLimit(.minutes(1))) struct MonitorTests {
    @Test("a monitor tells the end of its target once, with the reason")
    func down() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let target = try world.system.spawn { Puppet() }
        let watcher = try world.system.spawn { Puppet(journal) }
        watcher.act { $0.monitor(target) { .note("\($0)") } }
        world.settle()
        #expect(journal.entries == [])
        target.act { _ in throw Planned() }
        world.settle()
        #expect(journal.entries == ["failed(Planned())"])
        await world.shutdown()
    }

    @Test("a target that has ended is reported at once")
    func downOfTheDead() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let target = try world.system.spawn { Puppet() }
        target.stop()
        world.settle()
        let watcher = try world.system.spawn { Puppet(journal) }
        watcher.act { $0.monitor(target) { .note("\($0)") } }
        world.settle()
        #expect(journal.entries == ["noProcess"])
        await world.shutdown()
    }

    @Test("monitors are one-way: the end of the one that watches is nothing to the one that is watched")
    func oneWay() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let target = try world.system.spawn { Puppet(journal, starting: { $0.trapExits { .note("\($0)") } }) }
        let watcher = try world.system.spawn { Puppet() }
        watcher.act { $0.monitor(target) { _ in .act { _ in } } }
        world.settle()
        watcher.act { _ in throw Planned() }
        world.settle()
        target.send(.note("alive"))
        world.settle()
        #expect(journal.entries == ["alive"])
        await world.shutdown()
    }

    @Test("both ends of a monitor clean up: nothing refers to actors that watched, or were watched, and have ended")
    func cleanUp() async throws {
        let world = SteppedWorld()
        let hub = try world.system.spawn { Puppet() }
        world.settle()
        let before = world.system.liveCellCount
        for round in 0..<20 {
            let other = try world.system.spawn { Puppet() }
            if round % 2 == 0 {
                hub.act { $0.monitor(other) { _ in .act { _ in } } }
            } else {
                other.act { $0.monitor(hub) { _ in .act { _ in } } }
            }
            world.settle()
            if round % 3 == 0 { other.act { _ in throw Planned() } } else { other.kill() }
            world.settle()
        }
        #expect(world.system.liveCellCount == before)
        await world.shutdown()
    }

    @Test("each call is a monitor of its own")
    func eachCall() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let target = try world.system.spawn { Puppet() }
        let watcher = try world.system.spawn { Puppet(journal) }
        watcher.act { context in
            context.monitor(target) { _ in .note("one") }
            let second = context.monitor(target) { _ in .note("two") }
            context.monitor(target) { _ in .note("three") }
            context.demonitor(second)
        }
        world.settle()
        target.stop()
        world.settle()
        #expect(journal.entries == ["one", "three"])
        await world.shutdown()
    }

    @Test("a monitor that is taken back is silent, even if its message waits already")
    func demonitor() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let target = try world.system.spawn { Puppet() }
        let watcher = try world.system.spawn { Puppet(journal) }
        let monitors = Journal<Monitor>()
        watcher.act { monitors.note($0.monitor(target) { _ in .note("down") }) }
        world.settle()
        target.stop()
        world.scheduler.step()
        watcher.act { _ in }
        watcher.act { $0.demonitor(monitors.entries[0]) }
        world.settle()
        // Depending on the order the DOWN was received before or never, but never after.
        #expect(journal.entries == ["down"] || journal.entries == [])
        let target2 = try world.system.spawn { Puppet() }
        watcher.act { context in
            let monitor = context.monitor(target2) { _ in .note("never") }
            target2.stop()
            world.settle()  // the target has ended, its DOWN is in the mailbox
            context.demonitor(monitor)
        }
        world.settle()
        #expect(!journal.entries.contains("never"))
        await world.shutdown()
    }

    @Test("monitors end with the incarnation that set them up")
    func endWithIncarnation() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let target = try world.system.spawn { Puppet() }
        let watcher = try world.system.spawn(options: .permanent) { Puppet(journal) }
        watcher.act { context in
            context.monitor(target) { _ in .note("down") }
            throw Planned()
        }
        world.settle()
        target.stop()
        world.settle()
        #expect(journal.entries == [])
        await world.shutdown()
    }

    @Test("everything the target sent comes before the news of its end")
    func downComesLast() async throws {
        let system = ActorSystem("monitors")
        for _ in 0..<200 {
            let journal = Journal<String>()
            let watcher = try system.spawn { Puppet(journal) }
            let target = try system.spawn { Puppet() }
            watcher.act { context in
                context.monitor(target) { _ in .note("down") }
                context.ask(
                    target,
                    { (reply: Reply<Int>) in
                        .act { context in
                            watcher.send(.note("message"))
                            reply(1)
                            context.stop()
                        }
                    },
                    { _ in .note("answer") }
                )
            }
            #expect(await journal.first(3) == ["message", "answer", "down"])
            watcher.stop()
        }
        await system.shutdown()
    }

    @Test("a monitor follows a target over its restarts and tells only the last end")
    func acrossRestarts() async throws {
        let world = SteppedWorld(restartIntensity: RestartIntensity(5, per: .seconds(5)))
        let journal = Journal<String>()
        let target = try world.system.spawn(options: .transient) { Puppet() }
        let watcher = try world.system.spawn { Puppet(journal) }
        watcher.act { $0.monitor(target) { .note("\($0)") } }
        world.settle()
        for _ in 0..<2 { target.act { _ in throw Planned() } }
        world.settle()
        #expect(journal.entries == [])
        target.act { $0.stop() }
        world.settle()
        #expect(journal.entries == ["normal"])
        await world.shutdown()
    }

    @Test("waiting for the end of an actor that has ended returns at once")
    func terminatedTwice() async throws {
        let system = ActorSystem("monitors")
        let actor = try system.spawn { Puppet() }
        actor.act { $0.stop() }
        _ = await actor.terminated()
        #expect("\(await actor.terminated())" == "noProcess")
        await system.shutdown()
        #expect("\(await actor.terminated())" == "noProcess")
        #expect("\(await system.terminated())" == "noProcess")
    }
}
