// What servers promise when their disks fail, stall, or lose what was not synced.

import Dispatch
import RaftCore
import RaftLog
import Synchronization
import Testing

@testable import ConclaveRaft

@Suite("Disks that fail", .timeLimit(.minutes(2)), .serialized)
struct DiskRuleTests {
    private static let fault = DiskError.Cause.system(code: 5, message: "Input/output error")

    private final class Tally: Sendable {
        private let counts = Mutex<(tried: Int, acknowledged: Int)>((0, 0))

        var value: (tried: Int, acknowledged: Int) { counts.withLock { $0 } }

        func count(_ attempt: () async -> Result<Int, RaftError>) async {
            let result = await attempt()
            // Certainly not done.
            if result == .failure(.noLeader) { return await Task.yield() }
            counts.withLock { counts in
                counts.tried += 1
                if case .success = result { counts.acknowledged += 1 }
            }
        }
    }

    @Test("P31: wherever the power is cut while snapshots are taken, each command is in the state once or not yet")
    func powerCutAroundSnapshots() async throws {
        var generator = Seeded("DiskRuleTests")
        let cluster = try TestCluster(1, requestTimeout: .milliseconds(500)) { options in
            options.snapshotPolicy.entries = 7
            options.logTail = .none
        }
        let id = cluster.ids[0]
        let disk = try #require(cluster.disks[id])
        let tally = Tally()
        var snapshots: Set<String> = []
        for round in 1...25 {
            _ = await cluster.leader()
            disk.cutPower(atOperation: disk.operationCount + generator.below(60))
            while cluster.board.facts.failures[id] != round {
                await tally.count { await cluster.propose(7, on: id) }
            }
            await cluster.stop(id)
            let pattern = generator.next()
            disk.crash { unit in pattern >> UInt64(unit % 61) & 1 == 0 }
            snapshots.formUnion(try disk.list().filter { $0.hasPrefix("snapshot") })
            try cluster.start(id)
            guard case .success(let count) = await cluster.insist({ await cluster.read(7, on: id) }) else {
                Issue.record("round \(round): no answer")
                break
            }
            #expect(count >= tally.value.acknowledged && count <= tally.value.tried, "round \(round)")
        }
        #expect(snapshots.count > 10)
        await cluster.shutdown()
    }

    @Test("P31: servers that started from snapshots and logs of their own, cut anywhere, have the same state")
    func sameState() async throws {
        let cluster = try TestCluster(3) { options in
            options.snapshotPolicy.entries = 9
            options.logTail.entries = 5
            options.logTail.bytes = 0
        }
        var generator = Seeded("DiskRuleTests")
        for round in 1...9 {
            let leader = await cluster.leader()
            let id = cluster.ids[round % 3]
            let disk = try #require(cluster.disks[id])
            disk.cutPower(atOperation: disk.operationCount + generator.below(40))
            let failures = cluster.board.facts.failures[id, default: 0]
            var number = UInt8(1)
            while cluster.board.facts.failures[id, default: 0] == failures {
                _ = await cluster.propose(number, on: id == leader ? cluster.ids[(round + 1) % 3] : leader)
                number = number % 5 + 1
            }
            await cluster.stop(id)
            disk.crash { _ in generator.next() & 1 == 0 }
            try cluster.start(id)
        }
        for number in 1...5 as ClosedRange<UInt8> {
            var states: [Int] = []
            for id in cluster.ids {
                guard case .success(let count) = await cluster.insist({ await cluster.read(number, on: id) }) else {
                    return
                }
                states.append(count)
            }
            #expect(states[0] > 0 && Set(states).count == 1, "\(number): \(states)")
        }
        await cluster.shutdown()
    }

    @Test(
        "P32: one failed sync, though the next would succeed, ends a server; started again it verifies, and takes its part"
    )
    func failingOnce() async throws {
        let cluster = try TestCluster(3)
        let leader = await cluster.leader()
        #expect(await cluster.insist { await cluster.propose(1, on: leader) } == .success(1))
        let broken = try #require(cluster.ids.first { $0 != leader })
        let disk = try #require(cluster.disks[broken])
        #expect(await cluster.insist { await cluster.read(1, on: broken) } == .success(1))
        // Failed syncs, and what was asked of the log's files afterwards.
        let seen = Mutex<(failed: Int, later: Int)>((0, 0))
        disk.setFaults { operation, name, _ in
            seen.withLock { seen in
                guard operation == .sync || operation == .write, name.hasPrefix("segment") else { return nil }
                if seen.failed > 0 { seen.later += 1 }
                guard operation == .sync, seen.failed == 0 else { return nil }
                seen.failed = 1
                return Self.fault
            }
        }
        let traffic = FollowerTraffic(of: broken, in: cluster.network)
        #expect(await cluster.insist { await cluster.propose(1, on: leader) } == .success(2))
        await cluster.board.wait { $0.failures[broken] == 1 }
        #expect(seen.withLock { $0 } == (1, 0))
        #expect(traffic.isNothingSentAcknowledged)
        await cluster.stop(broken)
        disk.setFaults(nil)
        // The pages of a failed sync count as clean and are seen by a reader, until the power goes.
        disk.kill()
        try cluster.start(broken)
        #expect(await cluster.insist { await cluster.read(1, on: broken) } == .success(2))
        let other = try #require(cluster.ids.first { $0 != leader && $0 != broken })
        await cluster.stop(other)
        #expect(await cluster.insist { await cluster.propose(1, on: leader) } == .success(3))
        await cluster.stop(broken)
        disk.crash { _ in false }
        try cluster.start(broken)
        #expect(await cluster.insist { await cluster.read(1, on: broken) } == .success(3))
        await cluster.shutdown()
    }

