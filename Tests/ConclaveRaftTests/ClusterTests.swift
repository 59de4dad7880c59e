import RaftCore
import RaftLog
import Testing

@testable import ConclaveRaft

@Suite("Three servers", .timeLimit(.minutes(1)), .serialized)
struct ClusterTests {
    @Test("a command proposed on any server is applied once, and each server reads it at once")
    func proposeAndRead() async throws {
        let cluster = try TestCluster(3)
        _ = await cluster.leader()
        for (done, id) in cluster.ids.enumerated() {
            #expect(await cluster.insist { await cluster.propose(7, on: id) } == .success(done + 1))
            for reader in cluster.ids {
                #expect(await cluster.insist { await cluster.read(7, on: reader) } == .success(done + 1))
            }
        }
        await cluster.shutdown()
    }

    @Test("P20: an isolated leader never answers with success, and what it was told is not applied")
    func isolatedLeader() async throws {
        let cluster = try TestCluster(3, requestTimeout: .milliseconds(300))
        let old = await cluster.leader()
        #expect(await cluster.insist { await cluster.propose(1, on: old) } == .success(1))
        cluster.network.isolate(old)
        async let lost = cluster.propose(2, on: old)
        async let unread = cluster.read(1, on: old)
        let rest = cluster.ids.filter { $0 != old }
        let new = await cluster.leader(among: rest)
        #expect(new != old)
        #expect(await cluster.insist { await cluster.propose(3, on: new) } == .success(1))
        let (lostResult, unreadResult) = await (lost, unread)
        #expect(lostResult == .failure(.timeout) || lostResult == .failure(.noLeader))
        #expect(unreadResult == .failure(.noLeader))
        await cluster.board.wait { $0.leaders[old] == nil }
        #expect(await cluster.propose(2, on: old) == .failure(.noLeader))
        #expect(await cluster.read(1, on: old) == .failure(.noLeader))

        cluster.network.heal()
        _ = await cluster.leader()
        for id in cluster.ids {
            #expect(await cluster.insist { await cluster.read(2, on: id) } == .success(0))
            #expect(await cluster.insist { await cluster.read(3, on: id) } == .success(1))
        }
        await cluster.shutdown()
    }

    @Test(
        "P37: commands on all servers are applied at most once over leader changes, and once if their clients were told so"
    )
    func onceOverLeaderChanges() async throws {
        let cluster = try TestCluster(3, requestTimeout: .seconds(2))
        _ = await cluster.leader()
        let clients = cluster.ids.flatMap { id in (0..<4).map { (id, UInt8($0) + 4 * UInt8(id.rawValue)) } }
        let tallies = await withTaskGroup(of: (UInt8, done: Int, unknown: Int).self) { group in
            for (id, number) in clients {
                group.addTask {
                    var (done, unknown) = (0, 0)
                    for _ in 0..<60 {
                        switch await cluster.insist({ await cluster.propose(number, on: id) }) {
                        case .success: done += 1
                        case .failure: unknown += 1
                        }
                    }
                    return (number, done, unknown)
                }
            }
            for _ in 0..<4 {
                let leader = await cluster.leader()
                cluster.network.isolate(leader)
                _ = await cluster.leader(among: cluster.ids.filter { $0 != leader })
                cluster.network.heal()
            }
            var tallies: [(UInt8, done: Int, unknown: Int)] = []
            for await tally in group { tallies.append(tally) }
            return tallies
        }
        for (number, done, unknown) in tallies {
            let counts = await withTaskGroup(of: Result<Int, RaftError>.self) { group in
                for id in cluster.ids { group.addTask { await cluster.insist { await cluster.read(number, on: id) } } }
                return await group.reduce(into: []) { $0.append($1) }
            }
            for count in counts {
                let applied = try count.get()
                #expect(applied >= done && applied <= done + unknown, "\(number): \(done) done, \(unknown) unknown")
            }
        }
        #expect(tallies.map(\.done).reduce(0, +) > 0)
        await cluster.shutdown()
    }

    @Test("P8: a restart after a power cut keeps everything that was acknowledged")
    func restart() async throws {
        let cluster = try TestCluster(3)
        let leader = await cluster.leader()
        var done = 0
        for _ in 0..<50 {
            if case .success(let count) = await cluster.propose(1, on: leader) { done = count }
        }
        #expect(done > 0)
        await cluster.shutdown()
        for disk in cluster.disks.values { disk.crash { _ in false } }
        for id in cluster.ids { try cluster.start(id) }
        _ = await cluster.leader()
        for id in cluster.ids {
            let count = try await cluster.insist { await cluster.read(1, on: id) }.get()
            #expect(count >= done)
        }
        await cluster.shutdown()
    }

    @Test("a command longer than a log entry may be is refused on every server, and harms none")
    func tooLarge() async throws {
        let cluster = try TestCluster(3)
        _ = await cluster.leader()
        let command = [UInt8](repeating: 1, count: WriteAheadLog.maximumPayloadBytes)
        for id in cluster.ids {
            #expect(await cluster.insist { await cluster.propose(command, on: id) } == .failure(.tooLarge))
        }
        #expect(await cluster.insist { await cluster.propose(2, on: cluster.ids[0]) } == .success(1))
        #expect(cluster.board.facts.failures.isEmpty)
        await cluster.shutdown()
    }
}
