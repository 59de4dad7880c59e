import Conclave
import Testing

/// Asks of tasks on the system's own executor, which lend their thread to the actor.
@Suite(.timeLimit(.minutes(2))) struct LentThreadTests {
    private static func onExecutor<Result: Sendable>(
        of system: ActorSystem,
        _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        try await Task(executorPreference: system.taskExecutor) { try await body() }.value
    }

    @Test("every failure of an ask reaches a task that lends its thread")
    func failures() async throws {
        let system = ActorSystem("lent", restartIntensity: RestartIntensity(10, per: .seconds(5)))
        let temporary = try system.spawn { Puppet() }
        let permanent = try system.spawn(options: .permanent) { Puppet() }
        let ended = try system.spawn { Puppet() }
        ended.stop()
        _ = await ended.terminated()
        let failures = try await Self.onExecutor(of: system) {
            [
                await askFailure { try await permanent.ask { .drop($0) } },
                await askFailure { try await permanent.ask { .fail($0) } },
                await askFailure { try await temporary.ask { .fail($0) } },
                await askFailure { try await ended.ask { .count($0) } },
                await askFailure { try await permanent.ask(timeout: .milliseconds(1)) { .keep($0) } },
                await askFailure {
                    withUnsafeCurrentTask { $0?.cancel() }
                    return try await permanent.ask { .count($0) }
                },
            ]
        }
        let expected = [
            "unanswered", "restarted", "stopped(failed(Planned()))", "noProcess", "timeout", "CancellationError",
        ]
        #expect(failures == expected)
        #expect(system.liveTimerCount == 0)
        await system.shutdown()
    }

    @Test("an answer that comes later wakes the task that lent its thread in vain")
    func later() async throws {
        let system = ActorSystem("later")
        let server = try system.spawn { Puppet() }
        let helper = try system.spawn { Puppet() }
        let sum = try await Self.onExecutor(of: system) {
            var sum = 0
            for number in 1...1000 {
                sum += try await server.ask { reply in .act { _ in helper.act { _ in reply(number) } } }
            }
            return sum
        }
        #expect(sum == 500_500)
        #expect(system.liveTimerCount == 0)
        await system.shutdown()
    }

    @Test("a task that asks without end lets the others on its worker have their turn")
    func turns() async throws {
        let system = ActorSystem("turns", workers: 1)
        let server = try system.spawn { Puppet() }
        let journal = Journal<String>()
        let other = try system.spawn { Puppet(journal) }
        let count = try await Self.onExecutor(of: system) {
            other.send(.note("other"))
            var asked = 0
            while journal.entries.isEmpty, asked < 100_000 { asked = try await server.ask { .count($0) } }
            return asked
        }
        #expect(count < 10_000)
        await system.shutdown()
    }

    @Test("a task that asks slow actors without end holds its worker no longer than a batch may")
    func slowTurns() async throws {
        let system = ActorSystem("slow turns", workers: 1)
        let server = try system.spawn { Puppet() }
        let journal = Journal<String>()
        let other = try system.spawn { Puppet(journal) }
        let count = try await Self.onExecutor(of: system) {
            other.send(.note("other"))
            var asked = 0
            while journal.entries.isEmpty, asked < 3000 {
                asked += 1
                try await server.ask { reply in
                    .act { _ in
                        let end = ContinuousClock.now + .microseconds(300)
                        while ContinuousClock.now < end {}
                        reply()
                    }
                }
            }
            return asked
        }
        // At most 4 requests in half a millisecond and one that suspends, 32 times.
        #expect(count < 600)
        await system.shutdown()
    }

    @Test(
        "an asynchronous handler on a lent thread leaves the asking task as it was, and has nothing of it",
        arguments: [true, false]
    )
    func asynchronous(suspends: Bool) async throws {
        let system = ActorSystem("asynchronous")
        let server = try system.spawn { Asynchronous(suspends: suspends) }
        let task = Task(executorPreference: system.taskExecutor) {
            try await Place.$name.withValue("asker") {
                for _ in 0..<200 {
                    let place = try await server.ask { $0 }
                    #expect(place == "nowhere")
                    #expect(Place.name == "asker")
                }
                withUnsafeCurrentTask { $0?.cancel() }
                #expect(Task.isCancelled)
                return await askFailure { try await server.ask { $0 } }
            }
        }
        #expect(try await task.value == "CancellationError")
        await system.shutdown()
    }

    @Test("an actor that runs on a lent thread asks, spawns and stops as ever")
    func handlers() async throws {
        let system = ActorSystem("handlers")
        let journal = Journal<String>()
        let server = try system.spawn { Puppet() }
        let answer = try await Self.onExecutor(of: system) {
            try await server.ask { (reply: Reply<String>) in
                .act { context in
                    let child = try context.spawn { Puppet(journal) }
                    child.send(.note("child"))
                    context.stop()
                    reply(child.path)
                }
            }
        }
        #expect(answer.hasPrefix("/"))
        #expect(["normal", "noProcess"].contains("\(await server.terminated())"))
        await system.shutdown()
    }

    @Test("an answer of any size and alignment arrives")
    func values() async throws {
        let system = ActorSystem("values")
        let server = try system.spawn { Puppet() }
        let text = String(repeating: "x", count: 100)
        let strict = SIMD8<Double>(1, 2, 3, 4, 5, 6, 7, 8)
        let large = Large(text: text)
        for _ in 0..<3 {
            #expect(try await server.ask { reply in .act { _ in reply(text) } } == text)
            #expect(try await server.ask { reply in .act { _ in reply(strict) } } == strict)
            #expect(try await server.ask { reply in .act { _ in reply(large) } }.text == text)
            try await server.ask { reply in .act { _ in reply() } }
        }
        await system.shutdown()
    }

    @Test(
        "tasks that lend their threads, cancel, time out and ask actors that end get one result each, and nothing is left"
    )
    func stress() async throws {
        let system = ActorSystem("stress", restartIntensity: RestartIntensity(1_000_000, per: .seconds(1)))
        let servers = try (0..<4).map { _ in try system.spawn(options: .permanent) { Puppet() } }
        let results = Counter()
        let rounds = 300
        await withTaskGroup(of: Void.self) { group in
            for seed in 0..<16 {
                let ask: @Sendable () async -> Void = {
                    var random = TestRandom(seed: UInt64(seed))
                    for _ in 0..<rounds {
                        let server = servers[Int.random(in: 0..<4, using: &random)]
                        let choice = Int.random(in: 0..<8, using: &random)
                        let task = Task(executorPreference: seed % 4 == 0 ? nil : system.taskExecutor) {
                            await askFailure {
                                switch choice {
                                case 0: try await server.ask { .drop($0) }
                                case 1: try await server.ask { .fail($0) }
                                case 2: try await server.ask(timeout: .microseconds(50)) { .keep($0) }
                                case 3: try await server.ask(timeout: .seconds(60)) { .keep($0) }
                                default: try await server.ask { .count($0) }
                                }
                            }
                        }
                        if choice == 3 { task.cancel() }
                        _ = await task.value
                        results.up()
                    }
                }
                if seed % 2 == 0 {
                    group.addTask(operation: ask)
                } else {
                    group.addTask(executorPreference: system.taskExecutor, operation: ask)
                }
            }
        }
        #expect(results.value == 16 * rounds)
        #expect(system.liveTimerCount == 0)
        await system.shutdown()
    }
}

private enum Place {
    @TaskLocal static var name = "nowhere"
}

/// Answers where it is.
private struct Asynchronous: AsyncBehavior {
    let suspends: Bool
    mutating func receive(_ message: consuming Reply<String>, _ context: borrowing Context<Reply<String>>) async throws
    {
        if suspends { await Task.yield() }
        message(Place.name)
    }
}

private struct Large: Sendable {
    var text: String
    var rest = (
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29,
        30, 31
    )
}
