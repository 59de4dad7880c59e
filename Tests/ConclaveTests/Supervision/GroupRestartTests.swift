import Conclave
import Testing

/// Group restarts through actors, with everything that can happen amid one.
@Suite(.timeLimit(.minutes(1))) struct GroupRestartTests {
    private func start(
        _ strategy: SupervisionStrategy,
        intensity: RestartIntensity = RestartIntensity(1, per: .seconds(5)),
        restart: RestartType = .temporary,
        _ members: [Family.Member]
    ) throws -> (SteppedWorld, Family, ActorRef<Puppet.Message>) {
        let world = SteppedWorld()
        let family = Family()
        let parent = try world.system.spawn("parent", options: SpawnOptions(restart: restart)) {
            family.parent(strategy, intensity: intensity, members)
        }
        _ = family.news()
        return (world, family, parent)
    }

    @Test("children that are restarted keep their reference, their mailbox and their position")
    func keepsAll() async throws {
        let (world, family, _) = try start(
            .oneForAll,
            intensity: RestartIntensity(2, per: .seconds(5)),
            ["a", "b", "c"].map { Family.Member($0) }
        )
        let before = ["a", "b", "c"].map(family.ref)
        family.ref("b").act { _ in throw Planned() }
        for ref in before { ref.send(.note("kept by \(ref.path)")) }
        // Only b runs; the others have not received theirs when they are told to stop.
        world.scheduler.runNewestFirst()
        let news = family.news()
        #expect(news.filter { $0.hasPrefix("+") } == ["+a", "+b", "+c"])
        #expect(
            news.filter { $0.hasPrefix("kept") }.sorted() == [
                "kept by /parent/a", "kept by /parent/b", "kept by /parent/c",
            ]
        )
        #expect(["a", "b", "c"].map(family.ref) == before)
        family.ref("c").act { _ in throw Planned() }
        world.settle()
        #expect(family.news().filter { $0.hasPrefix("+") } == ["+a", "+b", "+c"])
        await world.shutdown()
    }

    @Test("a start that fails during a restart counts and is tried again, with its group")
    func failedStart() async throws {
        let (world, family, _) = try start(
            .oneForAll,
            intensity: RestartIntensity(2, per: .seconds(5)),
            ["a", "b", "c"].map { Family.Member($0) }
        )
        family.failNextStart(of: "b")
        family.ref("a").act { _ in throw Planned() }
        world.settle()
        #expect(
            family.news() == [
                "-a failed(Planned())", "-c shutdown", "-b shutdown", "+a", "!b", "-a shutdown", "+a", "+b", "+c",
            ]
        )
        await world.shutdown()
    }

    @Test(
        "after the last allowed restart the supervisor stops all children and exits shutdown: a transient one stays ended"
    )
    func givesUp() async throws {
        let (world, family, parent) = try start(
            .restForOne,
            restart: .transient,
            ["a", "b", "c"].map { Family.Member($0) }
        )
        let downs = Journal<String>()
        try world.system.spawn {
            Puppet(downs, starting: { $0.monitor(parent) { .note("parent \($0)") } })
        }
        for _ in 0..<2 {
            family.ref("b").act { _ in throw Planned() }
            world.settle()
        }
        #expect(
            family.news() == [
                "-b failed(Planned())", "-c shutdown", "+b", "+c",
                "-b failed(Planned())", "-c shutdown", "-a shutdown", "-parent shutdown",
            ]
        )
        #expect(downs.entries == ["parent shutdown"])
        await world.shutdown()
    }

    @Test("a permanent supervisor that gave up is started again, with an empty history")
    func permanentSupervisor() async throws {
        let world = SteppedWorld(restartIntensity: RestartIntensity(10, per: .seconds(5)))
        let family = Family()
        try world.system.spawn("parent", options: .permanent) { family.parent(.oneForOne, [Family.Member("a")]) }
        for _ in 0..<4 {
            family.ref("a").act { _ in throw Planned() }
            world.settle()
        }
        let crash = "-a failed(Planned())"
        #expect(
            family.news() == [
                "+a", crash, "+a", crash, "-parent shutdown", "+a", crash, "+a", crash, "-parent shutdown", "+a",
            ]
        )
        await world.shutdown()
    }

    @Test("a transient child that ended normally is started again when its group is restarted")
    func endedTransient() async throws {
        let (world, family, parent) = try start(
            .oneForAll,
            [Family.Member("a"), Family.Member("b", .transient), Family.Member("c")]
        )
        let first = family.ref("b")
        first.act { $0.stop() }
        world.settle()
        #expect(family.news() == ["-b normal"])
        family.ref("c").act { _ in throw Planned() }
        world.settle()
        #expect(family.news() == ["-c failed(Planned())", "-a shutdown", "+a", "+b", "+c"])
        #expect(family.ref("b") != first)
        #expect(family.ref("b").path == "/parent/b")
        let order = Journal<String>()
        parent.act { context in for child in context.children { order.note(child) } }
        world.settle()
        #expect(order.entries == ["/parent/a", "/parent/b", "/parent/c"])
        await world.shutdown()
    }

    @Test("an ended transient child whose start fails counts and is tried again")
    func endedTransientFails() async throws {
        let (world, family, _) = try start(
            .oneForAll,
            intensity: RestartIntensity(2, per: .seconds(5)),
            [Family.Member("a"), Family.Member("b", .transient)]
        )
        family.ref("b").act { $0.stop() }
        world.settle()
        family.failNextStart(of: "b")
        family.ref("a").act { _ in throw Planned() }
        world.settle()
        #expect(
            family.news() == ["-b normal", "-a failed(Planned())", "+a", "!b", "-a shutdown", "+a", "+b"]
        )
        await world.shutdown()
    }

    @Test("under one_for_one a transient child that ended stays ended, and its memory is free")
    func endedTransientOneForOne() async throws {
        let (world, family, _) = try start(.oneForOne, [Family.Member("a"), Family.Member("b", .transient)])
        let cells = world.system.liveCellCount
        family.ref("b").act { $0.stop() }
        family.ref("a").act { _ in throw Planned() }
        world.settle()
        #expect(family.news() == ["-b normal", "-a failed(Planned())", "+a"])
        // The test itself holds the reference.
        #expect(world.system.liveCellCount == cells)
        await world.shutdown()
    }

    // MARK: Races

    @Test(
        "two children that fail at once are one group restart",
        arguments: [SupervisionStrategy.oneForAll, .restForOne]
    )
    func twoAtOnce(_ strategy: SupervisionStrategy) async throws {
        let (world, family, _) = try start(strategy, ["a", "b", "c"].map { Family.Member($0) })
        for name in ["a", "c"] { family.ref(name).act { _ in throw Planned() } }
        world.settle()
        #expect(
            family.news() == ["-a failed(Planned())", "-c failed(Planned())", "-b shutdown", "+a", "+b", "+c"]
        )
        await world.shutdown()
    }

    @Test("under rest_for_one a later child's failure comes first, an earlier one's afterwards")
    func laterThenEarlier() async throws {
        let (world, family, _) = try start(
            .restForOne,
            intensity: RestartIntensity(2, per: .seconds(5)),
            ["a", "b", "c"].map { Family.Member($0) }
        )
        for name in ["b", "a"] { family.ref(name).act { _ in throw Planned() } }
        world.settle()
        #expect(
            family.news() == [
                "-b failed(Planned())", "-a failed(Planned())", "-c shutdown", "+b", "+c", "-c shutdown", "-b shutdown",
                "+a", "+b", "+c",
            ]
        )
        await world.shutdown()
    }

    @Test("a child that dies while its siblings are being stopped is not counted again")
    func diesWhileStopping() async throws {
        let (world, family, _) = try start(.oneForAll, ["a", "b", "c"].map { Family.Member($0) })
        family.ref("c").act { _ in throw Planned() }
        world.scheduler.step()  // c fails
        world.scheduler.step()  // the parent tells b to stop
        family.ref("a").act { _ in throw Planned() }
        world.settle()
        let news = family.news()
        #expect(news.filter { $0.hasPrefix("+") } == ["+a", "+b", "+c"])
        #expect(news.contains("-a failed(Planned())"))
        await world.shutdown()
    }

    @Test("a parent that is stopped amid a group restart stops what is left, the youngest first, and starts nothing")
    func parentStopped() async throws {
        for steps in 0..<12 {
            let (world, family, parent) = try start(.oneForAll, ["a", "b", "c"].map { Family.Member($0) })
            family.ref("b").act { _ in throw Planned() }
            for _ in 0..<steps { world.scheduler.step() }
            parent.stop()
            world.settle()
            let news = family.news()
            #expect(news.last == "-parent shutdown", "\(steps)")
            for name in ["a", "b", "c"] {
                let starts = news.count { $0 == "+\(name)" } + 1
                #expect(news.count { $0.hasPrefix("-\(name)") } == starts, "\(name) after \(steps) steps: \(news)")
            }
            #expect(world.system.liveCellCount <= 5)
            await world.shutdown()
            #expect(world.system.liveTimerCount == 0)
        }
    }

    @Test("the intensity is exceeded amid a group restart: what runs is stopped in reverse, and the parent ends")
    func exceededAmid() async throws {
        let (world, family, _) = try start(.oneForAll, ["a", "b", "c"].map { Family.Member($0) })
        family.failNextStart(of: "b")
        family.ref("c").act { _ in throw Planned() }
        world.settle()
        #expect(
            family.news() == [
                "-c failed(Planned())", "-b shutdown", "-a shutdown", "+a", "!b", "-a shutdown", "-parent shutdown",
            ]
        )
        await world.shutdown()
    }

    @Test("a child that the parent stops for good amid a group restart is not started again")
    func stoppedForGood() async throws {
        let (world, family, parent) = try start(.oneForAll, ["a", "b", "c"].map { Family.Member($0) })
        let b = family.ref("b")
        parent.act { context in
            family.ref("c").act { _ in throw Planned() }
            world.scheduler.step()  // c fails; its news waits until this handler is over
            context.stop(b)
        }
        world.settle()
        #expect(family.news().filter { $0.hasPrefix("+") } == ["+a", "+c"])
        await world.shutdown()
    }

    @Test("a child that is spawned amid a group restart is not part of it")
    func spawnedAmid() async throws {
        let (world, family, parent) = try start(.oneForAll, ["a", "b"].map { Family.Member($0) })
        family.ref("a").act { _ in throw Planned() }
        world.scheduler.step()  // a fails
        world.scheduler.step()  // the parent tells b to stop
        parent.act { try family.spawn(Family.Member("late"), $0) }
        world.settle()
        let news = family.news()
        #expect(news.count { $0 == "+late" } == 1)
        #expect(!news.contains("-late shutdown"))
        await world.shutdown()
    }
}
