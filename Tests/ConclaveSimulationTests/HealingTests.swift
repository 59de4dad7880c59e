import RaftCore
import Testing

@testable import ConclaveSimulation

/// What happens when the faults are over.
@Suite struct HealingTests {
    @Test("a run in which no server is up when the faults heal waits until they are, and holds")
    func nobodyIsUp() throws {
        // All are down, and the first thing that each does with its disk when it starts again fails.
        let text = """
              1000 ms  power-cut 1
              1000 ms  power-cut 2
              1000 ms  power-cut 3
              1500 ms  fail-sync 1
              1500 ms  fail-sync 2
              1500 ms  fail-sync 3
            """
        var options = RaftRunOptions()
        options.faultPhase = .seconds(2)
        options.plan = try FaultPlan(text: text)
        for seed in 0..<4 as Range<UInt64> {
            let simulation = Simulation(seed: seed)
            let world = try RaftWorld(simulation, options)
            for step in options.plan?.steps ?? [] {
                try simulation.advance(by: step.time - simulation.time)
                world.inject(step.fault)
            }
            world.heal()
            #expect(world.ids.allSatisfy { world.server($0) == nil }, "seed \(seed)")
            #expect(try RaftSimulation.run(seed: seed, options).answered > 0)
        }
    }
}
