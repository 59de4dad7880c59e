import Conclave
import RaftCore
import Synchronization
import Testing

@testable import ConclaveRaft

/// Nodes as a user of the library makes them.
private final class Embedded {
    let ids = [NodeID(1), NodeID(2), NodeID(3)]
    let network = RaftNetwork()
    let storages = [RaftStorage.memory(), .memory(), .memory()]
    var systems: [NodeID: ActorSystem] = [:]
    var nodes: [NodeID: RaftNode<CountingMachine>] = [:]

    init() throws { for id in ids { try start(id) } }

    func start(_ id: NodeID) throws {
        let system = ActorSystem("embedded-\(id)", workers: 2)
        var options = RaftNodeOptions(cluster: "embedded", id: id, members: Set(ids))
        options.heartbeat = .milliseconds(25)
        systems[id] = system
        nodes[id] = try RaftNode(
            options,
            machine: CountingMachine(),
            storage: storages[Int(id.rawValue) - 1],
            transport: .inMemory(network),
            in: system
        )
    }

    func stop(_ id: NodeID) async {
        await systems.removeValue(forKey: id)?.shutdown()
        nodes[id] = nil
    }

    func shutdown() async { for id in ids { await stop(id) } }

    /// A client of all that run, in a system of its own.
    func client(in system: ActorSystem) throws -> RaftClient<CountingMachine> {
        try RaftClient(nodes.sorted { $0.key < $1.key }.map(\.value), in: system)
    }

    var leader: NodeID? { nodes.values.first { $0.status.role == .leader }?.status.id }
}

