import Conclave
import Testing

@Suite(.timeLimit(.minutes(1))) struct ServiceTests {
    @Test("run() makes a system a service: it returns after a graceful shutdown when its task is cancelled")
    func cancellation() async throws {
        let system = ActorSystem("service")
        let journal = Journal<String>()
        for name in ["first", "second"] {
            try system.spawn { Puppet(stopping: { reason, _ in journal.note("\(name): \(reason)") }) }
        }
        let service = Task { try await system.run() }
        await Task.yield()
        service.cancel()
        try await service.value
        #expect(journal.entries == ["second: shutdown", "first: shutdown"])
        #expect(system.liveCellCount == 0)
        #expect(system.threadCount == 0)
        #expect(system.liveTimerCount == 0)
    }

    @Test("run() in a task that is cancelled already shuts down at once, and so does one after the shutdown")
    func cancelledBefore() async throws {
        let system = ActorSystem("service")
        let service = Task {
            while !Task.isCancelled { await Task.yield() }
            try await system.run()
        }
        service.cancel()
        try await service.value
        try await system.run()
        #expect(throws: SpawnError.parentStopping) { try system.spawn { Puppet() } }
    }

    @Test("run() returns when somebody else shuts the system down")
    func shutdown() async throws {
        let system = ActorSystem("service")
        try system.spawn { Puppet() }
        let service = Task { try await system.run() }
        await system.shutdown()
        try await service.value
        #expect(system.threadCount == 0)
    }

    @Test(
        "run() throws when the system gave up because its actors failed too often, before or after the call",
        arguments: [false, true]
    )
    func failure(isBefore: Bool) async throws {
        let system = ActorSystem("service", restartIntensity: RestartIntensity(0, per: .seconds(1)))
        let actor = try system.spawn(options: .permanent) { Puppet() }
        let service = isBefore ? nil : Task { try await system.run() }
        actor.act { _ in throw Planned() }
        if isBefore { _ = await system.terminated() }
        await #expect(throws: SupervisionError.self) {
            if let service { try await service.value } else { try await system.run() }
        }
        #expect(system.threadCount == 0)
    }
}
