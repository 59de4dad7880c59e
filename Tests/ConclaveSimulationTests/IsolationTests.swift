import Conclave
import ConclaveRaft
import ConclaveSimulation
import RaftCore
import RaftLog
import Testing

/// Real time, real randomness and real sockets do not pass for a simulation.
@Suite struct IsolationTests {
    /// Tells a message to one of the others, as the system's chance has it.
    private struct Gossip: Behavior {
        var others: [ActorRef<Int>] = []
        let isChanceReal: Bool
        let introduce: @Sendable () -> [ActorRef<Int>]

        mutating func receive(_ message: consuming Int, _ context: borrowing Context<Int>) {
            if others.isEmpty { others = introduce() }
            guard message > 0 else { return }
            others[isChanceReal ? Int.random(in: others.indices) : message % others.count].send(message - 1)
        }
    }

    private static func gossip(isChanceReal: Bool) throws -> Int {
        try Simulation.twice(seed: 3) { simulation in
            let all = Mutexed<[ActorRef<Int>]>([])
            let machine = try simulation.machine("one") { _ in }
            for _ in 0..<4 {
                let ref = try machine.system.spawn { Gossip(isChanceReal: isChanceReal) { all.value } }
                all.change { $0.append(ref) }
            }
            for ref in all.value { ref.send(50) }
            try simulation.settle()
            return simulation.steps
        }
    }

    @Test("real random numbers fail a run that is made twice, and a seed's do not")
    func randomness() throws {
        #expect(try Self.gossip(isChanceReal: false) > 200)
        #expect {
            _ = try Self.gossip(isChanceReal: true)
        } throws: {
            if case SimulationError.notRepeatable = $0 { true } else { false }
        }
    }

    @Test("a cluster whose disks go by real random numbers fails when it is run twice")
    func randomDisk() throws {
        var options = RaftRunOptions()
        options.faultPhase = .seconds(3)
        options.isRepeated = true
        options.profile = .calm
        _ = try RaftSimulation.run(seed: 1, options)
        options.wrapDisk = {
            SyncHookDisk($0) { (disk, file) throws(DiskError) in
                if Int.random(in: 0..<20) == 0 {
                    throw DiskError(.sync, path: file.name, cause: .system(code: 5, message: "EIO"))
                }
                try disk.sync(file)
            }
        }
        #expect {
            _ = try RaftSimulation.run(seed: 1, options)
        } throws: {
            ($0 as? RaftRunFailure)?.kind == .broken
        }
    }

    /// Adds up what it is told.
    private struct Sum: StateMachine {
        var sum = 0
        mutating func apply(_ command: ArraySlice<UInt8>, wantsResponse: Bool) throws -> Int {
            sum += command.count
            return sum
        }
        func writeSnapshot(_ write: (UnsafeRawBufferPointer) throws -> Void) throws {}
        mutating func restoreSnapshot(_ read: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void) throws {}
        func answer(_ query: Void) -> Int { sum }
        static func encode(_ response: Int) -> [UInt8] { [UInt8(truncatingIfNeeded: response)] }
        static func decode(response: [UInt8]) throws -> Int { Int(response.first ?? 0) }
    }

    @Test("a server with a real socket in a simulated machine fails the run")
    func socket() throws {
        let simulation = Simulation(seed: 1)
        #expect(throws: SimulationError.self) {
            let machine = try simulation.machine("one") { _ in }
            let port = try RaftPort()
            let options = RaftNodeOptions(cluster: "real", id: NodeID(1), members: [NodeID(1)])
            let node = try RaftNode(
                options,
                machine: Sum(),
                storage: .memory(),
                transport: .tcp(port, peers: [:]),
                in: machine.system
            )
            try simulation.run(deadline: .seconds(60)) { _ = await node.terminated() }
        }
    }
}
