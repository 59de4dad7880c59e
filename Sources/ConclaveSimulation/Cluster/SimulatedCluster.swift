// A cluster with a state machine of the user's, in a simulated world.

internal import Conclave
internal import ConclaveNet
public import ConclaveRaft
public import RaftCore
internal import RaftLog
internal import RaftScenario
internal import Synchronization

/// Unchanged nodes of a replicated state machine, each on a simulated machine with a disk of its own.
///
///     let simulation = Simulation(seed: 7)
///     let cluster = try SimulatedCluster(simulation, nodes: 3) { _ in Tally() }
///     let sum = try simulation.run { try await cluster.submit([5], to: cluster.nodes[0]) }
///
/// After every step all that must hold of Raft is checked, as in `conclave sim`; what breaks it fails the simulation. What must hold of
/// your machine is yours to say, with `Simulation.fail`, or with a history for `LinearizabilityChecker`.
public final class SimulatedCluster<Machine: StateMachine>: Sendable {
    private struct Node {
        let disk: MemoryDisk
        var machine: SimulatedMachine?
        var server: RaftServer<Machine>?
        var starts = 0
    }

    private struct State {
        var nodes: [NodeID: Node]
        var random: SimulationRandom
    }

    /// All nodes, all of them voters.
    public let nodes: [NodeID]
    private let simulation: Simulation
    private let network: SimulatedNetwork
    private let watch: RaftWatch
    private let makeMachine: @Sendable (NodeID) -> Machine
    private let state: Mutex<State>

    /// Founds a cluster and starts its nodes.
    ///
    /// - Parameters:
    ///   - simulation: the world.
    ///   - count: how many nodes, 1 to 9.
    ///   - machine: makes a state machine that has applied nothing, at each start of a node.
    /// - Throws: what starting the nodes throws.
    public init(
        _ simulation: Simulation,
        nodes count: Int,
        machine: @escaping @Sendable (NodeID) -> Machine
    ) throws {
        precondition((1...9).contains(count), "a cluster has 1 to 9 nodes, not \(count)")
        self.simulation = simulation
        nodes = (1...count).map { NodeID(UInt64($0)) }
        makeMachine = machine
        watch = RaftWatch(meddling: Meddling()) { [weak simulation] in simulation?.fail($0) }
        network = SimulatedNetwork(simulation) { frame in
            guard case .raft = try? frame.withUnsafeBytes({ try WireCodec.decode($0) }) else { return false }
            return true
        }
        let disks = nodes.map { ($0, Node(disk: MemoryDisk(location: "disk of \($0)"))) }
        state = Mutex(State(nodes: Dictionary(uniqueKeysWithValues: disks), random: simulation.makeRandom()))
        for id in nodes {
            let machine = try simulation.machine("node-\(id.rawValue)") { [unowned self] in try boot(id, $0) }
            state.withLock { $0.nodes[id]?.machine = machine }
        }
    }

    private func boot(_ id: NodeID, _ machine: SimulatedMachine) throws {
        let disk = node(id).disk
        var logOptions = WriteAheadLog.Options()
        logOptions.segmentSizeBytes = 1 << 18
        logOptions.zeroAheadBytes = 0
        let (log, recovered) = try WriteAheadLog.open(
            disk: disk,
            identity: LogIdentity(cluster: RaftLog.ClusterID(high: 1, low: 3), node: id, incarnation: id.rawValue),
            ifMissing: .create,
            ifDamaged: .quarantine,
            options: logOptions
        )
        let (seed, process, start) = state.withLock { state in
            state.nodes[id]?.starts += 1
            return (state.random.next(), state.random.next(), state.nodes[id]?.starts ?? 0)
        }
        var configuration = RaftServerConfiguration(id: id, voters: nodes, seed: seed, process: process)
        configuration.options.requestTimeout = .seconds(2)
        configuration.options.snapshotPolicy.entries = 100
        configuration.onEvent = { [weak simulation] in simulation?.note("\(id) \($0)") }
        let way = network.transport(of: PeerID(id.rawValue), incarnation: id.rawValue, on: machine)
        let server = try RaftServer(
            configuration,
            machine: makeMachine(id),
            log: log,
            recovered: recovered,
            transport: WatchedTransport(of: id, way, watch),
            in: machine.system,
            probe: watch.probe(of: id),
            onFailure: { [weak self] in self?.failed(id, start: start, $0) }
        )
        state.withLock { $0.nodes[id]?.server = server }
    }