    @Test("P35: when the power of all servers is cut at once, nothing acknowledged is lost and nothing is invented")
    func powerCutEverywhere() async throws {
        let cluster = try TestCluster(3, requestTimeout: .milliseconds(300)) { options in
            options.snapshotPolicy.entries = 50
            options.logTail = .none
        }
        var generator = Seeded("DiskRuleTests")
        let tallies = (0..<6).map { _ in Tally() }
        for round in 1...6 {
            _ = await cluster.leader()
            // One disk is the first to notice; the others lose their power as soon as that shows.
            let first = cluster.ids[round % 3]
            if let disk = cluster.disks[first] {
                disk.cutPower(atOperation: disk.operationCount + 20 + generator.below(60))
            }
            let failures = cluster.board.facts.failures[first]
            await withTaskGroup(of: Void.self) { group in
                for number in tallies.indices {
                    group.addTask {
                        var place = number
                        while cluster.board.facts.failures[first] == failures {
                            place += 1
                            let id = cluster.ids[place % 3]
                            await tallies[number].count { await cluster.propose(UInt8(number), on: id) }
                        }
                    }
                }
            }
            for disk in cluster.disks.values { disk.cutPower(atOperation: disk.operationCount) }
            for id in cluster.ids { await cluster.stop(id) }
            for id in cluster.ids { cluster.disks[id]?.crash { _ in generator.next() & 1 == 0 } }
            for id in cluster.ids { try cluster.start(id) }
            for (number, tally) in tallies.enumerated() {
                let result = await cluster.insist { await cluster.read(UInt8(number), on: cluster.ids[number % 3]) }
                guard case .success(let count) = result else {
                    Issue.record("round \(round): \(result)")
                    return
                }
                #expect(count >= tally.value.acknowledged && count <= tally.value.tried, "round \(round)")
            }
        }
        #expect(tallies.allSatisfy { $0.value.acknowledged > 0 })
        await cluster.shutdown()
    }

    @Test("P36: a leader whose disk hangs for ten seconds is replaced within two election timeouts, and writes go on")
    func hungDisk() async throws {
        // The clock of production.
        let timing = RaftTiming()
        let tick = ConsensusOptions().tick
        let cluster = try TestCluster(3) { $0.tick = tick }
        let leader = await cluster.leader()
        #expect(await cluster.insist { await cluster.propose(1, on: leader) } == .success(1))
        let isReleased = DispatchSemaphore(value: 0)
        let hungSince = Mutex<ContinuousClock.Instant?>(nil)
        cluster.disks[leader]?.setFaults { operation, _, _ in
            guard operation == .sync else { return nil }
            hungSince.withLock { $0 = $0 ?? .now }
            _ = isReleased.wait(timeout: .now() + 10)
            isReleased.signal()
            return nil
        }
        // The others write it, so it may well be acknowledged.
        async let first = cluster.propose(1, on: leader)
        await cluster.board.wait { facts in facts.roles.contains { $0.key != leader && $0.value == .leader } }
        let since = try #require(hungSince.withLock { $0 })
        let taken = ContinuousClock.now - since
        #expect(taken <= tick * Int(timing.electionTicks.upperBound) * 2, "took \(taken)")
        let next = try #require(cluster.board.facts.roles.first { $0.key != leader && $0.value == .leader }?.key)
        guard case .success = await cluster.insist({ await cluster.propose(1, on: next) }) else {
            Issue.record("no write after the disk of the leader hung")
            return
        }
        isReleased.signal()
        guard case .success = await first else {
            Issue.record("\(await first)")
            return
        }
        #expect(await cluster.insist { await cluster.read(1, on: leader) } == .success(3))
        #expect(cluster.board.facts.failures.isEmpty)
        await cluster.shutdown()
    }
}
