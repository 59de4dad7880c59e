import Conclave
import Testing

@Suite(.timeLimit(.minutes(1))) struct SupervisionTests {
    // MARK: Restarts

    @Test(
        "an actor that ended by itself is restarted as its restart type says",
        arguments: [
            (RestartType.permanent, false, true), (.permanent, true, true),
            (.transient, false, false), (.transient, true, true),
            (.temporary, false, false), (.temporary, true, false),
        ]
    )
    func restartType(_ restart: RestartType, _ fails: Bool, _ isRestarted: Bool) async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let actor = try world.system.spawn(options: SpawnOptions(restart: restart)) {
            Puppet(journal, starting: { _ in journal.note("started") })
        }
        actor.act { context in
            if fails { throw Planned() }
            context.stop()
        }
        actor.send(.note("the next message"))
        world.settle()
        #expect(journal.entries == (isRestarted ? ["started", "started", "the next message"] : ["started"]))
        await world.shutdown()
    }

    @Test(
        "a stop from outside is an end with shutdown and a kill one with killed: the restart type decides what follows",
        arguments: [
            (RestartType.permanent, false, true), (.permanent, true, true),
            (.transient, false, false), (.transient, true, true),
            (.temporary, false, false), (.temporary, true, false),
        ]
    )
    func outsideStop(_ restart: RestartType, _ kills: Bool, _ isRestarted: Bool) async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let actor = try world.system.spawn(options: SpawnOptions(restart: restart)) {
            Puppet(starting: { _ in journal.note("started") }, stopping: { reason, _ in journal.note("\(reason)") })
        }
        if kills { actor.kill() } else { actor.stop() }
        world.settle()
        #expect(journal.entries == ["started"] + (kills ? [] : ["shutdown"]) + (isRestarted ? ["started"] : []))
        await world.shutdown()
    }

    @Test(
        "a parent's stop is final, whatever the restart type",
        arguments: [RestartType.permanent, .transient, .temporary]
    )
    func parentStopIsFinal(_ restart: RestartType) async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let children = Journal<ActorRef<Puppet.Message>>()
        let parent = try world.system.spawn {
            Puppet(starting: { context in
                children.note(
                    try context.spawn(options: SpawnOptions(restart: restart)) {
                        Puppet(
                            starting: { _ in journal.note("started") },
                            stopping: { reason, _ in journal.note("\(reason)") }
                        )
                    }
                )
            })
        }
        parent.act { $0.stop(children.entries[0]) }
        world.settle()
        #expect(journal.entries == ["started", "shutdown"])
        await world.shutdown()
    }

    @Test("a child that fails once more than allowed ends its parent, and the other children with it")
    func intensity() async throws {
        let world = SteppedWorld(restartIntensity: RestartIntensity(2, per: .seconds(5)))
        let journal = Journal<String>()
        try world.system.spawn { Puppet(stopping: { reason, _ in journal.note("sibling \(reason)") }) }
        let actor = try world.system.spawn(options: .permanent) { Puppet() }
        world.system.onEvent { event in
            if case .restartIntensityExceeded(let path, _) = event { journal.note("exceeded at \(path)") }
        }
        for _ in 0..<3 {
            actor.act { _ in throw Planned() }
            world.advance(by: .seconds(1))
        }
        #expect(journal.entries == ["exceeded at /", "sibling shutdown"])
        await world.shutdown()
    }

    @Test("failures that are further apart than the period are never too many")
    func slowFailures() async throws {
        let world = SteppedWorld(restartIntensity: RestartIntensity(1, per: .seconds(5)))
        let journal = Journal<String>()
        let actor = try world.system.spawn(options: .permanent) { Puppet(journal) }
        for _ in 0..<10 {
            actor.act { _ in throw Planned() }
            world.advance(by: .seconds(6))
        }
        actor.send(.note("alive"))
        world.settle()
        #expect(journal.entries == ["alive"])
        await world.shutdown()
    }

    @Test("a failed start during a restart counts, and is tried again")
    func failedRestart() async throws {
        let world = SteppedWorld(restartIntensity: RestartIntensity(3, per: .seconds(5)))
        let journal = Journal<String>()
        let actor = try world.system.spawn(options: .permanent) {
            Puppet(
                journal,
                starting: { _ in
                    journal.note("start")
                    if (2...3).contains(journal.entries.count) { throw Planned() }
                }
            )
        }
        actor.act { _ in throw Planned() }
        actor.send(.note("kept"))
        world.settle()
        #expect(journal.entries == ["start", "start", "start", "start", "kept"])
        await world.shutdown()
    }

    @Test("an actor's children end with its incarnation, and its next start may use their names")
    func childrenOfRestarted() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let actor = try world.system.spawn("parent", options: .permanent) {
            Puppet(
                journal,
                starting: { context in
                    try context.spawn("child") { Puppet(stopping: { reason, _ in journal.note("child \(reason)") }) }
                    journal.note("\(context.children)")
                }
            )
        }
        actor.act { _ in throw Planned() }
        world.settle()
        #expect(journal.entries == ["[\"/parent/child\"]", "child shutdown", "[\"/parent/child\"]"])
        await world.shutdown()
    }

    // MARK: Starting

    @Test("spawn throws what the start throws and leaves nothing behind")
    func failedStart() async throws {
        let world = SteppedWorld()
        #expect(throws: Planned.self) { try world.system.spawn("it") { Puppet(starting: { _ in throw Planned() }) } }
        #expect(throws: Planned.self) { try world.system.spawn("it") { () throws -> Puppet in throw Planned() } }
        #expect(world.system.liveCellCount == 1)
        try world.system.spawn("it") { Puppet() }
        await world.shutdown()
    }

    @Test("a failed start stops the children it had started and frees its name at once")
    func failedStartWithChildren() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        func spawn(failing: Bool) throws {
            try world.system.spawn("it") {
                Puppet(
                    starting: { context in
                        for name in ["first", "second"] {
                            try context.spawn(name) { Puppet(stopping: { _, _ in journal.note(name) }) }
                        }
                        context.after(.seconds(60), send: .note("late"))
                        if failing { throw Planned() }
                    }
                )
            }
        }
        #expect(throws: Planned.self) { try spawn(failing: true) }
        try spawn(failing: false)
        world.settle()
        #expect(journal.entries == ["second", "first"])
        #expect(throws: SpawnError.nameTaken("it")) { try spawn(failing: false) }
        #expect(world.system.liveCellCount == 4)
        #expect(world.system.liveTimerCount == 1)
        await world.shutdown()
    }

    @Test("a name can be used again once its owner has ended, and not before")
    func names() async throws {
        let world = SteppedWorld()
        let first = try world.system.spawn("it") { Puppet() }
        #expect(throws: SpawnError.nameTaken("it")) { try world.system.spawn("it") { Puppet() } }
        first.stop()
        #expect(throws: SpawnError.nameTaken("it")) { try world.system.spawn("it") { Puppet() } }
        world.settle()
        let second = try world.system.spawn("it") { Puppet() }
        #expect(first != second)
        #expect(second.path == "/it")
        await world.shutdown()
    }

    @Test("a name is free when others hear of the end")
    func nameFreeBeforeDown() async throws {
        let system = ActorSystem("names")
        for _ in 0..<100 {
            let actor = try system.spawn("it") { Puppet() }
            actor.act { $0.stop() }
            _ = await actor.terminated()
        }
        await system.shutdown()
    }

    // MARK: Stopping

    @Test("children stop before their parent, the youngest first")
    func stopOrder() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let parent = try world.system.spawn {
            Puppet(
                starting: { context in
                    for name in ["a", "b", "c"] {
                        try context.spawn(name) { Puppet(stopping: { _, _ in journal.note(name) }) }
                    }
                },
                stopping: { _, context in journal.note("parent with \(context.children.count) children") }
            )
        }
        parent.stop()
        world.settle()
        #expect(journal.entries == ["c", "b", "a", "parent with 0 children"])
        await world.shutdown()
    }

    @Test("an actor that is stopping takes no more children", arguments: [false, true])
    func spawnWhileStopping(_ hadChildren: Bool) async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let parent = try world.system.spawn {
            Puppet(
                starting: { if hadChildren { try $0.spawn { Puppet() } } },
                stopping: { _, context in
                    do { try context.spawn { Puppet() } } catch { journal.note("\(error)") }
                }
            )
        }
        parent.stop()
        world.settle()
        #expect(journal.entries == [SpawnError.parentStopping.description])
        await world.shutdown()
    }

    @Test("a kill of an actor that is stopping kills the child it waits for, and that one's child")
    func killWhileStopping() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        world.system.onEvent { event in
            if case .actorStopped(let path, let reason) = event { journal.note("\(path) \(reason)") }
        }
        let top = try world.system.spawn("a", options: SpawnOptions(shutdown: .infinite)) {
            Puppet(starting: { context in
                try context.spawn("b", options: SpawnOptions(shutdown: .infinite)) {
                    Puppet(starting: { context in
                        try context.spawn("c", options: SpawnOptions(shutdown: .infinite)) { Puppet() }
                    })
                }
            })
        }
        world.settle()
        top.stop()
        // The top and the middle have begun to end; the bottom has not run yet.
        for _ in 0..<2 { world.scheduler.step() }
        #expect(journal.entries == [])
        top.kill()
        world.scheduler.runNewestFirst()
        #expect(journal.entries == ["/a/b/c killed", "/a/b killed", "/a killed"])
        await world.shutdown()
    }

    @Test("shutdown: brutal kill, timeout and infinite")
    func shutdownKinds() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        world.system.onEvent { event in
            if case .actorStopped(let path, let reason) = event { journal.note("\(path) \(reason)") }
        }
        let parent = try world.system.spawn("p") {
            Puppet(starting: { context in
                for (name, shutdown) in [("killed", .brutalKill), ("late", .timeout(.seconds(2)))]
                    as [(String, Shutdown)]
                {
                    try context.spawn(name, options: SpawnOptions(shutdown: shutdown)) {
                        // Its child never ends by itself: nobody runs it until time has passed.
                        Puppet(starting: { context in
                            try context.spawn("slow", options: SpawnOptions(shutdown: .infinite)) { Puppet() }
                        })
                    }
                }
            })
        }
        parent.stop()
        // The parent and `late` begin to end; time passes before the child of `late` is run.
        for _ in 0..<2 { world.scheduler.step() }
        world.time.advance(by: .seconds(1))
        #expect(journal.entries == [])
        world.time.advance(by: .seconds(1))
        world.scheduler.runNewestFirst()
        #expect(
            journal.entries == [
                "/p/late/slow killed", "/p/late killed", "/p/killed/slow killed", "/p/killed killed", "/p shutdown",
            ]
        )
        await world.shutdown()
    }

    @Test("a finite timeout on a supervisor child is refused")
    func supervisorNeedsTime() async throws {
        let world = SteppedWorld()
        #expect(throws: SpawnError.supervisorNeedsTime) {
            try world.system.spawn(options: SpawnOptions(shutdown: .timeout(.seconds(5)))) { Supervisor { _ in } }
        }
        for shutdown in [nil, .brutalKill, .infinite] as [Shutdown?] {
            try world.system.spawn(options: SpawnOptions(shutdown: shutdown)) { Supervisor { _ in } }
        }
        await world.shutdown()
    }

    @Test("a supervisor starts its children in order and fails with the one that does")
    func supervisorStart() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        #expect(throws: Planned.self) {
            try world.system.spawn("supervisor") {
                Supervisor { context in
                    try context.spawn {
                        Puppet(starting: { _ in journal.note("one") }, stopping: { _, _ in journal.note("end of one") })
                    }
                    try context.spawn { Puppet(starting: { _ in throw Planned() }) }
                    journal.note("never")
                }
            }
        }
        world.settle()
        #expect(journal.entries == ["one", "end of one"])
        await world.shutdown()
    }

    @Test("an actor whose child failed too often fails itself and is restarted by its own parent")
    func escalation() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let children = Journal<ActorRef<Puppet.Message>>()
        try world.system.spawn(
            options: SpawnOptions(restart: .permanent, intensity: RestartIntensity(0, per: .seconds(1)))
        ) {
            Puppet(starting: { context in
                journal.note("parent")
                children.note(
                    try context.spawn(options: .permanent) { Puppet(starting: { _ in journal.note("child") }) }
                )
            })
        }
        children.entries[0].act { _ in throw Planned() }
        world.settle()
        #expect(journal.entries == ["parent", "child", "parent", "child"])
        await world.shutdown()
    }
}
