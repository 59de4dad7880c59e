import Conclave
import Dispatch
import Testing

@Suite(.timeLimit(.minutes(1))) struct SchedulerTests {
    @Test("as many actors run at the same time as there are workers", arguments: [2, 3, 8])
    func parallelism(_ workers: Int) async throws {
        let system = ActorSystem("parallel", workers: workers)
        for _ in 0..<20 {
            let arrived = Journal<Int>()
            let gate = DispatchSemaphore(value: 0)
            for number in 0..<workers {
                try system.spawn {
                    Puppet(starting: {
                        $0.myself.act { context in
                            arrived.note(number)
                            gate.wait()
                            context.stop()
                        }
                    })
                }
            }
            #expect(await arrived.first(workers).count == workers)
            for _ in 0..<workers { gate.signal() }
        }
        await system.shutdown()
        #expect(system.threadCount == 0)
    }

    @Test("actors woken by one handler run on other workers while it goes on")
    func fanOut() async throws {
        let system = ActorSystem("fan-out", workers: 4)
        for _ in 0..<50 {
            let arrived = Journal<Int>()
            let gate = DispatchSemaphore(value: 0)
            let others = try (0..<4).map { _ in try system.spawn { Puppet() } }
            let sender = try system.spawn { Puppet() }
            sender.act { _ in
                for other in others {
                    other.act { _ in
                        arrived.note(1)
                        gate.wait()
                    }
                }
                gate.wait()
            }
            // One of them stays in the sending worker's next-slot.
            #expect(await arrived.first(3).count == 3)
            for _ in 0..<5 { gate.signal() }
            for other in others { try await other.settle() }
        }
        await system.shutdown()
    }

    @Test("a wake-up is not lost however a worker is about to sleep")
    func wakeUps() async throws {
        let system = ActorSystem("wake-ups", workers: 3)
        let actors = try (0..<3).map {
            try system.spawn(options: SpawnOptions(runsOn: $0 == 2 ? .ownThread : .workers)) { Puppet() }
        }
        await withTaskGroup(of: Void.self) { group in
            for actor in actors {
                group.addTask {
                    for _ in 0..<3000 { _ = await askFailure { try await actor.settle() } }
                }
            }
        }
        for actor in actors { #expect(try await actor.ask { .count($0) } == 3001) }
        await system.shutdown()
    }
}
