// What the servers of one simulated cluster have in common.

internal import Conclave
internal import ConclaveNet
internal import ConclaveRaft
internal import RaftCore
internal import RaftLog
internal import RaftScenario
internal import Synchronization

/// The world that the servers live in, the network between them, and what holds each of their steps against all that must hold.
final class ClusterSite: Sendable {
    let simulation: Simulation
    let network: SimulatedNetwork
    let watch: RaftWatch
    let wrapDisk: @Sendable (any Disk) -> any Disk
    private let random: Mutex<SimulationRandom>

    /// - Parameters:
    ///   - simulation: fails with what the watch finds.
    ///   - meddling: bugs to plant in the servers.
    ///   - wrapDisk: what comes between a server and its disk.
    init(
        _ simulation: Simulation,
        meddling: Meddling = Meddling(),
        wrapDisk: @escaping @Sendable (any Disk) -> any Disk = { $0 }
    ) {
        self.simulation = simulation
        self.wrapDisk = wrapDisk
        watch = RaftWatch(meddling: meddling) { [weak simulation] in simulation?.fail($0) }
        // Raft's own messages must stand it. A command that is passed on twice may be carried out and refused.
        network = SimulatedNetwork(simulation) { frame in
            if case .raft = try? frame.withUnsafeBytes({ try WireCodec.decode($0) }) { true } else { false }
        }
        random = Mutex(simulation.makeRandom())
    }

    /// Chance, as far as it is about servers and what befalls them. `body` is short, and calls nobody.
    func draw<Value: Sendable>(_ body: (inout SimulationRandom) -> Value) -> Value { random.withLock { body(&$0) } }
}
