import Conclave
import Testing

@Suite(.timeLimit(.minutes(1))) struct AutoShutdownTests {
    private func options(_ restart: RestartType) -> SpawnOptions { SpawnOptions(restart: restart, isSignificant: true) }

    @Test(
        "significant children and auto-shutdown: the parent ends with the first, or with the last of them",
        arguments: [AutoShutdown.anySignificant, .allSignificant]
    )
    func ends(_ kind: AutoShutdown) async throws {
        let world = SteppedWorld()
        let family = Family()
        try world.system.spawn("parent") {
            family.parent(
                .oneForOne,
                autoShutdown: kind,
                [
                    Family.Member("a", options(.transient)), Family.Member("b", options(.temporary)),
                    Family.Member("c"),
                ]
            )
        }
        _ = family.news()
        family.ref("a").act { $0.stop() }
        world.settle()
        let rest = ["-c shutdown", "-b shutdown", "-parent shutdown"]
        #expect(family.news() == ["-a normal"] + (kind == .anySignificant ? rest : []))
        if kind == .allSignificant {
            family.ref("b").act { _ in throw Planned() }
            world.settle()
            #expect(family.news() == ["-b failed(Planned())", "-c shutdown", "-parent shutdown"])
        }
        await world.shutdown()
    }

    @Test("a significant child that is restarted does not end its parent")
    func restarted() async throws {
        let world = SteppedWorld()
        let family = Family()
        try world.system.spawn("parent") {
            family.parent(.oneForAll, autoShutdown: .anySignificant, [Family.Member("a", options(.transient))])
        }
        family.ref("a").act { _ in throw Planned() }
        world.settle()
        #expect(family.news() == ["+a", "-a failed(Planned())", "+a"])
        await world.shutdown()
    }

    @Test("a significant child that its parent stopped does not end it")
    func stoppedByParent() async throws {
        let world = SteppedWorld()
        let family = Family()
        let parent = try world.system.spawn("parent") {
            family.parent(.oneForOne, autoShutdown: .anySignificant, [Family.Member("a", options(.temporary))])
        }
        parent.act { $0.stop(family.ref("a")) }
        parent.send(.note("alive"))
        world.settle()
        #expect(family.news() == ["+a", "-a shutdown"])
        let heard = Journal<Int>()
        parent.act { _ in heard.note(1) }
        world.settle()
        #expect(heard.entries == [1])
        await world.shutdown()
    }

    @Test("a significant child of a parent that never shuts down automatically is refused, and so is a permanent one")
    func refused() async throws {
        let world = SteppedWorld()
        #expect(throws: SpawnError.significantWithoutAutoShutdown) {
            try world.system.spawn(options: SpawnOptions(isSignificant: true)) { Puppet() }
        }
        let errors = Journal<SpawnError>()
        try world.system.spawn {
            Puppet(starting: { context in
                do { try context.spawn(options: SpawnOptions(isSignificant: true)) { Puppet() } } catch let error
                    as SpawnError
                {
                    errors.note(error)
                }
                context.supervise(.oneForOne, autoShutdown: .anySignificant)
                do {
                    try context.spawn(options: SpawnOptions(restart: .permanent, isSignificant: true)) { Puppet() }
                } catch let error as SpawnError {
                    errors.note(error)
                }
            })
        }
        #expect(errors.entries == [.significantWithoutAutoShutdown, .significantAndPermanent])
        await world.shutdown()
    }
}

@Suite(.timeLimit(.minutes(1))) struct DynamicSupervisorTests {
    @Test("a dynamic supervisor starts children by argument, counts them, and stops one for good")
    func life() async throws {
        let system = ActorSystem("dynamic")
        let journal = Journal<String>()
        let supervisor = try system.spawn("rooms") {
            DynamicSupervisor(options: .permanent) { (name: String) in
                Puppet(
                    starting: { _ in journal.note("+\(name)") },
                    stopping: { reason, _ in journal.note("-\(name) \(reason)") }
                )
            }
        }
        let a = try await supervisor.start("a", name: "a")
        let b = try await supervisor.start("b")
        #expect(a.path == "/rooms/a")
        #expect(try await supervisor.children() == [a, b])
        await #expect(throws: SpawnError.nameTaken("a")) { try await supervisor.start("x", name: "a") }
        try await supervisor.stop(a)
        #expect(try await supervisor.children() == [b])
        // Again, and one that is no child: nothing to do.
        try await supervisor.stop(a)
        #expect(journal.entries == ["+a", "+b", "-a shutdown"])
        await system.shutdown()
        #expect(journal.entries == ["+a", "+b", "-a shutdown", "-b shutdown"])
    }

    @Test("a dynamic child whose start fails is answered with the error, and nothing is left behind")
    func failedStart() async throws {
        let system = ActorSystem("dynamic")
        let supervisor = try system.spawn {
            DynamicSupervisor { (fails: Bool) in
                Puppet(starting: { _ in if fails { throw Planned() } })
            }
        }
        await #expect(throws: Planned.self) { try await supervisor.start(true) }
        #expect(try await supervisor.children() == [])
        _ = try await supervisor.start(false)
        #expect(try await supervisor.children().count == 1)
        await system.shutdown()
    }

    @Test("a dynamic supervisor gives up as any other, and its children stop with it")
    func intensity() async throws {
        let system = ActorSystem("dynamic")
        let journal = Journal<String>()
        let supervisor = try system.spawn {
            DynamicSupervisor(options: .transient, intensity: RestartIntensity(1, per: .seconds(60))) {
                (name: String) in
                Puppet(starting: { _ in journal.note("+\(name)") }, stopping: { _, _ in journal.note("-\(name)") })
            }
        }
        _ = try await supervisor.start("a")
        let b = try await supervisor.start("b")
        for _ in 0..<2 { b.act { _ in throw Planned() } }
        #expect("\(await supervisor.terminated())" == "shutdown" || journal.entries.last == "-a")
        #expect(await journal.first(6) == ["+a", "+b", "-b", "+b", "-b", "-a"])
        await system.shutdown()
    }

    @Test("a dynamic supervisor stops its children all at once: one that takes its time does not hold up the others")
    func stopsTogether() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let supervisor = try world.system.spawn("rooms") {
            DynamicSupervisor { (name: String) in
                Puppet(
                    starting: { context in
                        // Its child is not run for a while.
                        if name == "slow" { try context.spawn(options: SpawnOptions(shutdown: .infinite)) { Puppet() } }
                    },
                    stopping: { _, _ in journal.note(name) }
                )
            }
        }
        for name in ["a", "slow", "b"] {
            let starter = try world.system.spawn { Puppet() }
            starter.act { context in
                context.ask(
                    supervisor,
                    { (reply: Reply<Result<ActorRef<Puppet.Message>, any Error>>) in .start(name, reply) },
                    { _ in .act { _ in } }
                )
            }
            world.settle()
        }
        world.system.stop(supervisor)
        world.settle()
        #expect(Set(journal.entries.prefix(2)) == ["a", "b"])
        #expect(journal.entries.last == "slow")
        await world.shutdown()
    }
}
