import Conclave
import Dispatch
import Synchronization
import Testing

/// An asynchronous actor that does what its messages say.
private struct AsyncPuppet: AsyncBehavior {
    typealias Act = @Sendable (borrowing Context<Message>) async throws -> Void

    enum Message {
        case act(Act)
        case count(Reply<Int>)
        case fail(Reply<Int>)
        /// Answers never: waits until it is cancelled.
        case hold(Reply<Int>)
    }

    var journal = Journal<String>()
    var starting: @Sendable (borrowing Context<Message>) throws -> Void = { _ in }
    private var received = 0
    private let life: Life?

    init(
        _ journal: Journal<String> = Journal(),
        ends: Counter? = nil,
        starting: @escaping @Sendable (borrowing Context<Message>) throws -> Void = { _ in }
    ) {
        self.journal = journal
        self.starting = starting
        life = ends.map { Life($0) }
    }

    mutating func started(_ context: borrowing Context<Message>) throws { try starting(context) }

    mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) async throws {
        received += 1
        switch consume message {
        case .act(let act): try await act(context)
        case .count(let reply): reply(received)
        case .fail: throw Planned()
        case .hold(let reply):
            journal.note("holding")
            try await untilCancelled()
            reply(received)
        }
    }

    mutating func batchEnded(_ context: borrowing Context<Message>) async throws { journal.note("batch") }

    mutating func stopping(_ reason: ExitReason, _ context: borrowing Context<Message>) { journal.note("\(reason)") }
}

private final class Life: Sendable {
    private let ends: Counter
    init(_ ends: Counter) { self.ends = ends }
    deinit { ends.up() }
}

extension ActorRef<AsyncPuppet.Message> {
    fileprivate func act(_ act: @escaping AsyncPuppet.Act) { send(.act(act)) }
    fileprivate func settle() async throws { _ = try await ask { .count($0) } }
}

/// Lets tasks wait until somebody opens it. Waiting ignores cancellation.
private final class AsyncGate: Sendable {
    private let state = Guarded((isOpen: false, waiting: [CheckedContinuation<Void, Never>]()))

    func wait() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiting.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }

    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}

/// Waits until the task is cancelled.
private func untilCancelled() async throws {
    let gate = AsyncGate()
    await withTaskCancellationHandler {
        await gate.wait()
    } onCancel: {
        gate.open()
    }
    try Task.checkCancellation()
}

/// Runs `body` with a system, ends that, and sees that nothing is left behind.
private func inSystem(
    workers: Int = ActorSystem.processorCount,
    restartIntensity: RestartIntensity = .default,
    _ body: (ActorSystem) async throws -> Void
) async throws {
    let system = ActorSystem("async", workers: workers, restartIntensity: restartIntensity)
    try await body(system)
    await system.shutdown()
    #expect(system.liveCellCount == 0)
    #expect(system.liveTimerCount == 0)
    #expect(system.threadCount == 0)
}

