import RaftCore
import RaftLog
import Testing

@testable import ConclaveRaft

@Suite("Snapshots", .timeLimit(.minutes(1)), .serialized)
struct SnapshotTests {
    /// A cluster that writes its state down every hundred entries and keeps hardly any log behind that.
    private static func cluster(_ count: Int) throws -> TestCluster {
        try TestCluster(count) { options in
            options.snapshotPolicy.entries = 100
            options.logTail.entries = 10
            options.logTail.bytes = 0
            options.limits.snapshotChunkBytes = 64
        }
    }

    private static func propose(_ count: Int, _ number: UInt8, on id: NodeID, _ cluster: TestCluster) async {
        for _ in 0..<count {
            guard case .success = await cluster.insist({ await cluster.propose(number, on: id) }) else {
                Issue.record("a command failed")
                return
            }
        }
    }

    @Test("a server starts from its snapshot and what its log holds behind it, sessions included")
    func restart() async throws {
        let cluster = try Self.cluster(1)
        let id = await cluster.leader()
        let session = await cluster.registerSession()
        let label = SessionCommand(session: session, sequence: 1, firstUnanswered: 1)
        #expect(await cluster.propose(label, 3, on: id) == .success(1))
        await Self.propose(450, 7, on: id, cluster)
        await cluster.stop(id)
        let files = try cluster.disks[id]?.list() ?? []
        #expect(files.contains { $0.contains("snapshot") }, "\(files)")
        try cluster.start(id)
        #expect(await cluster.insist { await cluster.read(7, on: id) } == .success(450))
        // Carried out before the restart: known from the snapshot.
        #expect(await cluster.insist { await cluster.propose(label, 3, on: id) } == .success(1))
        #expect(await cluster.insist { await cluster.read(3, on: id) } == .success(1))
        await cluster.shutdown()
    }

    @Test("a follower that was away for longer than the log reaches back catches up by snapshot, while writes go on")
    func catchUp() async throws {
        let cluster = try Self.cluster(3)
        let leader = await cluster.leader()
        let away = try #require(cluster.ids.first { $0 != leader })
        let rest = cluster.ids.filter { $0 != away }
        await cluster.stop(away)
        await Self.propose(500, 7, on: leader, cluster)
        try cluster.start(away)
        await Self.propose(300, 7, on: await cluster.leader(among: rest), cluster)
        #expect(await cluster.insist { await cluster.read(7, on: away) } == .success(800))
        await cluster.stop(away)
        try cluster.start(away)
        #expect(await cluster.insist { await cluster.read(7, on: away) } == .success(800))
        await cluster.shutdown()
    }
}
