import Conclave
import Dispatch
import Testing

@Suite(.timeLimit(.minutes(1))) struct RegistryTests {
    @Test("a name belongs to one actor, which is found by it and by the type of its messages")
    func lookup() async throws {
        let system = ActorSystem("registry")
        let first = try system.spawn { Puppet() }
        let second = try system.spawn { Puppet() }
        try system.registry.register("puppet", first)
        try system.registry.register("puppet", first)
        try system.registry.register("also", first)
        #expect(throws: RegistryError.nameTaken("puppet")) { try system.registry.register("puppet", second) }
        #expect(system.registry.lookup("puppet", of: Puppet.Message.self) == first)
        #expect(system.registry.lookup("puppet", of: Int.self) == nil)
        #expect(system.registry.lookup("nobody", of: Puppet.Message.self) == nil)
        #expect(system.registry.names == ["also", "puppet"])
        system.registry.unregister("puppet")
        try system.registry.register("puppet", second)
        #expect(system.registry.lookup("puppet") == second)
        await system.shutdown()
        #expect(system.registry.names == [])
    }

    @Test("a name is registered only after a successful start")
    func afterStart() async throws {
        let system = ActorSystem("registry")
        let journal = Journal<Bool>()
        let actor = try system.spawn {
            Puppet(starting: { context in
                try context.register("name")
                journal.note(context.system.registry.lookup("name", of: Puppet.Message.self) == nil)
            })
        }
        #expect(journal.entries == [true])
        #expect(system.registry.lookup("name") == actor)
        #expect(throws: RegistryError.nameTaken("name")) {
            try system.spawn { Puppet(starting: { try $0.register("name") }) }
        }
        await system.shutdown()
    }

    @Test("a failed start leaves no name behind")
    func failedStart() async throws {
        let system = ActorSystem("registry")
        #expect(throws: Planned.self) {
            try system.spawn {
                Puppet(starting: { context in
                    try context.register("name")
                    throw Planned()
                })
            }
        }
        #expect(system.registry.names == [])
        let next = try system.spawn { Puppet(starting: { try $0.register("name") }) }
        #expect(system.registry.lookup("name") == next)
        await system.shutdown()
    }

    @Test("a failed start leaves no name behind while its children are still stopping")
    func failedStartWithChildren() async throws {
        let system = ActorSystem("registry")
        let gate = DispatchSemaphore(value: 0)
        #expect(throws: Planned.self) {
            try system.spawn {
                Puppet(starting: { context in
                    try context.register("name")
                    try context.spawn(options: SpawnOptions(runsOn: .ownThread)) { Puppet() }.act { _ in gate.wait() }
                    throw Planned()
                })
            }
        }
        let next = try system.spawn { Puppet(starting: { try $0.register("name") }) }
        #expect(system.registry.lookup("name") == next)
        gate.signal()
        await system.shutdown()
    }

    @Test("DOWN comes after names are released", arguments: [false, true])
    func releasedBeforeDown(isKilled: Bool) async throws {
        let system = ActorSystem("registry")
        let journal = Journal<String>()
        for _ in 0..<200 {
            let watcher = try system.spawn { Puppet() }
            let actor = try system.spawn { Puppet() }
            // The monitor is there before the name.
            watcher.act { context in
                context.monitor(actor) { _ in
                    .act { context in
                        let found = context.system.registry.lookup("name", of: Puppet.Message.self)
                        journal.note(found == nil ? "free" : "taken")
                    }
                }
            }
            try await watcher.settle()
            try system.registry.register("name", actor)
            if isKilled { actor.kill() } else { actor.stop() }
            _ = await actor.terminated()
            #expect(system.registry.names == [])
            try await watcher.settle()
            watcher.stop()
        }
        #expect(await journal.first(200) == Array(repeating: "free", count: 200))
        await system.shutdown()
    }

    @Test("a name stays with its actor over restarts")
    func restart() async throws {
        let system = ActorSystem("registry")
        let actor = try system.spawn(options: .permanent) { Puppet(starting: { try $0.register("name") }) }
        actor.act { _ in throw Planned() }
        try await actor.settle()
        #expect(system.registry.lookup("name") == actor)
        await system.shutdown()
    }

    @Test("an actor that has ended is refused")
    func ended() async throws {
        let system = ActorSystem("registry")
        let actor = try system.spawn { Puppet() }
        actor.stop()
        _ = await actor.terminated()
        #expect(throws: RegistryError.ended) { try system.registry.register("name", actor) }
        await system.shutdown()
    }

    @Test("names given while their actors end are free in the end")
    func race() async throws {
        let system = ActorSystem("registry")
        for round in 0..<2000 {
            let actor = try system.spawn { Puppet() }
            actor.stop()
            try? system.registry.register("\(round % 10)-\(round)", actor)
            if round % 100 == 0 { _ = await actor.terminated() }
        }
        await system.shutdown()
        #expect(system.registry.names == [])
        #expect(system.liveCellCount == 0)
    }
}

@Suite(.timeLimit(.minutes(1))) struct GroupTests {
    @Test("a broadcast reaches all members, in the order of their joining; who leaves gets no more")
    func broadcast() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let group = Group<String>()
        let actors = try ["a", "b", "c"].map { name in try world.system.spawn { Noter(name: name, journal: journal) } }
        for actor in actors { group.join(actor) }
        group.join(actors[0])
        #expect(group.members == actors)
        group.broadcast("1")
        group.leave(actors[1])
        group.leave(actors[1])
        group.broadcast("2")
        world.settle()
        #expect(journal.entries.sorted() == ["a1", "a2", "b1", "c1", "c2"])
        group.join(actors[1])
        #expect(group.members == [actors[0], actors[2], actors[1]])
        await world.shutdown()
        #expect(group.members.isEmpty)
    }

    @Test("a member that ends leaves before its end is known, and who watches the group hears of it")
    func ends() async throws {
        let system = ActorSystem("groups")
        let group = system.registry.group("noters", of: String.self)
        #expect(system.registry.group("noters", of: String.self) === group)
        let changes = group.changes.events()
        let actor = try system.spawn { Noter(name: "a", journal: Journal()) }
        group.join(actor)
        #expect(group.count == 1)
        actor.stop()
        _ = await actor.terminated()
        #expect(group.count == 0)
        group.join(actor)
        #expect(group.count == 0, "who has ended does not join, and nothing is published of it")
        group.changes.finish()
        var seen: [String] = []
        for await change in changes {
            switch change {
            case .joined(let member): seen.append("joined \(member == actor)")
            case .left(let member): seen.append("left \(member == actor)")
            }
        }
        #expect(seen == ["joined true", "left true"])
        await system.shutdown()
    }

    @Test("members that join, leave and end at the same time leave nothing behind")
    func churn() async throws {
        let system = ActorSystem("groups", workers: 4)
        let group = Group<String>()
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for _ in 0..<4 {
                tasks.addTask {
                    for round in 0..<500 {
                        let actor = try system.spawn { Noter(name: "", journal: Journal()) }
                        group.join(actor)
                        group.broadcast("x")
                        if round % 3 == 0 { group.leave(actor) }
                        actor.stop()
                    }
                }
            }
            try await tasks.waitForAll()
        }
        await system.shutdown()
        #expect(group.count == 0)
        #expect(system.liveCellCount == 0)
    }
}

/// Notes its name and what it is told.
struct Noter: Behavior {
    let name: String
    let journal: Journal<String>
    mutating func receive(_ message: consuming String, _ context: borrowing Context<String>) {
        journal.note(name + message)
    }
}
