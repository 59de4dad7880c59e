import Conclave
import ConclaveNet
import RaftCore
import RaftLog
import Synchronization
import Testing

@testable import ConclaveRaft

@Suite("The end of a server", .timeLimit(.minutes(1)), .serialized)
struct FailureTests {
    private static let diskFault = DiskError.Cause.system(code: 5, message: "Input/output error")

    @Test("P32, P35: a failed sync ends a lone server, and its command is not acknowledged")
    func failingSync() async throws {
        let cluster = try TestCluster(1)
        let id = cluster.ids[0]
        #expect(await cluster.insist { await cluster.propose(1, on: id) } == .success(1))
        cluster.disks[id]?.setFaults { operation, _, _ in operation == .sync ? Self.diskFault : nil }
        let results = await withTaskGroup(of: Result<Int, RaftError>.self) { group in
            for _ in 0..<20 { group.addTask { await cluster.propose(2, on: id) } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(results.allSatisfy { $0 == .failure(.serverStopped) || $0 == .failure(.noLeader) })
        await cluster.board.wait { $0.failures[id] == 1 }
        // The server is gone; whoever asks it is told so.
        #expect(await cluster.propose(2, on: id) == .failure(.serverStopped))
        #expect(await cluster.read(2, on: id) == .failure(.noLeader))
        await cluster.shutdown()
        #expect(cluster.board.facts.failures[id] == 1)
    }

    @Test("P32, P35: a follower whose sync failed acknowledges nothing any more")
    func failingFollower() async throws {
        let cluster = try TestCluster(3)
        let leader = await cluster.leader()
        #expect(await cluster.insist { await cluster.propose(1, on: leader) } == .success(1))
        guard let broken = cluster.ids.first(where: { $0 != leader }), let disk = cluster.disks[broken] else { return }
        disk.setFaults { operation, _, _ in operation == .sync ? Self.diskFault : nil }
        let traffic = FollowerTraffic(of: broken, in: cluster.network)
        // A quorum is left: the leader and the other follower.
        #expect(await cluster.insist { await cluster.propose(2, on: leader) } == .success(1))
        await cluster.board.wait { $0.failures[broken] == 1 }
        #expect(traffic.isNothingSentAcknowledged)
        await cluster.shutdown()
    }

    @Test("a command that the machine cannot read ends the server, and whoever waits is told, each once")
    func failingMachine() async throws {
        let cluster = try TestCluster(1)
        let id = cluster.ids[0]
        #expect(await cluster.insist { await cluster.propose(1, on: id) } == .success(1))
        let results = await withTaskGroup(of: Result<Int, RaftError>.self) { group in
            group.addTask { await cluster.propose([], on: id) }
            for _ in 0..<50 {
                group.addTask { await cluster.propose(2, on: id) }
                group.addTask { await cluster.read(3, on: id) }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(results.count == 101)
        #expect(results.contains(.failure(.serverStopped)))
        await cluster.board.wait { $0.failures[id] == 1 }
        await cluster.shutdown()
    }

    @Test("whoever waits when a server is shut down is told")
    func shutdownWhileWaiting() async throws {
        let cluster = try TestCluster(3)
        let leader = await cluster.leader()
        #expect(await cluster.insist { await cluster.propose(1, on: leader) } == .success(1))
        cluster.network.isolate(leader)
        let (results, end) = AsyncStream.makeStream(of: Result<Int, RaftError>.self)
        let server = cluster.server(leader)
        for _ in 0..<100 {
            server.propose([2], CommandCompletion<CountingMachine> { end.yield($0) })
            server.read(QueryCompletion(2) { end.yield($0) })
        }
        await cluster.stop(leader)
        var failures = 0
        for await result in results {
            #expect(result == .failure(.serverStopped) || result == .failure(.noLeader))
            failures += 1
            if failures == 200 { break }
        }
        await cluster.shutdown()
    }

    @Test("a completion that is dropped fails once, one that was finished is not called again")
    func droppedCompletions() {
        let heard = Mutex<[Result<Int, RaftError>]>([])
        do { _ = CommandCompletion<CountingMachine> { result in heard.withLock { $0.append(result) } } }
        do { _ = QueryCompletion<CountingMachine>(1) { result in heard.withLock { $0.append(result) } } }
        do { CommandCompletion<CountingMachine> { result in heard.withLock { $0.append(result) } }.succeed(5) }
        do { QueryCompletion<CountingMachine>(1) { result in heard.withLock { $0.append(result) } }.fail(.overloaded) }
        #expect(
            heard.withLock { $0 } == [
                .failure(.serverStopped), .failure(.noLeader), .success(5), .failure(.overloaded),
            ]
        )
    }

    @Test("a query that waits for an index in an applier that ends is told, and so is a command behind a bad one")
    func applierEnds() async throws {
        let system = ActorSystem("applier", workers: 2)
        let members = Configuration(voters: [NodeID(1)])
        let status = StatusBoard(RaftStatus(id: NodeID(1), configuration: members))
        let files = SnapshotFiles(disk: MemoryDisk(location: "disk"), cluster: ClusterID(high: 1, low: 2))
        let outbox = Outbox(
            transport: RaftNetwork().transport(of: Handshake(cluster: 1, node: PeerID(1), incarnation: 3))
        )
        let snapshots = try system.spawn { SnapshotKeeper(files, current: nil, outbox: outbox) }
        let applier = try system.spawn("applier") {
            Applier(
                AppliedState(machine: CountingMachine(), configuration: members),
                fresh: CountingMachine(),
                files: files,
                snapshots: snapshots,
                status: status
            )
        }
        let good = ProposalHeader(id: ProposalID(process: 1, sequence: 1), purpose: .command).payload([1])
        let bad = ProposalHeader(id: ProposalID(process: 1, sequence: 2), purpose: .command).payload([])
        let entries = [good, bad, good].enumerated().map {
            Entry(term: Term(1), index: LogIndex(UInt64($0.offset + 1)), kind: .command, payload: $0.element)
        }
        let (results, end) = AsyncStream.makeStream(of: Result<Int, RaftError>.self)
        let command = { @Sendable () -> Completion in CommandCompletion<CountingMachine> { end.yield($0) } }
        let query = { @Sendable () -> Completion in QueryCompletion<CountingMachine>(1) { end.yield($0) } }
        applier.send(.read([query()], at: LogIndex(9), deadline: .max))
        applier.send(.apply(entries, completions: [command(), command(), command()], reportsTo: nil))
        applier.send(.read([query()], at: LogIndex(1), deadline: .max))
        _ = await applier.terminated()
        var heard: [Result<Int, RaftError>] = []
        for await result in results {
            heard.append(result)
            if heard.count == 5 { break }
        }
        #expect(heard.count { $0 == .success(1) } == 1)
        #expect(heard.count { $0 == .failure(.serverStopped) } == 2)
        #expect(heard.count { $0 == .failure(.noLeader) } == 2)
        await system.shutdown()
    }
}
