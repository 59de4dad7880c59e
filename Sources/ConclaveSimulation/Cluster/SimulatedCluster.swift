// A cluster with a state machine of the user's, in a simulated world.

internal import Conclave
internal import ConclaveNet
public import ConclaveRaft
public import RaftCore
internal import RaftLog

/// Unchanged nodes of a replicated state machine, each on a simulated machine with a disk of its own.
///
///     let simulation = Simulation(seed: 7)
///     let cluster = try SimulatedCluster(simulation, nodes: 3) { _ in Tally() }
///     let sum = try simulation.run { try await cluster.submit([5], to: cluster.nodes[0]) }
///
/// After every step all that must hold of Raft is checked, as in `conclave sim`; what breaks it fails the simulation. What must hold of
/// your machine is yours to say, with `Simulation.fail`, or with a history for `LinearizabilityChecker`.
public final class SimulatedCluster<Machine: StateMachine>: Sendable {
    /// All nodes, all of them voters.
    public let nodes: [NodeID]
    private let site: ClusterSite
    private let servers: [NodeID: SimulatedServer<Machine>]

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
        nodes = (1...count).map { NodeID(UInt64($0)) }
        site = ClusterSite(simulation)
        var servers: [NodeID: SimulatedServer<Machine>] = [:]
        for id in nodes {
            servers[id] = try SimulatedServer(
                id,
                incarnation: id.rawValue,
                founders: Configuration(voters: nodes),
                at: site,
                on: "node-\(id.rawValue)",
                configure: { configuration, _ in configuration.options.snapshotPolicy.entries = 100 },
                makeMachine: { machine(id) }
            )
        }
        self.servers = servers
    }

    private func server(_ id: NodeID) -> SimulatedServer<Machine> {
        guard let server = servers[id] else { preconditionFailure("\(id) is no node of this cluster") }
        return server
    }
}

// MARK: - Working with it

extension SimulatedCluster {
    /// How a node stands; nil: it is down.
    public func status(of node: NodeID) -> RaftStatus? { server(node).running?.status.current }

    /// Has the cluster carry out a command, by way of one of its nodes: one try of at most 2 s. From bodies of `Simulation.run`.
    ///
    /// - Throws: `NotDone`, also when the node is down; `OutcomeUnknown`.
    public func submit(_ command: [UInt8], to node: NodeID) async throws -> Machine.Response {
        guard let server = server(node).running else { throw NotDone(.noLeader) }
        let result: Result<Machine.Response, RaftError> = await withCheckedContinuation { continuation in
            server.propose(command, CommandCompletion<Machine> { continuation.resume(returning: $0) })
        }
        return try answer(result)
    }

    /// Has a node answer a query linearizably: what every command that was answered before has done is seen.
    ///
    /// - Throws: `NotDone`.
    public func query(_ query: Machine.Query, at node: NodeID) async throws -> Machine.Response {
        guard let server = server(node).running else { throw NotDone(.noLeader) }
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
        guard let machine = server(node).machine else { preconditionFailure("\(node) is being started") }
        return machine
    }

    /// What happens to frames from now on.
    public func setNetworkFaults(_ faults: NetworkFaults) { site.network.setFaults(faults) }

    /// What one node sends another is lost.
    public func cut(from: NodeID, to: NodeID) { site.network.cut(from: PeerID(from.rawValue), to: PeerID(to.rawValue)) }

    /// Everything that a node sends or is sent is lost.
    public func isolate(_ node: NodeID) {
        for other in nodes where other != node {
            cut(from: node, to: other)
            cut(from: other, to: node)
        }
    }

    /// All links carry again.
    public func heal() { site.network.healLinks() }

    /// A node's process ends; what it wrote is still there. Nothing if it is down.
    public func kill(_ node: NodeID) { server(node).kill() }

    /// A node's machine loses its power, and with it any part of what was not synced. Nothing if it is down.
    public func cutPower(_ node: NodeID) { server(node).cutPower() }

    /// A node that is down starts again, from its disk. Nothing if it is up.
    ///
    /// - Throws: what starting it throws.
    public func restart(_ node: NodeID) throws { try server(node).restart() }
}
