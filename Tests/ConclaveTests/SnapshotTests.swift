import Conclave
import Dispatch
import Testing

@Suite(.timeLimit(.minutes(1))) struct SnapshotTests {
    /// Takes a snapshot of a stepped world; its actors run when the questions are out.
    private func snapshot(_ world: SteppedWorld, runs: Bool = true) async -> SystemSnapshot {
        let ready = world.scheduler.becameReady
        let asked = ready.entries.count
        async let snapshot = world.system.snapshot()
        _ = await ready.first(asked + 1)
        // The questions are asked one after the other: the answers complete the snapshot, or its patience does.
        let done = Counter()
        let waiting = Task {
            while done.value == 0 {
                if runs { world.settle() } else { world.time.advance(by: .seconds(1)) }
                await Task.yield()
            }
        }
        let result = await snapshot
        done.up()
        await waiting.value
        return result
    }

    @Test("a snapshot is the tree with each actor's state, mailbox depth, restarts, monitors and children")
    func tree() async throws {
        let world = SteppedWorld()
        let parent = try world.system.spawn("parent") { Puppet() }
        let child = Journal<ActorRef<Puppet.Message>>()
        parent.act { context in
            child.note(
                try context.spawn(
                    "child",
                    options: SpawnOptions(restart: .permanent, mailbox: .bounded(5, overflow: .rejectNewest))
                ) { Puppet() }
            )
            try context.spawn { Puppet() }
        }
        world.settle()
        let first = child.entries[0]
        first.act { _ in throw Planned() }
        world.settle()
        first.act { context in
            context.monitor(parent) { _ in .note("") }
            context.link(parent)
            context.after(.seconds(100), send: .note(""))
        }
        world.settle()
        let snapshot = await snapshot(world)
        #expect(snapshot.name == "stepped")
        #expect(snapshot.actors.map(\.path) == ["/", "/parent", "/parent/child", "/parent/Puppet"])
        let found = try #require(snapshot["/parent/child"])
        #expect(found.state == .receiving)
        #expect(found.current == nil)
        #expect(ObjectIdentifier(found.messageType) == ObjectIdentifier(Puppet.Message.self))
        #expect(found.mailboxDepth == 0)
        #expect(found.mailboxCapacity == 5)
        let details = try #require(found.details)
        #expect(details.restartCount == 1)
        #expect(details.timerCount == 1)
        #expect(details.monitoring == ["/parent"])
        #expect(details.links == ["/parent"])
        #expect(snapshot["/parent"]?.details?.links == ["/parent/child"])
        #expect(snapshot["/parent"]?.details?.watcherCount == 1)
        #expect(snapshot["/parent"]?.children.map(\.label) == ["child", "Puppet"])
        await world.shutdown()
    }

    @Test("the depth counts what waits in the mailbox", arguments: [true, false])
    func depth(bounded: Bool) async throws {
        let world = SteppedWorld()
        let mailbox: Mailbox = bounded ? .bounded(10, overflow: .dropNewest) : .unbounded
        let actor = try world.system.spawn("busy", options: SpawnOptions(mailbox: mailbox)) { Puppet() }
        try world.system.spawn("last") { Puppet() }
        let told = Journal<SystemSnapshot>()
        actor.act { [system = world.system] context in
            for number in 0..<7 { actor.send(.note("\(number)")) }
            // The question overtakes the messages. It is there once the root and the last actor have been asked.
            let ready = world.scheduler.becameReady.entries.count
            Task { told.note(await system.snapshot()) }
            while world.scheduler.becameReady.entries.count < ready + 2 {}
        }
        await onOwnThread { world.settle() }
        let snapshot = try #require(await told.first(1).first)
        #expect(snapshot["/busy"]?.mailboxDepth == 7)
        await world.shutdown()
    }

    @Test("an actor whose handler runs is shown with its message's type and age, and its children")
    func busy() async throws {
        let system = ActorSystem("busy", workers: 2, watchdog: nil)
        let parent = try system.spawn("parent") { Puppet() }
        let inside = Journal<Int>()
        let release = DispatchSemaphore(value: 0)
        parent.act { context in
            try context.spawn("child") { Puppet() }
            inside.note(1)
            release.wait()
        }
        #expect(await inside.first(1).count == 1)
        let first = await system.snapshot(patience: .milliseconds(20))
        let parentThen = try #require(first["/parent"])
        #expect(parentThen.state == .handling)
        #expect(parentThen.details == nil && parentThen.mailboxDepth == nil)
        let current = try #require(parentThen.current)
        #expect(ObjectIdentifier(current.type) == ObjectIdentifier(Puppet.Message.self))
        #expect(current.age >= .milliseconds(20))
        #expect(first["/parent/child"]?.state == .receiving)
        // The next one knows that it is the same handler.
        let second = await system.snapshot(patience: .milliseconds(20))
        #expect(try #require(second["/parent"]?.current).age >= current.age + .milliseconds(20))
        release.signal()
        try await parent.settle()
        #expect(await system.snapshot()["/parent"]?.state == .receiving)
        await system.shutdown()
    }

    @Test("an actor that no worker has come to is not taken for a busy one")
    func waiting() async throws {
        let world = SteppedWorld()
        try world.system.spawn("waiting") { Puppet() }
        let snapshot = await snapshot(world, runs: false)
        #expect(snapshot["/waiting"]?.state == .waitingForWorker)
        #expect(snapshot["/waiting"]?.current == nil)
        await world.shutdown()
    }

    @Test("an actor whose start takes long is shown as starting, in its first start and after a failure")
    func starting() async throws {
        let system = ActorSystem("starting", workers: 2, watchdog: nil)
        let inside = Journal<Int>()
        let release = DispatchSemaphore(value: 0)
        let spawned = Journal<ActorRef<Puppet.Message>>()
        DispatchQueue.global().async {
            let actor = try? system.spawn("slow", options: .permanent) {
                Puppet(starting: { _ in
                    inside.note(1)
                    release.wait()
                })
            }
            if let actor { spawned.note(actor) }
        }
        #expect(await inside.first(1).count == 1)
        let first = try #require(await system.snapshot(patience: .milliseconds(20))["/slow"])
        #expect(first.state == .starting && first.current == nil && first.details == nil)
        #expect(first.description == "/slow  starting, mailbox not counted")
        release.signal()
        let actor = try #require(await spawned.first(1).first)
        #expect(await system.snapshot()["/slow"]?.state == .receiving)
        actor.act { _ in throw Planned() }
        #expect(await inside.first(2).count == 2)
        #expect(await system.snapshot(patience: .milliseconds(20))["/slow"]?.state == .starting)
        release.signal()
        try await actor.settle()
        #expect(await system.snapshot()["/slow"]?.state == .receiving)
        await system.shutdown()
    }

    @Test("snapshots of a busy actor leave one question in its mail, however many are taken")
    func oneQuestion() async throws {
        let system = ActorSystem("busy", workers: 2, watchdog: nil)
        let actor = try system.spawn { Puppet() }
        let inside = Journal<Int>()
        let release = DispatchSemaphore(value: 0)
        actor.act { _ in
            inside.note(1)
            release.wait()
        }
        #expect(await inside.first(1).count == 1)
        for _ in 0..<10 { _ = await system.snapshot(patience: .zero) }
        #expect(system.openInquiryCount <= 2)
        release.signal()
        try await actor.settle()
        _ = await system.snapshot()
        #expect(system.openInquiryCount == 0)
        await system.shutdown()
    }

    @Test("snapshots are safe while actors start, fail, restart and end, and find no actor twice")
    func concurrentEndings() async throws {
        let system = ActorSystem("stress", workers: 4, restartIntensity: RestartIntensity(.max, per: .nanoseconds(1)))
        let isOver = Counter()
        await withTaskGroup(of: Void.self) { group in
            for seed in 0..<4 {
                group.addTask {
                    var random = TestRandom(seed: UInt64(seed))
                    for _ in 0..<1500 {
                        let options: SpawnOptions = Bool.random(using: &random) ? .transient : SpawnOptions()
                        guard let actor = try? system.spawn(options: options, { Puppet() }) else { continue }
                        actor.act { context in
                            for _ in 0..<3 { try context.spawn { Puppet() } }
                        }
                        if Bool.random(using: &random) { actor.act { _ in throw Planned() } }
                        if Bool.random(using: &random) { await Task.yield() }
                        actor.stop()
                    }
                }
            }
            group.addTask {
                while isOver.value == 0 {
                    let snapshot = await system.snapshot(patience: .seconds(5))
                    #expect(snapshot.root.path == "/")
                    #expect(snapshot.description.hasPrefix("stress: "))
                }
            }
            for _ in 0..<4 { await group.next() }
            isOver.up()
        }
        await system.shutdown()
        let after = await system.snapshot()
        #expect(after.actors.count == 1)
        #expect(system.openInquiryCount == 0)
        #expect(system.liveCellCount == 0)
        #expect(system.liveTimerCount == 0)
    }

    @Test("a snapshot holds no more actors than it may, and says so")
    func truncated() async throws {
        let system = ActorSystem("many")
        for _ in 0..<100 { try system.spawn { Puppet() } }
        let snapshot = await system.snapshot(maximumActors: 50)
        #expect(snapshot.actors.count == 50)
        #expect(snapshot.isTruncated)
        #expect(await !system.snapshot().isTruncated)
        await system.shutdown()
    }

    @Test("the text of a snapshot is the tree, one line an actor")
    func text() async throws {
        let world = SteppedWorld()
        let parent = try world.system.spawn("parent") { Puppet() }
        parent.act { context in
            let child = try context.spawn("child", options: SpawnOptions(mailbox: .bounded(5, overflow: .dropNewest))) {
                Puppet()
            }
            try context.spawn { Puppet() }
            context.monitor(child) { _ in .note("") }
        }
        world.settle()
        try world.system.spawn("other") { Puppet() }
        let text = await snapshot(world).description
        #expect(
            text == """
                stepped: 4 actors, 0 dead letters, 0 late replies
                /
                ├─ parent  receiving, mailbox 0, monitors /parent/child
                │  ├─ child  receiving, mailbox 0 of 5, 1 watcher
                │  └─ Puppet  receiving, mailbox 0
                └─ other  receiving, mailbox 0
                """
        )
        await world.shutdown()
    }
}
