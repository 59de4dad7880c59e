@testable import Conclave
import Testing

@Suite(.timeLimit(.minutes(1))) struct LinkTests {
    /// Two actors; the first is linked to the second, and each notes why it ended.
    private struct Pair {
        let world = SteppedWorld(restartIntensity: RestartIntensity(10, per: .seconds(5)))
        let journal = Journal<String>()
        let a: ActorRef<Puppet.Message>
        let b: ActorRef<Puppet.Message>

        init(_ options: SpawnOptions = SpawnOptions(), traps: Bool = false, links: Bool = true) throws {
            let journal = journal
            let system = world.system
            func actor(_ name: String) throws -> ActorRef<Puppet.Message> {
                try system.spawn(name, options: options) {
                    Puppet(
                        journal,
                        starting: { context in
                            if traps { context.trapExits { .note("\(name) hears \($0.path) \($0.reason)") } }
                        },
                        stopping: { reason, _ in journal.note("\(name) \(reason)") }
                    )
                }
            }
            let (first, second) = (try actor("a"), try actor("b"))
            if links { first.act { $0.link(second) } }
            (a, b) = (first, second)
            world.settle()
        }
    }

    @Test("links are two-way: whichever end fails, the other ends for the same reason", arguments: [false, true])
    func twoWay(_ makerFails: Bool) async throws {
        let pair = try Pair()
        (makerFails ? pair.a : pair.b).act { _ in throw Planned() }
        pair.world.settle()
        let names = makerFails ? ["a", "b"] : ["b", "a"]
        #expect(pair.journal.entries == names.map { "\($0) failed(Planned())" })
        await pair.world.shutdown()
    }

    @Test("a normal end does not end the other one, a shutdown does")
    func normal() async throws {
        let normal = try Pair()
        normal.b.act { $0.stop() }
        normal.world.settle()
        #expect(normal.journal.entries == ["b normal"])
        await normal.world.shutdown()
        let shutdown = try Pair()
        shutdown.b.stop()
        shutdown.world.settle()
        #expect(shutdown.journal.entries == ["b shutdown", "a shutdown"])
        await shutdown.world.shutdown()
    }

    @Test("trapping turns an exit into a message, the normal one too", arguments: ExitKind.allCases)
    func trapping(_ exit: ExitKind) async throws {
        let pair = try Pair(traps: true)
        exit.end(pair.b)
        pair.world.settle()
        let reason = exit == .failed ? "failed(Planned())" : exit.rawValue
        // A killed actor has no `stopping` hook.
        #expect(pair.journal.entries == (exit == .killed ? [] : ["b \(reason)"]) + ["a hears /b \(reason)"])
        await pair.world.shutdown()
    }

    @Test("a kill cannot be trapped, and the other end hears killed")
    func kill() async throws {
        let pair = try Pair(traps: true)
        pair.a.kill()
        pair.world.settle()
        #expect(pair.journal.entries == ["b hears /a killed"])
        pair.a.send(.note("nobody"))
        pair.world.settle()
        #expect(pair.world.system.deadLetterCount == 1)
        await pair.world.shutdown()
    }

    @Test("linking to an actor that has ended is answered with noProcess", arguments: [false, true])
    func dead(_ traps: Bool) async throws {
        let pair = try Pair(traps: traps, links: false)
        pair.b.act { $0.stop() }
        pair.world.settle()
        let b = pair.b
        pair.a.act { $0.link(b) }
        pair.world.settle()
        #expect(pair.journal.entries == ["b normal", traps ? "a hears /b noProcess" : "a noProcess"])
        await pair.world.shutdown()
    }

    @Test("at most one link for a pair, whoever asked for it and however often")
    func onePerPair() async throws {
        let pair = try Pair(traps: true)
        let (a, b) = (pair.a, pair.b)
        // Both at the same moment, and again.
        a.act { $0.link(b) }
        b.act { $0.link(a) }
        a.act { $0.link(b) }
        pair.world.settle()
        b.act { _ in throw Planned() }
        pair.world.settle()
        #expect(pair.journal.entries == ["b failed(Planned())", "a hears /b failed(Planned())"])
        await pair.world.shutdown()
    }

    @Test("two actors that link to each other at the same moment have one link")
    func bothAtOnce() async throws {
        let pair = try Pair(traps: true, links: false)
        let (a, b) = (pair.a, pair.b)
        a.act { context in
            context.link(b)
            // b links back before it has seen our link.
        }
        b.act { $0.link(a) }
        pair.world.settle()
        b.act { _ in throw Planned() }
        pair.world.settle()
        #expect(pair.journal.entries == ["b failed(Planned())", "a hears /b failed(Planned())"])
        await pair.world.shutdown()
    }

    @Test("an exit that is on its way is not received after unlink", arguments: [false, true])
    func unlink(_ traps: Bool) async throws {
        let pair = try Pair(traps: traps)
        let (a, b, world) = (pair.a, pair.b, pair.world)
        a.act { context in
            b.act { _ in throw Planned() }
            world.settle()  // b has ended, its exit is in our mailbox
            context.unlink(b)
        }
        world.settle()
        a.send(.note("alive"))
        world.settle()
        #expect(pair.journal.entries == ["b failed(Planned())", "alive"])
        await world.shutdown()
    }

    @Test("unlinked from one end is unlinked at both")
    func unlinkIsTwoWay() async throws {
        let pair = try Pair()
        let a = pair.a
        pair.b.act { $0.unlink(a) }
        pair.world.settle()
        pair.a.act { _ in throw Planned() }
        pair.b.send(.note("alive"))
        pair.world.settle()
        #expect(pair.journal.entries == ["a failed(Planned())", "alive"])
        await pair.world.shutdown()
    }

    @Test("an actor that links itself and fails in the same handler takes the other one with it, however busy that is")
    func failsAtOnce() async throws {
        let pair = try Pair(links: false)
        let (a, b, world) = (pair.a, pair.b, pair.world)
        b.act { _ in
            a.act { context in
                context.link(b)
                throw Planned()
            }
            world.settle()  // a has ended before b looks at the link
        }
        world.settle()
        #expect(pair.journal.entries == ["a failed(Planned())", "b failed(Planned())"])
        await world.shutdown()
    }

    @Test(
        "the exit of an actor that links itself and fails at once does not overtake the link, in a bounded mailbox either"
    )
    func failsAtOnceIntoBounded() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let a = try world.system.spawn { Puppet() }
        let b = try world.system.spawn(options: SpawnOptions(mailbox: .bounded(4, overflow: .dropOldest))) {
            Puppet(stopping: { reason, _ in journal.note("b \(reason)") })
        }
        b.act { context in
            a.act { context in
                context.link(b)
                throw Planned()
            }
            world.settle()  // link and exit are there, as if they had come after the mailbox loop looked for mail
            #expect(context.cell.answer(context.cell.pointee.head.unsafelyUnwrapped) == nil)
        }
        world.settle()
        #expect(journal.entries == ["b failed(Planned())"])
        await world.shutdown()
    }

    @Test("the exit comes after everything the dead one sent, and so does the DOWN")
    func order() async throws {
        let system = ActorSystem("links")
        for _ in 0..<200 {
            let journal = Journal<String>()
            let watcher = try system.spawn {
                Puppet(journal, starting: { $0.trapExits { .note("exit \($0.reason)") } })
            }
            let target = try system.spawn { Puppet() }
            watcher.act { context in
                context.link(target)
                context.monitor(target) { .note("down \($0)") }
                target.act { context in
                    for number in 0..<3 { watcher.send(.note("message \(number)")) }
                    throw Planned()
                }
            }
            let heard = await journal.first(5)
            #expect(heard.prefix(3) == ["message 0", "message 1", "message 2"])
            #expect(heard.suffix(2).sorted() == ["down failed(Planned())", "exit failed(Planned())"])
            watcher.stop()
        }
        await system.shutdown()
    }

    @Test("a message that was sent before the exit is received although the exit is not trapped")
    func orderWithoutTrap() async throws {
        let pair = try Pair()
        let a = pair.a
        pair.b.act { _ in
            a.send(.note("first"))
            throw Planned()
        }
        pair.world.settle()
        #expect(pair.journal.entries == ["b failed(Planned())", "first", "a failed(Planned())"])
        await pair.world.shutdown()
    }

    @Test("a link is between incarnations: a restart ends it, and the other one hears of it")
    func restart() async throws {
        let pair = try Pair(.permanent, traps: true)
        pair.b.act { _ in throw Planned() }
        pair.world.settle()
        #expect(pair.journal.entries == ["b failed(Planned())", "a hears /b failed(Planned())"])
        // The new incarnation of b is linked to nobody.
        pair.b.act { _ in throw Planned() }
        pair.world.settle()
        #expect(pair.journal.entries.count == 3)
        await pair.world.shutdown()
    }

    @Test("linked actors that do not trap are restarted together")
    func restartTogether() async throws {
        let pair = try Pair(.permanent)
        pair.b.act { _ in throw Planned() }
        for actor in [pair.a, pair.b] { actor.send(.note("alive")) }
        pair.world.settle()
        #expect(pair.journal.entries.count { $0 == "alive" } == 2)
        #expect(pair.journal.entries.count { $0.hasSuffix("failed(Planned())") } == 2)
        await pair.world.shutdown()
    }

    @Test("trapping ends with the incarnation, unless `started` asks for it again")
    func trapEnds() async throws {
        let pair = try Pair(.permanent)
        let (a, b) = (pair.a, pair.b)
        a.act { context in
            context.trapExits { _ in .note("trapped") }
            throw Planned()
        }
        pair.world.settle()
        a.act { $0.link(b) }
        pair.world.settle()
        b.act { _ in throw Planned() }
        pair.world.settle()
        #expect(!pair.journal.entries.contains("trapped"))
        await pair.world.shutdown()
    }

    @Test("an exit says from whom it is")
    func identity() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let b = try world.system.spawn("b") { Puppet() }
        let c = try world.system.spawn("c") { Puppet() }
        let a = try world.system.spawn {
            Puppet(journal, starting: { $0.trapExits { .note("\($0.isFrom(b)) \($0.isFrom(c))") } })
        }
        a.act { context in
            context.link(b)
            context.link(c)
            context.link(context.myself)
        }
        world.settle()
        c.kill()
        world.settle()
        b.kill()
        world.settle()
        #expect(journal.entries == ["false true", "true false"])
        await world.shutdown()
    }

    @Test("both ends clean up: nothing refers to actors that were linked and have ended")
    func cleanUp() async throws {
        let world = SteppedWorld()
        let hub = try world.system.spawn { Puppet(starting: { $0.trapExits { _ in .act { _ in } } }) }
        world.settle()
        let before = world.system.liveCellCount
        for round in 0..<20 {
            let other = try world.system.spawn { Puppet() }
            if round % 2 == 0 { hub.act { $0.link(other) } } else { other.act { $0.link(hub) } }
            world.settle()
            if round % 3 == 0 { hub.act { $0.unlink(other) } }
            other.kill()
            world.settle()
        }
        #expect(world.system.liveCellCount == before)
        await world.shutdown()
    }

    @Test("a ring of linked actors ends as a whole, on threads")
    func ring() async throws {
        let system = ActorSystem("ring")
        let journal = Journal<String>()
        let ring = try (0..<50).map { _ in
            try system.spawn { Puppet(stopping: { reason, _ in journal.note("\(reason)") }) }
        }
        for (index, actor) in ring.enumerated() {
            let next = ring[(index + 1) % ring.count]
            actor.act { $0.link(next) }
        }
        for actor in ring { try await actor.settle() }
        ring[17].act { _ in throw Planned() }
        #expect(await journal.first(50) == Array(repeating: "failed(Planned())", count: 50))
        await system.shutdown()
    }
}
