#if os(Linux)
    import Conclave
    import Dispatch
    import Foundation
    import Glibc
    import Synchronization
    import Testing

    /// Each test is a process of its own: some are meant to end it.
    @Suite(.timeLimit(.minutes(3))) struct TrapTests {
        @Test("an index out of range fails its actor alone")
        func index() async {
            await #expect(processExitsWith: .success) { try await survive("index out of range") }
        }

        @Test("a nil that is unwrapped fails its actor alone")
        func unwrap() async {
            await #expect(processExitsWith: .success) { try await survive("nil") }
        }

        @Test("an arithmetic overflow fails its actor alone")
        func overflow() async {
            await #expect(processExitsWith: .success) { try await survive("overflow") }
        }

        @Test("a failed precondition fails its actor alone")
        func precondition() async {
            await #expect(processExitsWith: .success) { try await survive("precondition") }
        }

        @Test("fatalError fails its actor alone")
        func fatal() async {
            await #expect(processExitsWith: .success) { try await survive("fatalError") }
        }

        @Test("a stack overflow fails its actor alone")
        func stack() async {
            await #expect(processExitsWith: .success) { try await survive("stack overflow") }
        }

        @Test("a bad address fails its actor alone")
        func address() async {
            await #expect(processExitsWith: .success) { try await survive("bad address") }
        }

        @Test("traps up to the limit are survived, one after the other, and the next one ends the process as before")
        func limit() async {
            await #expect(processExitsWith: .success) { try await trap(times: 32, limit: 32) }
            await #expect(processExitsWith: .signal(SIGILL)) { try await trap(times: 4, limit: 3) }
        }

        @Test(
            "a task on the executor survives the trap of the actor that it asks: it lends its thread only if no trap is survived"
        )
        func asker() async {
            await #expect(processExitsWith: .success) {
                let system = ActorSystem("asker", trapIsolation: .upTo(4))
                let trapper = try system.spawn(options: .permanent) { Trapper() }
                let task = Task(executorPreference: system.taskExecutor) {
                    let failure = await askFailure {
                        try await trapper.ask(timeout: .milliseconds(200)) { (reply: Reply<Int>) in .ask(reply) }
                    }
                    return (failure, try await trapper.ask { .count($0) })
                }
                let (failure, count) = try await task.value
                #expect(failure == "timeout")
                #expect(count == 1)
                await system.shutdown()
            }
        }

        @Test(
            "a trap while one of the library's own locks is held ends the process: nobody could ever take that lock again"
        )
        func locked() async {
            await #expect(processExitsWith: .signal(SIGILL)) { try await trapInSection("overflow") }
            await #expect(processExitsWith: .signal(SIGSEGV)) { try await trapInSection("stack overflow") }
        }

        @Test("without trap isolation a trap ends the process")
        func off() async {
            await #expect(processExitsWith: .signal(SIGILL)) {
                let system = ActorSystem("off")
                try system.spawn { Trapper() }.send(.trap("overflow"))
                _ = await Journal<Int>().first(1)
            }
        }

        @Test(
            "a trap outside of an actor ends the process: in a task on the system's executor, and on a thread of the program's own"
        )
        func outside() async {
            await #expect(processExitsWith: .signal(SIGILL)) {
                let system = ActorSystem("outside", trapIsolation: .upTo(8))
                await Task(executorPreference: system.taskExecutor) { trap("overflow") }.value
            }
            await #expect(processExitsWith: .signal(SIGILL)) {
                let system = ActorSystem("outside", trapIsolation: .upTo(8))
                try system.spawn { Puppet(starting: { _ in trap("overflow") }) }
            }
        }

        @Test("a signal that somebody sends is no trap")
        func sent() async {
            await #expect(processExitsWith: .signal(SIGSEGV)) {
                let system = ActorSystem("sent", trapIsolation: .upTo(8))
                try system.spawn { Puppet() }.act { _ in raise(SIGSEGV) }
                _ = await Journal<Int>().first(1)
            }
        }

        @Test("traps in hooks, in starts, in code that blocks and in asynchronous handlers fail their actor as well")
        func places() async {
            await #expect(processExitsWith: .success) {
                let system = ActorSystem(
                    "places",
                    restartIntensity: .init(100, per: .seconds(1)),
                    trapIsolation: .upTo(16)
                )
                let events = Journal<String>()
                system.onEvent {
                    switch $0 {
                    case .actorStopped(let path, let reason): events.note("\(path) \(reason)")
                    case .actorRestarted(let path, _): events.note("\(path) restarted")
                    default: break
                    }
                }
                func next(_ number: Int) async -> String { await events.first(number).last ?? "" }

                try system.spawn("stopping") { Puppet(stopping: { _, _ in trap("overflow") }) }.stop()
                #expect(await next(1) == "/stopping failed(trapped(SIGILL))")

                try system.spawn("batch") { Puppet(batchEnding: { _ in trap("overflow") }) }.act { _ in }
                #expect(await next(2) == "/batch failed(trapped(SIGILL))")

                try system.spawn("blocking") { Puppet() }.act { try $0.blocking { trap("overflow") } }
                #expect(await next(3) == "/blocking failed(trapped(SIGILL))")

                try system.spawn("own", options: SpawnOptions(runsOn: .ownThread)) { Puppet() }.act { _ in
                    trap("overflow")
                }
                #expect(await next(4) == "/own failed(trapped(SIGILL))")

                // The child is being started by the handler that traps, below another parent and below its own.
                try system.spawn("parent") { Puppet() }.act { context in
                    try context.spawn("child") { Puppet(starting: { _ in trap("overflow") }) }
                }
                #expect(
                    Set(await events.first(6)[4...]) == [
                        "/parent failed(trapped(SIGILL))", "/parent/child failed(trapped(SIGILL))",
                    ]
                )
                try system.spawn("spawner") { Puppet() }.act { context in
                    try context.system.spawn("other") { Puppet(starting: { _ in trap("overflow") }) }
                }
                #expect(
                    Set(await events.first(8)[6...]) == [
                        "/spawner failed(trapped(SIGILL))", "/other failed(trapped(SIGILL))",
                    ]
                )

                // The start of a restart: a failed one, after which another follows.
                let starts = Counter()
                let again = try system.spawn("again", options: .transient) {
                    Puppet(starting: { _ in
                        starts.up()
                        if starts.value == 2 { trap("overflow") }
                    })
                }
                again.act { _ in throw Planned() }
                #expect(await next(9) == "/again restarted")
                #expect(starts.value == 3)

                let asynchronous = try system.spawn("async") { AsyncTrapper() }
                asynchronous.send(.trap)
                while !events.entries.contains("/async failed(trapped(SIGILL))") { await Task.yield() }
                await system.shutdown()
                #expect(system.threadCount == 0)
            }
        }
    }

    @Test("a trap in the last hook of a child that stopped itself in its start fails the actor that spawned it as well")
    func stoppedInStart() async {
        await #expect(processExitsWith: .success) {
            let system = ActorSystem("passing", trapIsolation: .upTo(8))
            let ends = Journal<String>()
            system.onEvent { if case .actorStopped(let path, let reason) = $0 { ends.note("\(path) \(reason)") } }
            let spawners = [
                try system.spawn("worker") { Puppet() },
                try system.spawn("own", options: SpawnOptions(runsOn: .ownThread)) { Puppet() },
            ]
            for spawner in spawners {
                spawner.act { context in
                    try context.spawn("child") {
                        Puppet(starting: { $0.stop() }, stopping: { _, _ in trap("overflow") })
                    }
                }
            }
            let names = ["/worker", "/worker/child", "/own", "/own/child"]
            // Required: the shutdown would wait for ever.
            try #require(Set(await ends.first(4)) == Set(names.map { "\($0) failed(trapped(SIGILL))" }))
            await system.shutdown()
            #expect(system.threadCount == 0)
        }
        await #expect(processExitsWith: .signal(SIGILL)) {
            let system = ActorSystem("passing", trapIsolation: .upTo(8))
            await Task(executorPreference: system.taskExecutor) {
                _ = try? system.spawn { Puppet(starting: { $0.stop() }, stopping: { _, _ in trap("overflow") }) }
            }.value
        }
    }

    /// Traps in its calls about some actors.
    private struct TrappingInstrument: Instrument {
        func messageSent(to actor: ActorInfo, from sender: ActorInfo?) -> UInt64 {
            if actor.path == "/target" { trap("overflow") }
            return 0
        }
        func handlerBegins(in actor: ActorInfo, mark: UInt64?) { if actor.path == "/begins" { trap("overflow") } }
        func handlerEnded(in actor: ActorInfo, error: (any Error)?) { if actor.path == "/ends" { trap("overflow") } }
        func actorEnded(_ actor: ActorInfo, reason: ExitReason) { if actor.path == "/last" { trap("overflow") } }
    }

    private final class Bomb: Sendable {
        deinit { trap("overflow") }
    }

    @Test(
        "traps in an instrument's calls about a message, and in a destructor while a handler runs, fail the actor that runs there"
    )
    func instrument() async {
        await #expect(processExitsWith: .success) {
            let system = ActorSystem("instrument", trapIsolation: .upTo(8), instrument: TrappingInstrument())
            let ends = Journal<String>()
            system.onEvent { if case .actorStopped(let path, let reason) = $0 { ends.note("\(path) \(reason)") } }
            let target = try system.spawn("target") { Puppet() }
            for name in ["begins", "ends"] { try system.spawn(name) { Puppet() }.act { _ in } }
            try system.spawn("sender") { Puppet() }.act { _ in target.send(.note("")) }
            // Made in the handler: a bomb that was sent might be let go of last by its sender.
            try system.spawn("holder") { Puppet() }.act { _ in withExtendedLifetime(Bomb()) {} }
            let keeper = try system.spawn("keeper") { [made = Counter()] in
                made.up()
                let bomb = Bomb()
                return Puppet(stopping: { _, _ in withExtendedLifetime(bomb) {} })
            }
            keeper.stop()
            let names = ["begins", "ends", "sender", "holder", "keeper"]
            #expect(Set(await ends.first(5)) == Set(names.map { "/\($0) failed(trapped(SIGILL))" }))
            // Others go on, and the one that was only sent to among them.
            try await system.spawn("other") { Puppet() }.settle()
            target.stop()
            await system.shutdown()
            #expect(system.threadCount == 0)
        }
    }

    @Test("a message whose instrument traps is gone, and what waits behind it is received by the next incarnation")
    func instrumentAmidMessages() async {
        await #expect(processExitsWith: .success) {
            struct Once: Instrument {
                let count = Counter()
                func handlerBegins(in actor: ActorInfo, mark: UInt64?) {
                    guard actor.path == "/actor" else { return }
                    count.up()
                    if count.value == 3 { trap("overflow") }
                }
            }
            let system = ActorSystem("amid", trapIsolation: .upTo(8), instrument: Once())
            let journal = Journal<Int>()
            let actor = try system.spawn("actor", options: .permanent) { Puppet() }
            let sender = try system.spawn { Puppet() }
            sender.act { _ in for number in 0..<6 { actor.act { _ in journal.note(number) } } }
            #expect(await journal.first(5) == [0, 1, 3, 4, 5])
            await system.shutdown()
        }
    }

    @Test(
        "a trap in the destructor of a message that nobody received, or in an instrument's news of an end, ends the process"
    )
    func outsideOfHandlers() async {
        await #expect(processExitsWith: .signal(SIGILL)) {
            let system = ActorSystem("letters", trapIsolation: .upTo(8))
            let actor = try system.spawn { Puppet() }
            actor.act { context in
                context.myself.act { [bomb = Bomb()] _ in withExtendedLifetime(bomb) {} }
                context.stop()
            }
            _ = await Journal<Int>().first(1)
        }
        await #expect(processExitsWith: .signal(SIGILL)) {
            let system = ActorSystem("last", trapIsolation: .upTo(8), instrument: TrappingInstrument())
            try system.spawn("last") { Puppet() }.act { $0.stop() }
            _ = await Journal<Int>().first(1)
        }
    }

    private struct AsyncTrapper: AsyncBehavior {
        enum Message { case trap }
        mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) async throws {
            await Task.yield()
            trapOnThread()
        }
    }

    private func trapOnThread() { trap("overflow") }

    private struct Trapper: Behavior {
        enum Message {
            case trap(String)
            case count(Reply<Int>)
            /// Holds a token in the frame that traps.
            case ask(Reply<Int>)
        }
        var received = 0

        mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
            received += 1
            switch consume message {
            case .trap(let kind): trap(kind)
            case .count(let reply): reply(received)
            case .ask(let reply):
                trap("overflow")
                reply(0)
            }
        }
    }

    /// Traps in a way that the optimiser does not see.
    private func trap(_ kind: String) {
        let zero = kind.isEmpty ? 1 : 0
        switch kind {
        case "index out of range": _ = [1, 2, 3][5 - zero]
        case "nil": _ = Int(kind)!
        case "overflow": _ = Int.max - zero + kind.utf8.count
        case "precondition": Swift.precondition(zero == 1, "planned")
        case "fatalError": fatalError("planned")
        case "stack overflow": _ = descend(1 - zero)
        case "bad address": UnsafeMutablePointer<Int>(bitPattern: 8)!.pointee = zero
        default: Swift.preconditionFailure("no such trap")
        }
    }

    @inline(never)
    private func descend(_ depth: Int) -> Int {
        withUnsafeTemporaryAllocation(of: Int.self, capacity: 64) { room in
            room[0] = depth
            return descend(depth + 1) + room[0]
        }
    }

    /// An actor traps in this way; its supervisor restarts it with its mailbox, and other actors notice nothing.
    private func survive(_ kind: String) async throws {
        let system = ActorSystem("survive", workers: 2, trapIsolation: .upTo(4))
        let failures = Journal<any Error>()
        system.onEvent { if case .actorFailed("/trapper", let error) = $0 { failures.note(error) } }
        let others = try (0..<4).map { _ in try system.spawn { Puppet() } }
        let trapper = try system.spawn("trapper", options: .permanent) { Trapper() }
        for _ in 0..<3 { _ = try await trapper.ask { .count($0) } }
        let gate = DispatchSemaphore(value: 0)
        // In the queues of the worker whose thread is lost.
        let sender = try system.spawn { Puppet() }
        sender.act { _ in
            trapper.send(.trap(kind))
            for other in others { other.act { _ in gate.signal() } }
        }
        // Behind the trap in the mailbox, and received by the next incarnation.
        try await sender.settle()
        #expect(try await trapper.ask { .count($0) } == 1)
        #expect(try await trapper.ask { .count($0) } == 2)
        for _ in others { wait(on: gate) }
        for other in others { try await other.settle() }
        let error = try #require(await failures.first(1).first as? ActorTrap)
        if case .trapped(let signal) = error { #expect([SIGILL, SIGTRAP, SIGSEGV].contains(signal.number)) }
        await system.shutdown()
        #expect(system.threadCount == 0)
    }

    private func wait(on gate: DispatchSemaphore) { gate.wait() }

    /// An actor traps in this way while it holds a lock of the library's.
    private func trapInSection(_ kind: String) async throws {
        let system = ActorSystem("section", trapIsolation: .upTo(4))
        let section = Guarded(0)
        let failures = Journal<Int>()
        system.onEvent { if case .actorFailed = $0 { failures.note(1) } }
        try system.spawn { Puppet() }.act { _ in section.withLock { _ in trap(kind) } }
        _ = await failures.first(1)
    }

    private func trap(times: Int, limit: Int) async throws {
        let system = ActorSystem("limit", restartIntensity: .init(1000, per: .seconds(1)), trapIsolation: .upTo(limit))
        let trapper = try system.spawn(options: .permanent) { Trapper() }
        for _ in 0..<times {
            trapper.send(.trap("overflow"))
            #expect(try await trapper.ask { .count($0) } == 1)
        }
        // A token that lies in the lost frames is never answered.
        await system.shutdown()
    }
#endif
