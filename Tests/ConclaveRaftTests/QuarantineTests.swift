// A server whose log was damaged while it was down, in a cluster that needs it.

import RaftCore
import RaftLog
import Synchronization
import Testing

@testable import ConclaveRaft

@Suite("Quarantine", .timeLimit(.minutes(1)), .serialized)
struct QuarantineTests {
    /// What lies in the log in front of the damage, at it, and behind it.
    private static let marked: [UInt8] = [9, 0xd0, 0x0d, 0xfe, 0xed, 0xfa, 0xce, 0x5e]

    private func propose(_ commands: [[UInt8]], on id: NodeID, _ cluster: TestCluster) async {
        for command in commands {
            guard case .success = await cluster.insist({ await cluster.propose(command, on: id) }) else {
                Issue.record("\(command) failed")
                return
            }
        }
    }

    private func stopAll(_ cluster: TestCluster) async { for id in cluster.ids { await cluster.stop(id) } }

    @Test(
        "P34: one flipped bit in one of five logs, the others crash: nothing acknowledged is lost, and the log is repaired"
    )
    func oneBit() async throws {
        let cluster = try TestCluster(5)
        let leader = await cluster.leader()
        await propose([[9], Self.marked, [9], [9], [9]], on: leader, cluster)
        // Everybody has it all on disk.
        for id in cluster.ids { #expect(await cluster.insist { await cluster.read(9, on: id) } == .success(5)) }
        await stopAll(cluster)
        for disk in cluster.disks.values { disk.crash { _ in false } }
        let damaged = try #require(cluster.ids.first { $0 != leader })
        cluster.damage(damaged, at: Self.marked)
        // With two of the others it is a majority.
        let three = [damaged] + cluster.ids.filter { $0 != damaged }.prefix(2)
        for id in three { try cluster.start(id) }
        #expect(cluster.server(damaged).status.current.isQuarantined)
        #expect(await cluster.leader(among: three) != damaged)
        #expect(await cluster.insist { await cluster.read(9, on: damaged) } == .success(5))
        await cluster.board.wait { $0.repaired == [damaged] }
        while cluster.server(damaged).status.current.isQuarantined { await Task.yield() }
        // And now without those that it was repaired from, and without any tolerance for damage.
        await stopAll(cluster)
        let disk = try #require(cluster.disks[damaged])
        let identity = LogIdentity(cluster: ClusterID(high: 1, low: 2), node: damaged, incarnation: 3)
        try WriteAheadLog.open(disk: disk, identity: identity, ifMissing: .refuse).log.close()
        let rest = [damaged] + cluster.ids.filter { !three.contains($0) }
        for id in rest { try cluster.start(id) }
        #expect(await cluster.insist { await cluster.read(9, on: damaged) } == .success(5))
        await cluster.shutdown()
    }

    @Test(
        "P34: a damaged server helps nobody to power who may lack what it acknowledged, and gives way once somebody has it"
    )
    func noShorterLeader() async throws {
        let cluster = try TestCluster(5)
        let leader = await cluster.leader()
        await propose([[9]], on: leader, cluster)
        for id in cluster.ids { #expect(await cluster.insist { await cluster.read(9, on: id) } == .success(1)) }
        // Two servers miss what follows; the three others acknowledge it.
        let others = cluster.ids.filter { $0 != leader }
        let (behind, damaged) = (Array(others[..<2]), others[2])
        for id in behind { await cluster.stop(id) }
        await propose([Self.marked, [9], [9]], on: leader, cluster)
        #expect(await cluster.insist { await cluster.read(9, on: damaged) } == .success(4))
        await stopAll(cluster)
        cluster.damage(damaged, at: Self.marked)
        let campaigns = Mutex<[NodeID: Int]>([:])
        let (asked, ask) = AsyncStream.makeStream(of: Void.self)
        cluster.network.setFilter { message, _, _ in
            guard case .raft(let raft) = message, case .preVoteRequest = raft.kind else { return true }
            campaigns.withLock { $0[raft.from, default: 0] += 1 }
            ask.yield()
            return true
        }
        for id in behind + [damaged] { try cluster.start(id) }
        // Were the damaged log taken for a short one, one of the first campaigns would succeed.
        for await _ in asked {
            if campaigns.withLock({ counts in behind.allSatisfy { counts[$0, default: 0] >= 12 } }) { break }
        }
        #expect(campaigns.withLock { $0[damaged] } == nil)
        #expect(cluster.board.facts.roles.values.allSatisfy { $0 != .leader })
        try cluster.start(leader)
        #expect(await cluster.leader(among: behind + [damaged, leader]) == leader)
        for id in behind + [damaged] { #expect(await cluster.insist { await cluster.read(9, on: id) } == .success(4)) }
        await cluster.board.wait { $0.repaired == [damaged] }
        await cluster.shutdown()
    }

    @Test("P34: a damaged server that has lost who is in its cluster too waits for the leader, who repairs it")
    func nobodyKnown() async throws {
        let cluster = try TestCluster(3)
        let leader = await cluster.leader()
        await propose([[9], Self.marked, [9]], on: leader, cluster)
        let damaged = cluster.ids.first { $0 != leader } ?? leader
        #expect(await cluster.insist { await cluster.read(9, on: damaged) } == .success(3))
        await stopAll(cluster)
        cluster.damage(damaged, at: Self.marked)
        // As one that was added later: what it knew of the others stood in its log and its snapshot only.
        try cluster.start(damaged, founders: .unknown)
        for id in cluster.ids where id != damaged { try cluster.start(id) }
        await cluster.board.wait { $0.repaired == [damaged] }
        #expect(await cluster.insist { await cluster.read(9, on: damaged) } == .success(3))
        await cluster.shutdown()
    }

    @Test("P34: damage in the only server of a cluster is refused with a message that says what to do")
    func nobodyElse() async throws {
        let cluster = try TestCluster(1)
        let id = cluster.ids[0]
        await propose([[9], Self.marked, [9]], on: id, cluster)
        await stopAll(cluster)
        cluster.damage(id, at: Self.marked)
        let before = try cluster.disks[id]?.list()
        let error = #expect(throws: LogError.self) { try cluster.start(id) }
        guard case .nobodyToRepairFrom = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(error?.description.contains("only server of its cluster") == true)
        #expect(error?.description.contains("put an intact copy of it back") == true)
        #expect(try cluster.disks[id]?.list() == before)
    }
}
