import Conclave
import Testing

@Suite(.timeLimit(.minutes(5))) struct LeakTests {
    // In a process of its own: other tests have systems, and nodes in use, of their own.
    @Test(
        "after shutdown the counters of live actors, cells, nodes in use, timers, threads and systems are back to zero"
    )
    func counters() async {
        await #expect(processExitsWith: .success) {
            #expect(ActorSystem.nodesInUse == 0)
            var random = TestRandom.seeded("CONCLAVE_STRESS_SEED")
            for round in 0..<20 {
                try await Self.live(round, &random)
                // Tasks run to their end when they get a thread, and hold their actor until then.
                let end = ContinuousClock.now + .seconds(20)
                while ActorSystem.liveSystemCount > 0, ContinuousClock.now < end { await Task.yield() }
                #expect(ActorSystem.liveSystemCount == 0)
                #expect(ActorSystem.nodesInUse == 0)
                #expect(ThreadBudget.inUse == 0)
            }
        }
    }

    /// Two systems at a time, for a moment.
    private static func live(_ round: Int, _ random: inout TestRandom) async throws {
        let towns = [try Town(workers: 1 + round % 4), try Town(workers: 2)]
        let end = ContinuousClock.now + .milliseconds(30)
        await withTaskGroup(of: Void.self) { group in
            for town in towns {
                var random = TestRandom(seed: random.next())
                group.addTask { await town.live(until: end, &random) }
            }
        }
        for town in towns { await town.expectNothingLeft() }
    }
}
