import ConclaveRaft
import RaftCore
import RaftLog
import Testing

@testable import ConclaveSimulation

@Suite struct SimulatedServerTests {
    @Test("a server is started again wherever in its start a read of its disk fails")
    func failedStarts() throws {
        let simulation = Simulation(seed: 1)
        var options = RaftRunOptions()
        options.nodes = 1
        let world = try RaftWorld(simulation, options)
        let id = NodeID(1)
        try simulation.run {
            await simulation.sleep(for: .seconds(2))
            // So many that it has a snapshot to read.
            for number in 0..<100 {
                let command = RegisterMachine.command(.write("\(number)"), key: "key")
                let isDone = await withCheckedContinuation { continuation in
                    world.server(id)?.propose(
                        command,
                        CommandCompletion<RegisterMachine> {
                            if case .success = $0 {
                                continuation.resume(returning: true)
                            } else {
                                continuation.resume(returning: false)
                            }
                        }
                    )
                }
                #expect(isDone)
            }
            for others in 0..<30 {
                world.crash(id, losesPower: false)
                world.resident(id)?.trouble.failNext(.read, after: others)
                world.restart(id)
                await simulation.sleep(for: .seconds(30))
                #expect(world.server(id)?.status.current.role == .leader, "after \(others) reads")
            }
        }
    }
}