@Suite(.timeLimit(.minutes(2))) struct AsyncBehaviorTests {
    @Test("AsyncBehavior.receive may await and is not re-entrant: the user lane waits, in order")
    func notReentrant() async throws {
        try await inSystem { system in
            let journal = Journal<String>()
            let gate = AsyncGate()
            let actor = try system.spawn { AsyncPuppet() }
            actor.act { _ in
                journal.note("begin 1")
                await gate.wait()
                await Task.yield()
                journal.note("end 1")
            }
            for number in 2...4 {
                actor.act { _ in
                    journal.note("begin \(number)")
                    await Task.yield()
                    journal.note("end \(number)")
                }
            }
            _ = await journal.first(1)
            gate.open()
            let expected = (1...4).flatMap { ["begin \($0)", "end \($0)"] }
            #expect(await journal.first(8) == expected)
        }
    }

    @Test("the system lane does not wait while a handler awaits: monitors and the ends of children")
    func systemLane() async throws {
        try await inSystem(restartIntensity: RestartIntensity(100, per: .seconds(1))) { system in
            let journal = Journal<String>()
            let gate = AsyncGate()
            let restarts = Journal<String>()
            system.onEvent { if case .actorRestarted(let path, _) = $0 { restarts.note(path) } }
            let actor = try system.spawn(
                "parent",
                options: SpawnOptions(intensity: RestartIntensity(10, per: .seconds(1)))
            ) {
                AsyncPuppet()
            }
            actor.act { context in
                let child = try context.spawn("child", options: .permanent) { Puppet() }
                child.act { _ in throw Planned() }
                journal.note("waits")
                await gate.wait()
            }
            _ = await journal.first(1)
            // Supervised while its parent's handler goes on.
            #expect(await restarts.first(1) == ["/parent/child"])
            gate.open()
            try await actor.settle()
        }
    }

    @Test(
        "a token that an asynchronous handler drops fails its asker when the handler next awaits, long before its end"
    )
    func droppedBeforeTheEnd() async throws {
        try await inSystem { system in
            let gate = AsyncGate()
            let tokens = Journal<Reply<Int>>()
            let actor = try system.spawn { AsyncPuppet() }
            let failure = await askFailure {
                try await actor.ask(timeout: .seconds(5)) { reply in
                    tokens.note(reply)
                    return .act { _ in
                        tokens.clear { _ in }
                        await gate.wait()
                    }
                }
            }
            #expect(failure == "unanswered")
            gate.open()
            try await actor.settle()
        }
    }

    @Test("stopping cancels the task of the handler, and cancellation is no failure")
    func stopCancels() async throws {
        try await inSystem { system in
            let journal = Journal<String>()
            let begun = Journal<Int>()
            let ends = Counter()
            let actor = try system.spawn { AsyncPuppet(journal, ends: ends) }
            actor.act { _ in
                begun.note(1)
                try await untilCancelled()
            }
            actor.act { _ in begun.note(2) }
            _ = await begun.first(1)
            actor.stop()
            _ = await actor.terminated()
            #expect(journal.entries == ["shutdown"])
            #expect(begun.entries == [1])
            #expect(ends.value == 1)
            await system.shutdown()
            #expect(system.deadLetterCount == 1)
        }
    }

    @Test("a stop waits for a handler that ignores cancellation; a kill does not")
    func kill() async throws {
        try await inSystem { system in
            let journal = Journal<String>()
            let gate = AsyncGate()
            let ends = Counter()
            let actor = try system.spawn("stubborn") { AsyncPuppet(journal, ends: ends) }
            actor.act { context in
                journal.note("begun")
                await gate.wait()
                do { _ = try context.spawn { Puppet() } } catch SpawnError.parentStopping {
                    journal.note("no children")
                }
                context.after(.zero, send: .act { _ in journal.note("never") })
                journal.note(Task.isCancelled ? "cancelled" : "not cancelled")
            }
            _ = await journal.first(1)
            actor.stop()
            let end = Journal<String>()
            let watcher = Task { end.note("\(await actor.terminated())") }
            await Task.yield()
            #expect(end.entries.isEmpty)
            #expect(ends.value == 0)
            actor.kill()
            await watcher.value
            // Its name is free, messages to it are dead letters, its behaviour still exists.
            try system.spawn("stubborn") { Puppet() }
            #expect(await askFailure { try await actor.settle() } == "stopped(killed)")
            #expect(ends.value == 0)
            gate.open()
            #expect(await journal.first(3) == ["begun", "no children", "cancelled"])
            while ends.value == 0 { await Task.yield() }
        }
    }

    @Test("who asked an asynchronous actor that is killed hears that it was killed, although its handler throws")
    func killWithAsker() async throws {
        try await inSystem { system in
            let journal = Journal<String>()
            let actor = try system.spawn(options: SpawnOptions(restart: .temporary)) { AsyncPuppet(journal) }
            async let failed = askFailure { try await actor.ask { .hold($0) } }
            #expect(await journal.first(1) == ["holding"])
            actor.kill()
            #expect(await failed == "stopped(killed)")
        }
    }

    @Test("a parent kills an asynchronous child that takes longer to stop than its shutdown allows")
    func shutdownTime() async throws {
        try await inSystem { system in
            let gate = AsyncGate()
            let begun = Journal<Int>()
            let ends = Counter()
            let options = SpawnOptions(shutdown: .timeout(.milliseconds(20)))
            let actor = try system.spawn(options: options) { AsyncPuppet(ends: ends) }
            actor.act { _ in
                begun.note(1)
                await gate.wait()
            }
            _ = await begun.first(1)
            await system.shutdown()
            #expect(ends.value == 0)  // the handler does not listen
            gate.open()
            while ends.value == 0 { await Task.yield() }
        }
    }

    @Test("an asynchronous handler that throws fails its actor, which is restarted with its mailbox")
    func restart() async throws {
        try await inSystem { system in
            let ends = Counter()
            let actor = try system.spawn(options: .permanent) { AsyncPuppet(ends: ends) }
            let gate = AsyncGate()
            actor.act { _ in await gate.wait() }
            async let failed = askFailure { try await actor.ask { .fail($0) } }
            gate.open()
            #expect(await failed == "restarted")
            #expect(try await actor.ask { .count($0) } == 1)
            #expect(ends.value == 1)
        }
    }

    @Test("a handler asks other actors and awaits them; asking itself fails at once")
    func asks() async throws {
        try await inSystem { system in
            let journal = Journal<String>()
            let other = try system.spawn { Puppet() }
            let actor = try system.spawn { AsyncPuppet() }
            actor.act { context in
                for _ in 0..<3 { journal.note("\(try await other.ask { .count($0) })") }
                let myself = context.myself
                journal.note(await askFailure { try await myself.ask { .count($0) } })
            }
            #expect(await journal.first(4) == ["1", "2", "3", "selfCall"])
        }
    }

    @Test("hooks of an asynchronous actor run as those of any other: a start that throws, the end of a batch, stopping")
    func hooks() async throws {
        try await inSystem { system in
            let journal = Journal<String>()
            #expect(throws: Planned.self) { try system.spawn { AsyncPuppet { _ in throw Planned() } } }
            let actor = try system.spawn { AsyncPuppet(journal) }
            actor.act { context in
                await Task.yield()
                context.stop()
            }
            #expect(await journal.first(1) == ["normal"])
            let second = try system.spawn { AsyncPuppet(journal) }
            try await second.settle()
            #expect(await journal.first(2).last == "batch")
            second.stop()
            _ = await second.terminated()
            #expect(journal.entries.last == "shutdown")
        }
    }

    @Test("a handler that never stops yielding holds up nobody, also on one worker")
    func fairness() async throws {
        try await inSystem(workers: 1) { system in
            let isOver = Atomic<Bool>(false)
            let begun = Journal<Int>()
            let actor = try system.spawn { AsyncPuppet() }
            actor.act { _ in
                begun.note(1)
                while !isOver.load(ordering: .relaxed) { await Task.yield() }
            }
            _ = await begun.first(1)
            let other = try system.spawn { Puppet() }
            for _ in 0..<100 { try await other.settle() }
            isOver.store(true, ordering: .relaxed)
            try await actor.settle()
        }
    }

    @Test("every message is received once, in order, by asynchronous actors that stop and restart under load")
    func load() async throws {
        try await inSystem(workers: 4, restartIntensity: RestartIntensity(.max, per: .nanoseconds(1))) { system in
            let received = Counter()
            let senders = 4
            let each = 3000
            let outOfOrder = Counter()
            let actors = try (0..<4).map { _ in
                try system.spawn(options: .permanent) { Numbered(received: received, outOfOrder: outOfOrder) }
            }
            await withTaskGroup(of: Void.self) { group in
                for sender in 0..<senders {
                    group.addTask {
                        await onOwnThread {
                            for number in 0..<each { actors[number % 4].send(.number(sender, number)) }
                        }
                    }
                }
            }
            for actor in actors { _ = try await actor.ask(timeout: .seconds(60)) { .settle($0) } }
            #expect(received.value == senders * each)
            #expect(outOfOrder.value == 0)
        }
    }
}

private struct Numbered: AsyncBehavior {
    enum Message {
        case number(Int, Int)
        case settle(Reply<Int>)
    }
    let received: Counter
    let outOfOrder: Counter
    var last: [Int: Int] = [:]

    mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) async throws {
        switch consume message {
        case .settle(let reply): reply(1)
        case .number(let sender, let number):
            received.up()
            if number % 3 == 0 { await Task.yield() }
            if number <= last[sender] ?? -1 { outOfOrder.up() }
            last[sender] = number
            if number % 97 == 0 { throw Planned() }
        }
    }
}
