import ConclaveNet
import RaftCore
import RaftLog
import Synchronization
import Testing

@testable import ConclaveRaft

@Suite("What a client may conclude", .timeLimit(.minutes(1)), .serialized)
struct OutcomeTests {
    @Test("P37: a forwarded command that arrives at a follower is dropped, never forwarded again")
    func forwardedOnce() async throws {
        let cluster = try TestCluster(3)
        let leader = await cluster.leader()
        let forwarded = Mutex(0)
        cluster.network.setFilter { message, _, _ in
            if case .proposal = message { forwarded.withLock { $0 += 1 } }
            return true
        }
        let followers = cluster.ids.filter { $0 != leader }
        let header = ProposalHeader(id: ProposalID(process: 99, sequence: 1), purpose: .command)
        for (from, to) in [(followers[0], followers[1]), (followers[1], followers[0])] {
            for term in 0...3 as ClosedRange<UInt64> {
                let proposal = ForwardedProposal(term: Term(term), payload: header.payload([9]))
                cluster.network.deliver(.proposal(proposal), from: from, to: to)
            }
        }
        // Both followers have handled what was delivered before they answer these.
        for id in followers { #expect(await cluster.insist { await cluster.read(9, on: id) } == .success(0)) }
        #expect(forwarded.withLock { $0 } == 8, "the eight that were delivered, and no more")
        // Their own clients' commands are forwarded once.
        for id in followers { _ = await cluster.insist { await cluster.propose(3, on: id) } }
        #expect(forwarded.withLock { $0 } == 10)
        await cluster.shutdown()
    }

    @Test("P38: after a restart of all servers no read is answered before an entry of the new term is committed")
    func readsWaitForOwnTerm() async throws {
        let cluster = try TestCluster(3, requestTimeout: .milliseconds(300))
        let leader = await cluster.leader()
        #expect(await cluster.insist { await cluster.propose(4, on: leader) } == .success(1))
        await cluster.shutdown()
        // Leaders are elected, but nothing that they append is acknowledged to them.
        cluster.network.setFilter { message, _, _ in
            if case .raft(let raft) = message, case .appendAccepted = raft.kind { false } else { true }
        }
        for id in cluster.ids { try cluster.start(id) }
        await cluster.board.wait { $0.roles.values.contains(.leader) }
        for _ in 0..<3 {
            for id in cluster.ids { #expect(await cluster.read(4, on: id) == .failure(.noLeader)) }
        }
        cluster.network.setFilter { _, _, _ in true }
        for id in cluster.ids { #expect(await cluster.insist { await cluster.read(4, on: id) } == .success(1)) }
        await cluster.shutdown()
    }

    @Test(
        "P39: when a leader's append fails, all who wait are told that the outcome is unknown, and another server leads"
    )
    func failedAppend() async throws {
        let cluster = try TestCluster(3)
        let leader = await cluster.leader()
        #expect(await cluster.insist { await cluster.propose(1, on: leader) } == .success(1))
        let acknowledgementsFail: @Sendable (WireMessage, NodeID, NodeID) -> Bool = { message, _, to in
            guard to == leader, case .raft(let raft) = message else { return true }
            if case .appendAccepted = raft.kind { return false }
            return true
        }
        cluster.network.setFilter(acknowledgementsFail)
        cluster.disks[leader]?.setFaults { operation, _, _ in
            operation == .write ? .system(code: 5, message: "Input/output error") : nil
        }
        let server = cluster.server(leader)
        let (results, end) = AsyncStream.makeStream(of: Result<Int, RaftError>.self)
        for _ in 0..<50 { server.propose([2], CommandCompletion<CountingMachine> { end.yield($0) }) }
        var heard: [Result<Int, RaftError>] = []
        for await result in results {
            heard.append(result)
            if heard.count == 50 { break }
        }
        for result in heard {
            guard case .failure(.unknown) = result else {
                Issue.record("a client was told \(result)")
                continue
            }
        }
        await cluster.board.wait { $0.failures[leader] == 1 }
        await cluster.stop(leader)
        cluster.network.setFilter { _, _, _ in true }
        let rest = cluster.ids.filter { $0 != leader }
        let successor = await cluster.leader(among: rest)
        #expect(await cluster.insist { await cluster.read(1, on: successor) } == .success(1))
        #expect(await cluster.insist { await cluster.propose(1, on: successor) } == .success(2))
        let unknown = try await cluster.insist { await cluster.read(2, on: successor) }.get()
        #expect((0...50).contains(unknown))
        await cluster.shutdown()
    }
}