    /// A node that has ended by itself is started again half a second later, as a launcher would.
    private func failed(_ id: NodeID, start: Int, _ reason: ExitReason) {
        simulation.note("\(id) ended: \(reason)")
        simulation.world.at(simulation.world.now + 500_000_000) { [weak self] in
            guard let self, node(id).starts == start, node(id).server != nil else { return }
            kill(id)
            do { try restart(id) } catch { simulation.fail("\(id) does not start again: \(error)") }
        }
    }

    private func node(_ id: NodeID) -> Node {
        guard let node = state.withLock({ $0.nodes[id] }) else {
            preconditionFailure("\(id) is no node of this cluster")
        }
        return node
    }

    private func server(_ id: NodeID) -> RaftServer<Machine>? {
        let node = node(id)
        return node.machine?.isUp == true ? node.server : nil
    }
}

// MARK: - Working with it

extension SimulatedCluster {
    /// How a node stands; nil: it is down.
    public func status(of node: NodeID) -> RaftStatus? { server(node)?.status.current }

    /// Has the cluster carry out a command, by way of one of its nodes: one try of at most 2 s. From bodies of `Simulation.run`.
    ///
    /// - Throws: `NotDone`, also when the node is down; `OutcomeUnknown`.
    public func submit(_ command: [UInt8], to node: NodeID) async throws -> Machine.Response {
        guard let server = server(node) else { throw NotDone(.noLeader) }
        let result: Result<Machine.Response, RaftError> = await withCheckedContinuation { continuation in
            server.propose(command, CommandCompletion<Machine> { continuation.resume(returning: $0) })
        }
        return try answer(result)
    }

    /// Has a node answer a query linearizably: what every command that was answered before has done is seen.
    ///
    /// - Throws: `NotDone`.
    public func query(_ query: Machine.Query, at node: NodeID) async throws -> Machine.Response {
        guard let server = server(node) else { throw NotDone(.noLeader) }
        let result: Result<Machine.Response, RaftError> = await withCheckedContinuation { continuation in
            server.read(QueryCompletion<Machine>(query) { continuation.resume(returning: $0) })
        }
        if case .failure = result { throw NotDone(.noLeader) }
        return try answer(result)
    }

    private func answer(_ result: Result<Machine.Response, RaftError>) throws -> Machine.Response {
        switch result {
        case .success(let response): return response
        case .failure(.notDone(.noLeader)): throw NotDone(.noLeader)
        case .failure(.notDone(.overloaded)): throw NotDone(.overloaded)
        case .failure(.notDone(.tooLarge)): throw NotDone(.tooLarge)
        case .failure(.notDone(.diskFull)): throw NotDone(.diskFull)
        case .failure(.unknown), .failure(.session): throw OutcomeUnknown()
        }
    }
}

// MARK: - What goes wrong

extension SimulatedCluster {
    /// The machine that a node runs on: it can pause, its clock can be wrong, its disk slow. To end it, use `kill` and `cutPower`.
    public func machine(of node: NodeID) -> SimulatedMachine {
        guard let machine = self.node(node).machine else { preconditionFailure("\(node) is being started") }
        return machine
    }

    /// What happens to frames from now on.
    public func setNetworkFaults(_ faults: NetworkFaults) { network.setFaults(faults) }

    /// What one node sends another is lost.
    public func cut(from: NodeID, to: NodeID) { network.cut(from: PeerID(from.rawValue), to: PeerID(to.rawValue)) }

    /// Everything that a node sends or is sent is lost.
    public func isolate(_ node: NodeID) {
        for other in nodes where other != node {
            cut(from: node, to: other)
            cut(from: other, to: node)
        }
    }

    /// All links carry again.
    public func heal() { network.healLinks() }

    /// A node's process ends; what it wrote is still there. Nothing if it is down.
    public func kill(_ node: NodeID) { end(node)?.kill() }

    /// A node's machine loses its power, and with it any part of what was not synced. Nothing if it is down.
    public func cutPower(_ node: NodeID) {
        end(node)?.crash { _ in state.withLock { Bool.random(using: &$0.random) } }
    }

    private func end(_ id: NodeID) -> MemoryDisk? {
        let node = node(id)
        guard let machine = node.machine, machine.isUp else { return nil }
        state.withLock { $0.nodes[id]?.server = nil }
        network.closeConnections(of: PeerID(id.rawValue))
        machine.crash()
        watch.ended(id)
        return node.disk
    }

    /// A node that is down starts again, from its disk. Nothing if it is up.
    ///
    /// - Throws: what starting it throws.
    public func restart(_ node: NodeID) throws {
        let machine = machine(of: node)
        if !machine.isUp { try machine.restart() }
    }
}
