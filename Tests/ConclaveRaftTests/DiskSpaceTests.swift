// A disk that is full, or takes its time: what clients hear, and that it goes on by itself.

import RaftCore
import RaftLog
import Synchronization
import Testing

@testable import ConclaveRaft

@Suite("A server's disk", .timeLimit(.minutes(1)), .serialized)
struct DiskSpaceTests {
    private final class Counter: Sendable {
        let value = Atomic<Int>(0)
    }

    /// No room for a segment, nor for a snapshot.
    private func fill(_ disk: MemoryDisk?) {
        disk?.setFaults { operation, _, _ in operation == .reserve || operation == .create ? .noSpace : nil }
    }

    @Test("on a full disk commands are refused as such, reads and deletions work, and all goes on when there is space")
    func fullDisk() async throws {
        let cluster = try TestCluster(1)
        let id = cluster.ids[0]
        #expect(await cluster.insist { await cluster.propose(1, on: id) } == .success(1))
        fill(cluster.disks[id])
        // Until a segment is full and the one set aside is in use.
        var count = 1
        let large = [UInt8](repeating: 1, count: 200_000)
        while await cluster.propose(large, on: id) == .success(count + 1) { count += 1 }
        #expect(cluster.server(id).disk.space == .low)
        #expect(await cluster.propose(2, on: id) == .failure(.diskFull))
        #expect(await cluster.read(1, on: id) == .success(count))
        #expect(await cluster.propose(255, on: id) == .success(1))
        #expect(cluster.board.facts.failures[id] == nil)
        cluster.disks[id]?.setFaults(nil)
        while await cluster.propose(2, on: id) == .failure(.diskFull) { await Task.yield() }
        while cluster.server(id).disk.space != .ample { await Task.yield() }
        #expect(await cluster.propose(3, on: id) == .success(1))
        await cluster.shutdown()
    }

    @Test("on a full disk a snapshot gives the space of old segments back to the log")
    func snapshotMakesSpace() async throws {
        let cluster = try TestCluster(1)
        let id = cluster.ids[0]
        #expect(await cluster.insist { await cluster.propose(1, on: id) } == .success(1))
        cluster.disks[id]?.setFaults { operation, _, _ in operation == .reserve ? .noSpace : nil }
        // Five segments' worth.
        let large = [UInt8](repeating: 1, count: 200_000)
        for count in 2...26 {
            var result = await cluster.propose(large, on: id)
            while result == .failure(.diskFull) {
                await Task.yield()
                result = await cluster.propose(large, on: id)
            }
            #expect(result == .success(count))
        }
        let segments = try cluster.disks[id]?.list().filter { $0.hasPrefix("segment-") || $0.hasPrefix("spare-") }
        #expect(segments?.count == 2)
        await cluster.stop(id)
        try cluster.start(id)
        #expect(await cluster.insist { await cluster.read(1, on: id) } == .success(26))
        await cluster.shutdown()
    }

    @Test("a follower whose disk is full holds up nobody, and has everything once there is space")
    func fullFollower() async throws {
        let cluster = try TestCluster(3)
        let leader = await cluster.leader()
        let full = try #require(cluster.ids.first { $0 != leader })
        fill(cluster.disks[full])
        let large = [UInt8](repeating: 1, count: 200_000)
        var count = 0
        while cluster.server(full).disk.space != .none {
            count += 1
            #expect(await cluster.insist { await cluster.propose(large, on: leader) } == .success(count))
        }
        #expect(await cluster.propose(2, on: full) == .failure(.diskFull))
        cluster.disks[full]?.setFaults(nil)
        #expect(await cluster.insist { await cluster.read(1, on: full) } == .success(count))
        while cluster.server(full).disk.space != .ample { await Task.yield() }
        #expect(cluster.board.facts.failures.isEmpty)
        await cluster.shutdown()
    }

    @Test("what does not fit on the disk at all is not acknowledged, and is written when there is space")
    func waitsForSpace() async throws {
        let cluster = try TestCluster(1, requestTimeout: .seconds(50))
        let id = cluster.ids[0]
        #expect(await cluster.insist { await cluster.propose(1, on: id) } == .success(1))
        fill(cluster.disks[id])
        // Deletions are always taken, so with them the disk really fills up.
        let deletion = [UInt8](repeating: 255, count: 200_000)
        let acknowledged = Counter()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<30 {
                group.addTask {
                    if case .success = await cluster.propose(deletion, on: id) {
                        acknowledged.value.add(1, ordering: .relaxed)
                    }
                }
            }
            while cluster.server(id).disk.space != .none { await Task.yield() }
            #expect(acknowledged.value.load(ordering: .relaxed) < 30)
            cluster.disks[id]?.setFaults(nil)
        }
        #expect(acknowledged.value.load(ordering: .relaxed) == 30)
        #expect(await cluster.read(255, on: id) == .success(30))
        while cluster.server(id).disk.space != .ample { await Task.yield() }
        await cluster.shutdown()
    }
}
