import Conclave
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Actors beside Swift's own tasks and actors.
@Suite(.timeLimit(.minutes(2))) struct InteropTests {
    @Test("a task on the system's executor asks actors and awaits them")
    func task() async throws {
        let system = ActorSystem("interop")
        let actor = try system.spawn { Puppet() }
        let task = Task(executorPreference: system.taskExecutor) {
            for round in 1...10_000 {
                let count = try await actor.ask { .count($0) }
                guard count == round else { return count }
            }
            return 0
        }
        #expect(try await task.value == 0)
        await system.shutdown()
        #expect(system.threadCount == 0)
    }

    @Test("many tasks on the executor of a small system take turns with its actors")
    func manyTasks() async throws {
        let system = ActorSystem("turns", workers: 2)
        let actors = try (0..<4).map { _ in try system.spawn { Puppet() } }
        let done = Counter()
        await withTaskExecutorPreference(system.taskExecutor) {
            await withTaskGroup(of: Void.self) { group in
                for number in 0..<200 {
                    group.addTask {
                        for _ in 0..<20 {
                            await Task.yield()
                            try? await actors[number % 4].settle()
                        }
                        done.up()
                    }
                }
            }
        }
        #expect(done.value == 200)
        for actor in actors { #expect(try await actor.ask { .count($0) } == 1001) }
        await system.shutdown()
    }

    @Test("a task is not lost when the system it runs on is shut down")
    func taskAfterShutdown() async throws {
        let system = ActorSystem("late")
        await system.shutdown()
        let task = Task(executorPreference: system.taskExecutor) {
            await Task.yield()
            return 7
        }
        #expect(await task.value == 7)
    }

    @Test("a native actor sends, asks, and is told when an actor ends")
    func nativeActor() async throws {
        let system = ActorSystem("native")
        let actor = try system.spawn { Puppet() }
        let native = Native()
        #expect(try await native.talk(to: actor) == 3)
        let end = await native.end(of: actor)
        #expect(["shutdown", "noProcess"].contains(end))
        await system.shutdown()
    }

    // In a process of its own, whose CPU time nobody else uses.
    @Test("an idle system has no worker thread and uses no CPU")
    func idle() async {
        await #expect(processExitsWith: .success) {
            let system = ActorSystem("idle")
            let actors = try (0..<1000).map { _ in try system.spawn { Puppet() } }
            for actor in actors { try await actor.settle() }
            while system.threadCount > 0 { await Task.yield() }
            let before = cpuTime()
            _ = usleep(500_000)  // the time that is measured
            let used = cpuTime() - before
            #expect(used < .milliseconds(5), "an idle system used \(used)")
            #expect(system.threadCount == 0)
            for actor in actors { try await actor.settle() }
            await system.shutdown()
        }
    }
}

private actor Native {
    private var seen = 0

    func talk(to actor: ActorRef<Puppet.Message>) async throws -> Int {
        for _ in 0..<2 { actor.act { _ in } }
        seen = try await actor.ask { .count($0) }
        return seen
    }

    func end(of actor: ActorRef<Puppet.Message>) async -> String {
        actor.stop()
        return "\(await actor.terminated())"
    }
}

/// What this process has used so far.
private func cpuTime() -> Duration {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
}