@Suite(.timeLimit(.minutes(1))) struct EmbeddingTests {
    @Test("commands through a client are carried out once each, while leaders are cut off, stopped and started again")
    func exactlyOnce() async throws {
        let cluster = try Embedded()
        let system = ActorSystem("client")
        let client = try cluster.client(in: system)
        let rounds = 6
        for round in 0..<rounds {
            async let answers = withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<50 { group.addTask { try await client.submit([1], timeout: .seconds(20)) } }
                return try await group.reduce(into: Set<Int>()) { $0.insert($1) }
            }
            if let leader = cluster.leader { cluster.network.isolate(leader) }
            let answered = try await answers
            #expect(answered == Set(round * 50 + 1...round * 50 + 50), "each answer once")
            cluster.network.heal()
        }
        #expect(try await client.query(1) == rounds * 50)
        let victim = cluster.leader ?? cluster.ids[0]
        await cluster.stop(victim)
        let other = try cluster.client(in: system)
        #expect(try await other.submit([1], timeout: .seconds(20)) == rounds * 50 + 1)
        try cluster.start(victim)
        let third = try RaftClient([cluster.nodes[victim]!], in: system)
        #expect(try await third.query(1, timeout: .seconds(20)) == rounds * 50 + 1)
        await cluster.shutdown()
        await system.shutdown()
    }

    @Test("without a quorum a command that was never proposed is not done, and one that was is unknown")
    func split() async throws {
        let cluster = try Embedded()
        let system = ActorSystem("client")
        let client = try cluster.client(in: system)
        _ = try await client.submit([1], timeout: .seconds(20))
        let leader = try #require(cluster.leader)
        // Followers hear the leader and answer its heartbeats, but get no entry.
        cluster.network.setFilter { message, _, _ in
            guard case .raft(let raft) = message, case .appendEntries(let append) = raft.kind else { return true }
            return append.entries.isEmpty
        }
        let onLeader = try RaftClient([try #require(cluster.nodes[leader])], in: system)
        await #expect(throws: OutcomeUnknown.self) { try await client.submit([1], timeout: .milliseconds(200)) }
        for id in cluster.ids where id != leader { await cluster.stop(id) }
        while cluster.nodes[leader]?.status.leader != nil { await Task.yield() }
        await #expect(throws: NotDone.self) { try await onLeader.query(1, timeout: .milliseconds(100)) }
        let error = await #expect(throws: NotDone.self) { try await onLeader.submit([1], timeout: .milliseconds(100)) }
        #expect(error?.reason == .noLeader)
        await cluster.shutdown()
        await system.shutdown()
    }

    @Test("a cancelled task stops waiting at once")
    func cancellation() async throws {
        let cluster = try Embedded()
        let system = ActorSystem("client")
        let client = try cluster.client(in: system)
        _ = try await client.submit([1], timeout: .seconds(20))
        for id in cluster.ids.dropFirst() { await cluster.stop(id) }
        let task = Task { try await client.submit([1], timeout: .seconds(3600)) }
        task.cancel()
        guard case .failure(let error) = await task.result else {
            Issue.record("carried out without a quorum")
            return
        }
        #expect(error is NotDone || error is OutcomeUnknown)
        await cluster.shutdown()
        await system.shutdown()
    }

    @Test("a client that is stopped leaves its callers with an error, not waiting")
    func stoppedClient() async throws {
        let cluster = try Embedded()
        let system = ActorSystem("client")
        let client = try cluster.client(in: system)
        for id in cluster.ids.dropFirst() { await cluster.stop(id) }
        while cluster.nodes[cluster.ids[0]]?.status.leader != nil { await Task.yield() }
        // Without a leader there is no session, and nothing is proposed.
        let waiting = (0..<3).map { _ in Task { try await client.submit([1], timeout: .seconds(3_600)) } }
        await client.stop()
        for task in waiting { await #expect(throws: NotDone(.cancelled)) { try await task.value } }
        await #expect(throws: NotDone(.cancelled)) { try await client.submit([1]) }
        await #expect(throws: NotDone(.cancelled)) { try await client.query(1) }
        await #expect(throws: NotDone(.cancelled)) { try await client.remove(NodeID(3)) }
        await cluster.shutdown()
        await system.shutdown()
    }

    @Test(
        "over TCP: the three find each other on ports that the kernel chose, and a node that is started again catches up"
    )
    func tcp() async throws {
        let ids = [NodeID(1), NodeID(2), NodeID(3)]
        let ports = try Dictionary(uniqueKeysWithValues: ids.map { ($0, try RaftPort()) })
        let storages = Dictionary(uniqueKeysWithValues: ids.map { ($0, RaftStorage.memory()) })
        func start(_ id: NodeID, in system: ActorSystem) throws -> RaftNode<CountingMachine> {
            try RaftNode(
                RaftNodeOptions(cluster: "tcp", id: id, members: Set(ids)),
                machine: CountingMachine(),
                storage: try #require(storages[id]),
                transport: .tcp(try #require(ports[id]), peers: ports.mapValues(\.number)),
                in: system
            )
        }
        var systems = ids.map { ActorSystem("tcp-\($0)", workers: 2) }
        let nodes = try zip(ids, systems).map { try start($0, in: $1) }
        let client = try RaftClient(nodes, in: systems[1])
        #expect(try await client.submit([5], timeout: .seconds(20)) == 1)
        await systems[0].shutdown()
        #expect(await nodes[0].terminated().isNormal)
        #expect(try await client.submit([5], timeout: .seconds(20)) == 2)
        systems[0] = ActorSystem("tcp-again", workers: 2)
        let again = try RaftClient([try start(ids[0], in: systems[0])], in: systems[0])
        #expect(try await again.query(5, timeout: .seconds(20)) == 2)
        for system in systems { await system.shutdown() }
    }

    @Test("a storage of another cluster or another node is refused, with words that say what to do")
    func wrongStorage() async throws {
        let storage = RaftStorage.memory()
        func start(_ cluster: String, _ id: NodeID, in system: ActorSystem) throws {
            _ = try RaftNode(
                RaftNodeOptions(cluster: cluster, id: id, members: [NodeID(1), NodeID(2)]),
                machine: CountingMachine(),
                storage: storage,
                transport: .inMemory(RaftNetwork()),
                in: system
            )
        }
        let (system, other) = (ActorSystem("first"), ActorSystem("second"))
        try start("a", NodeID(1), in: system)
        #expect { try start("a", NodeID(1), in: other) } throws: { "\($0)".contains("in use") }
        await system.shutdown()
        #expect { try start("b", NodeID(1), in: other) } throws: { "\($0)".contains("belongs to cluster") }
        #expect { try start("a", NodeID(2), in: other) } throws: { "\($0)".contains("belongs to server") }
        await other.shutdown()
    }
}
