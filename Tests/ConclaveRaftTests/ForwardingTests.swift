import RaftCore
import Synchronization
import Testing

@testable import ConclaveRaft

@Suite("Commands that are passed on", .timeLimit(.minutes(1)), .serialized)
struct ForwardingTests {
    /// What a test sees pass.
    private final class Seen<Value: Sendable>: Sendable {
        private let values = Mutex<[Value]>([])
        var all: [Value] { values.withLock { $0 } }

        /// Which one this is, from 1.
        @discardableResult
        func add(_ value: Value) -> Int {
            values.withLock { values in
                values.append(value)
                return values.count
            }
        }
    }

    @Test("a follower's client hears at once that the leader has no room: definitely not done")
    func overloaded() async throws {
        let cluster = try TestCluster(3) { $0.uncommittedEntries = 0 }
        let leader = await cluster.leader()
        let follower = try #require(cluster.ids.first { $0 != leader })
        let start = ContinuousClock.now
        #expect(await cluster.insist { await cluster.propose(1, on: follower) } == .failure(.overloaded))
        // The client itself would wait for 20 s.
        #expect(ContinuousClock.now - start < .seconds(10))
        await cluster.shutdown()
    }

    @Test("a command that the leader refuses, since it does not lead, is done by whoever does, once")
    func triedAgain() async throws {
        let cluster = try TestCluster(3)
        let leader = await cluster.leader()
        let follower = try #require(cluster.ids.first { $0 != leader })
        let passed = Seen<ForwardedProposal>()
        let network = cluster.network
        network.setFilter { message, from, to in
            guard case .proposal(let proposal) = message, passed.add(proposal) == 1 else { return true }
            guard let id = ProposalHeader.id(of: proposal.payload) else { return true }
            let refusal = RefusedProposal(id: id, term: proposal.term, reason: .notLeading)
            network.deliver(.proposalRefused(refusal), from: to, to: from)
            return false
        }
        let start = ContinuousClock.now
        #expect(await cluster.insist { await cluster.propose(1, on: follower) } == .success(1))
        #expect(ContinuousClock.now - start < .seconds(10))
        #expect(passed.all.count == 2)
        await cluster.shutdown()
    }

    @Test("a refusal for another process, another term, or of what is done changes nothing")
    func staleRefusals() async throws {
        let cluster = try TestCluster(3)
        let leader = await cluster.leader()
        let follower = try #require(cluster.ids.first { $0 != leader })
        let network = cluster.network
        let refused = Seen<RefusedProposal>()
        network.setFilter { message, from, to in
            guard case .proposal(let proposal) = message, let id = ProposalHeader.id(of: proposal.payload) else {
                return true
            }
            var (otherProcess, otherTerm) = (id, proposal.term)
            otherProcess.process &+= 1
            otherTerm = Term(otherTerm.rawValue + 1)
            for refusal in [
                RefusedProposal(id: otherProcess, term: proposal.term, reason: .overloaded),
                RefusedProposal(id: id, term: otherTerm, reason: .overloaded),
            ] {
                network.deliver(.proposalRefused(refusal), from: to, to: from)
            }
            refused.add(RefusedProposal(id: id, term: proposal.term, reason: .overloaded))
            return true
        }
        #expect(await cluster.insist { await cluster.propose(1, on: follower) } == .success(1))
        for refusal in refused.all { network.deliver(.proposalRefused(refusal), from: leader, to: follower) }
        #expect(await cluster.insist { await cluster.propose(1, on: follower) } == .success(2))
        await cluster.shutdown()
    }

    @Test("who leads another term than the one meant, or none, says so")
    func notLeading() async throws {
        let cluster = try TestCluster(3)
        let leader = await cluster.leader()
        let follower = try #require(cluster.ids.first { $0 != leader })
        let (refusals, end) = AsyncStream.makeStream(of: RefusedProposal.self)
        cluster.network.setFilter { message, _, _ in
            if case .proposalRefused(let refusal) = message { end.yield(refusal) }
            return true
        }
        let id = ProposalID(process: 7, sequence: 1)
        let proposal = ForwardedProposal(
            term: Term(999),
            payload: ProposalHeader(id: id, purpose: .command).payload([1])
        )
        cluster.network.deliver(.proposal(proposal), from: follower, to: leader)
        cluster.network.deliver(.proposal(proposal), from: leader, to: follower)
        var heard: [RefusedProposal] = []
        for await refusal in refusals {
            heard.append(refusal)
            if heard.count == 2 { break }
        }
        let expected = RefusedProposal(id: id, term: Term(999), reason: .notLeading)
        #expect(heard == [expected, expected])
        await cluster.shutdown()
    }
}
