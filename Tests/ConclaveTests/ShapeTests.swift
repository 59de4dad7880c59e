import Conclave
import Testing

/// What an actor is: its hooks, its handlers, its references.
@Suite(.timeLimit(.minutes(1))) struct ShapeTests {
    @Test(
        "hooks have defaults, and run in order: started, the messages, the end of their batch, stopping with the reason"
    )
    func hooks() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let actor = try world.system.spawn {
            Puppet(
                journal,
                starting: { _ in journal.note("started") },
                batchEnding: { _ in journal.note("batch ended") },
                stopping: { reason, _ in journal.note("stopping \(reason)") }
            )
        }
        for number in 0..<2 { actor.send(.note("\(number)")) }
        world.settle()
        actor.stop()
        world.settle()
        #expect(journal.entries == ["started", "0", "1", "batch ended", "stopping shutdown"])

        struct Bare: Behavior {
            mutating func receive(_ message: consuming Reply<Int>, _ context: borrowing Context<Reply<Int>>) {
                message(1)
            }
        }
        let system = ActorSystem("bare")
        #expect(try await system.spawn { Bare() }.ask { $0 } == 1)
        await system.shutdown()
        await world.shutdown()
    }

    @Test("start is synchronous: started has run when spawn returns, on the thread that spawns")
    func start() async throws {
        let system = ActorSystem("start")
        let wasStarted = Guarded(false)
        try system.spawn { Puppet(starting: { _ in wasStarted.withLock { $0 = true } }) }
        #expect(wasStarted.withLock { $0 })
        await system.shutdown()
    }

    @Test(
        "receive is synchronous and runs to completion: what is sent meanwhile waits, also what an actor sends itself"
    )
    func runsToCompletion() async throws {
        /// Notes when it is entered twice.
        struct Guarded: Behavior {
            enum Message { case work(nested: Bool), overlaps(Reply<Int>) }
            let inside = Counter()
            var overlaps = 0
            mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
                switch consume message {
                case .work(let nested):
                    let before = inside.value
                    inside.up()
                    if nested { context.myself.send(.work(nested: false)) }
                    for _ in 0..<20 where inside.value != before + 1 { overlaps += 1 }
                case .overlaps(let reply): reply(overlaps)
                }
            }
        }
        let system = ActorSystem("completion", workers: 4)
        let actor = try system.spawn { Guarded() }
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 { group.addTask { for number in 0..<2_000 { actor.send(.work(nested: number % 2 == 0)) } } }
        }
        #expect(try await actor.ask { .overlaps($0) } == 0)
        await system.shutdown()
    }

    @Test("references are Sendable, Hashable and cheap: one word")
    func references() async throws {
        func isSendable(_ value: some Sendable & Hashable) {}
        let system = ActorSystem("references")
        let (a, b) = (try system.spawn("a") { Account() }, try system.spawn("b") { Account() })
        isSendable(a)
        #expect(MemoryLayout<ActorRef<Account.Message>>.size == MemoryLayout<UInt>.size)
        let copy = a
        #expect(a == copy && a != b && Set([a, b, copy]).count == 2)
        await system.shutdown()
    }

    @Test("references stay valid across restarts")
    func acrossRestarts() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let actor = try world.system.spawn(options: .permanent) { Puppet(journal) }
        actor.act { _ in throw Planned() }
        actor.send(.note("same reference"))
        world.settle()
        #expect(journal.entries == ["same reference"])
        #expect(world.system.counts.restarts == 1)
        await world.shutdown()
    }

    @Test("a thrown error fails the actor: it ends with failed(error), and nobody else is touched")
    func failure() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let actor = try world.system.spawn { Puppet(stopping: { reason, _ in journal.note("\(reason)") }) }
        let sender = try world.system.spawn { Puppet(journal) }
        sender.act { _ in actor.act { _ in throw Planned() } }
        world.settle()
        sender.send(.note("the sender lives"))
        world.settle()
        #expect(journal.entries == ["failed(Planned())", "the sender lives"])
        await world.shutdown()
    }

    @Test(
        "exit reasons: normal, shutdown, failed(error), killed; noProcess for who was gone; noConnection is no normal end",
        arguments: ExitKind.allCases
    )
    func exitReasons(_ exit: ExitKind) async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let actor = try world.system.spawn { Puppet() }
        let watcher = try world.system.spawn { Puppet(journal) }
        watcher.act { $0.monitor(actor) { .note("\($0) \($0.isNormal)") } }
        world.settle()
        exit.end(actor)
        world.settle()
        watcher.act { $0.monitor(actor) { .note("\($0) \($0.isNormal)") } }
        world.settle()
        let reason = exit == .failed ? "failed(Planned())" : exit.rawValue
        #expect(journal.entries == ["\(reason) \(!exit.isAbnormal)", "noProcess false"])
        #expect(!ExitReason.noConnection.isNormal)
        await world.shutdown()
    }
}
