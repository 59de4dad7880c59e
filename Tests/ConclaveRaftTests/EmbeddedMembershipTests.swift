import Conclave
import RaftCore
import Testing

@testable import ConclaveRaft

/// Members that come and go, as a user of the library has them: three founders and a fourth.
@Suite("Embedded members", .timeLimit(.minutes(1)), .serialized) struct EmbeddedMembershipTests {
    enum Way: CaseIterable { case memory, tcp }

    private final class Cluster {
        let founders = [NodeID(1), NodeID(2), NodeID(3)]
        let four = NodeID(4)
        private let way: Way
        private let network = RaftNetwork()
        private var ports: [NodeID: RaftPort] = [:]
        private var storages: [NodeID: RaftStorage] = [:]
        private var systems: [NodeID: ActorSystem] = [:]
        private(set) var nodes: [NodeID: RaftNode<CountingMachine>] = [:]
        private let clientSystem = ActorSystem("client")

        init(_ way: Way) throws {
            self.way = way
            for id in founders + [four] {
                ports[id] = try RaftPort()
                storages[id] = .memory()
            }
            for id in founders { try start(id) }
        }

        /// Takes other ports for nodes that do not run.
        func move() throws { for id in founders { ports[id] = try RaftPort() } }

        func wipe(_ id: NodeID) { storages[id] = .memory() }

        func start(_ id: NodeID, joins: Bool = false) throws {
            let system = ActorSystem("member-\(id)", workers: 2)
            var options =
                joins
                ? RaftNodeOptions(joining: "members", id: id)
                : RaftNodeOptions(cluster: "members", id: id, members: Set(founders))
            // Slow enough that a busy machine deposes no leader.
            options.heartbeat = .milliseconds(200)
            let peers = joins ? [:] : ports.filter { founders.contains($0.key) }.mapValues(\.number)
            systems[id] = system
            nodes[id] = try RaftNode(
                options,
                machine: CountingMachine(),
                storage: try #require(storages[id]),
                transport: way == .memory ? .inMemory(network) : .tcp(try #require(ports[id]), peers: peers),
                in: system
            )
        }

        func stop(_ id: NodeID) async {
            nodes[id] = nil
            await systems.removeValue(forKey: id)?.shutdown()
        }

        func shutdown() async {
            for id in founders + [four] { await stop(id) }
            await clientSystem.shutdown()
        }

        func client(of ids: [NodeID]? = nil) throws -> RaftClient<CountingMachine> {
            let ids = ids ?? nodes.keys.sorted()
            return try RaftClient(ids.compactMap { nodes[$0] }, in: clientSystem)
        }

        /// With its port, where there are ports.
        func port(of id: NodeID) -> UInt16? { way == .tcp ? ports[id]?.number : nil }

        func status(_ id: NodeID) throws -> RaftStatus { try #require(nodes[id]).status }

        var leader: NodeID? { nodes.values.first { $0.status.role == .leader }?.status.id }

        /// Waits for a node's news until its part in the cluster is this one.
        func wait(for standing: MemberStanding, of id: NodeID) async throws {
            let node = try #require(nodes[id])
            let events = node.events.events()
            if node.status.standing == standing { return }
            for await event in events where event == .standingChanged(standing) { return }
        }
    }

    @Test(
        "a node that joins becomes a learner, then a voter that is needed, leads, and is removed",
        arguments: Way.allCases
    )
    func life(_ way: Way) async throws {
        let cluster = try Cluster(way)
        let client = try cluster.client()
        let patience = Duration.seconds(20)
        for count in 1...5 { #expect(try await client.submit([7], timeout: patience) == count) }
        try cluster.start(cluster.four, joins: true)
        #expect(try cluster.status(cluster.four).standing == .waiting)
        try await client.add(cluster.four, port: cluster.port(of: cluster.four), as: .learner, timeout: patience)
        try await cluster.wait(for: .learner, of: cluster.four)
        let own = try cluster.client(of: [cluster.four])
        #expect(try await own.query(7, timeout: patience) == 5)
        #expect(try cluster.status(cluster.four).learners == [cluster.four])

        try await client.promote(cluster.four)
        try await cluster.wait(for: .voter, of: cluster.four)
        try await client.promote(cluster.four)
        repeat {
            try await client.transferLeadership(to: cluster.four, timeout: patience)
        } while try cluster.status(cluster.four).role != .leader
        // One of the old ones is gone: three of four have to agree.
        await cluster.stop(cluster.founders[0])
        #expect(try await own.submit([7], timeout: patience) == 6)

        // The leader removes itself, asked by way of another one.
        let rest = try cluster.client(of: Array(cluster.founders[1...]))
        try await rest.remove(cluster.four, timeout: patience)
        try await cluster.wait(for: .removed, of: cluster.four)
        #expect(try await rest.submit([7], timeout: patience) == 7)
        #expect(try cluster.status(cluster.founders[1]).voters == cluster.founders)
        await cluster.shutdown()
    }

    @Test(
        "a new voter gets its vote by itself; what makes no sense is refused with its reason",
        arguments: Way.allCases
    )
    func refusals(_ way: Way) async throws {
        let cluster = try Cluster(way)
        let client = try cluster.client()
        let patience = Duration.seconds(20)
        try cluster.start(cluster.four, joins: true)
        let port = cluster.port(of: cluster.four)
        try await client.add(cluster.four, port: port, timeout: patience)
        try await cluster.wait(for: .voter, of: cluster.four)
        func reason(_ change: () async throws -> Void) async -> ChangeRefused.Reason? {
            do { try await change() } catch { return (error as? ChangeRefused)?.reason }
            return nil
        }
        #expect(await reason { try await client.add(cluster.four, port: port) } == .alreadyMember)
        #expect(await reason { try await client.promote(NodeID(9)) } == .noSuchMember)
        #expect(await reason { try await client.remove(NodeID(9)) } == .noSuchMember)
        #expect(await reason { try await client.transferLeadership(to: NodeID(9)) } == .noSuchMember)
        if way == .tcp {
            #expect(await reason { try await client.add(NodeID(9), port: port, as: .learner) } == .portTaken)
        }
        // Nobody is there.
        try await client.add(NodeID(9), port: way == .tcp ? try RaftPort().number : nil, as: .learner)
        #expect(await reason { try await client.promote(NodeID(9), timeout: .milliseconds(300)) } == .notCaughtUp)
        #expect(await reason { try await client.transferLeadership(to: NodeID(9)) } == .notVoter)
        await cluster.shutdown()
    }

    @Test("over TCP: a cluster that is started again on other ports than are written in its log finds itself")
    func otherPorts() async throws {
        let cluster = try Cluster(.tcp)
        #expect(try await cluster.client().submit([7], timeout: .seconds(20)) == 1)
        while try cluster.status(NodeID(1)).configuration.records.count(where: { $0.incarnation != nil }) < 3 {
            await Task.yield()
        }
        for id in cluster.founders { await cluster.stop(id) }
        try cluster.move()
        for id in cluster.founders { try cluster.start(id) }
        #expect(try await cluster.client().submit([7], timeout: .seconds(20)) == 2)
        await cluster.shutdown()
    }

    @Test("without a leader a change is not done or unknown in time, and a task that is cancelled waits no longer")
    func withoutLeader() async throws {
        let cluster = try Cluster(.memory)
        let client = try cluster.client()
        _ = try await client.submit([7], timeout: .seconds(20))
        for id in cluster.founders.dropFirst() { await cluster.stop(id) }
        for timeout in [100, 600] {
            do {
                try await client.remove(NodeID(3), timeout: .milliseconds(timeout))
                Issue.record("removed without a majority")
            } catch { #expect(error is NotDone || error is OutcomeUnknown) }
        }
        let task = Task { try await client.remove(NodeID(3), timeout: .seconds(3_600)) }
        task.cancel()
        guard case .failure(let error) = await task.result else {
            Issue.record("removed without a majority")
            return
        }
        #expect(error is NotDone || error is OutcomeUnknown)
        await cluster.shutdown()
    }

    @Test(
        "P28: a node whose storage was lost is told that it is refused, joining or not; removed and added, it is one of them again",
        arguments: Way.allCases
    )
    func wiped(_ way: Way) async throws {
        let cluster = try Cluster(way)
        let client = try cluster.client(of: [cluster.founders[0], cluster.founders[1]])
        let lost = cluster.founders[2]
        #expect(try await client.submit([7], timeout: .seconds(20)) == 1)
        // The incarnations are in the log: a learner that is added after them comes later in it.
        while try cluster.status(lost).configuration.records.count(where: { $0.incarnation != nil }) < 3 {
            await Task.yield()
        }
        for joins in [false, true] {
            await cluster.stop(lost)
            cluster.wipe(lost)
            try cluster.start(lost, joins: joins)
            let node = try #require(cluster.nodes[lost])
            for await event in node.events.events() {
                if case .refused(by: let member) = event {
                    #expect(member != lost)
                    break
                }
            }
        }
        try await client.remove(lost, timeout: .seconds(20))
        try await client.add(lost, port: cluster.port(of: lost), timeout: .seconds(20))
        try await cluster.wait(for: .voter, of: lost)
        #expect(try await cluster.client(of: [lost]).query(7, timeout: .seconds(20)) == 1)
        await cluster.shutdown()
    }
}
