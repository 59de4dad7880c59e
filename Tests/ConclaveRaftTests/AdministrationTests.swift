import RaftCore
import Testing

@testable import ConclaveRaft

@Suite("Requests about the cluster that are passed on")
struct AdministrationTests {
    /// A follower of server 2.
    private func follower() -> RaftCore {
        var core = RaftCore(id: NodeID(1), voters: [NodeID(1), NodeID(2), NodeID(3)], seed: 1)
        core.step(RaftMessage(from: NodeID(2), to: NodeID(1), term: Term(1), kind: .appendEntries(.emptyHeartbeat)))
        return core
    }

    /// The number under which a request of client 7 went to server 2.
    private func passedOn(by administration: inout Administration<Int>) throws -> UInt64 {
        var core = follower()
        let actions = administration.request(.remove(NodeID(3)), by: .client(7), &core, deadline: 100)
        guard case .forward(let command, let request, NodeID(2)) = try #require(actions.first),
            command == .remove(NodeID(3))
        else {
            Issue.record("not passed on to the leader: \(actions)")
            return 0
        }
        return request
    }

    @Test("an answer to the process before a restart is not taken for an answer to this one")
    func processes() throws {
        var (before, now) = (Administration<Int>(process: 1 << 40), Administration<Int>(process: .max))
        let old = try passedOn(by: &before)
        let new = try passedOn(by: &now)
        #expect(now.answered(old, by: NodeID(2), .success(())).isEmpty)
        #expect(now.answered(new, by: NodeID(2), .success(())).count == 1)
        #expect(now.isIdle)
    }

    @Test("only the server that a request was passed on to can answer it, and once")
    func sender() throws {
        var administration = Administration<Int>(process: 9)
        let request = try passedOn(by: &administration)
        #expect(administration.answered(request, by: NodeID(3), .success(())).isEmpty)
        let actions = administration.answered(request, by: NodeID(2), .failure(.refused(.unknownServer)))
        guard case .answer(.client(7), .failure(.refused(.unknownServer))) = try #require(actions.first) else {
            Issue.record("the client was told something else: \(actions)")
            return
        }
        #expect(administration.answered(request, by: NodeID(2), .success(())).isEmpty)
    }

    /// Server 1 of three, which leads; what it writes is durable when `write` says so.
    private struct Leader {
        var core = RaftCore(id: NodeID(1), voters: [NodeID(1), NodeID(2), NodeID(3)], seed: 1)
        var administration = Administration<Int>(process: 9)

        init() {
            while core.role == .follower { core.tick() }
            hear(.preVoteResponse(granted: true, campaignTerm: core.term))
            write()
            hear(.voteResponse(granted: true))
            commit()
        }

        mutating func hear(_ kind: RaftMessage.Kind, term: Term? = nil) {
            core.step(RaftMessage(from: NodeID(2), to: NodeID(1), term: term ?? core.term, kind: kind))
        }

        mutating func write() {
            let output = core.takeOutput()
            if let ticket = output.ticket { core.persisted(ticket) }
        }

        /// Server 2, too, has all that is in the log now.
        mutating func commit() {
            let last = core.lastIndex
            write()
            let session = core.peerStatus.first { $0.id == NodeID(2) }?.session ?? .zero
            hear(.appendAccepted(match: last, readRound: .zero, session: session))
        }

        /// What clients are told because of this request, and of what happened before it.
        mutating func ask(_ steps: ConfigurationStep..., by client: Int) -> [Int: AdminError?] {
            told(administration.request(.change(steps), by: .client(client), &core, deadline: 100))
        }

        mutating func proceed() -> [Int: AdminError?] { told(administration.proceed(&core)) }

        private func told(_ actions: [Administration<Int>.Action]) -> [Int: AdminError?] {
            var told: [Int: AdminError?] = [:]
            for case .answer(.client(let client), let result) in actions {
                switch result {
                case .success: told[client] = .some(nil)
                case .failure(let error): told[client] = error
                }
            }
            return told
        }
    }

    @Test("a change of several members is answered when its joint configuration is left again, and not before")
    func jointChange() {
        var leader = Leader()
        #expect(leader.ask(.remove(NodeID(2)), .remove(NodeID(3)), by: 7).isEmpty)
        leader.commit()
        #expect(leader.core.commitIndex == LogIndex(2) && leader.core.configurationIndex == LogIndex(3))
        #expect(leader.proceed().isEmpty)
        leader.write()
        #expect(leader.core.commitIndex == LogIndex(3))
        #expect(leader.proceed() == [7: nil])
    }

    @Test("whether a joint configuration is left again is unknown to a leader that steps down before")
    func jointChangeLost() {
        var leader = Leader()
        _ = leader.ask(.remove(NodeID(2)), .remove(NodeID(3)), by: 7)
        leader.commit()
        leader.hear(.termPassed, term: leader.core.term.next)
        #expect(leader.core.role == .follower && leader.core.commitIndex == LogIndex(2))
        #expect(leader.proceed() == [7: .request(.timeout)])
    }

    @Test("what is not committed yet is no reason to say that a change has been made")
    func notCommitted() {
        let record = MemberRecord(NodeID(4), isToBePromoted: false)
        for step in [ConfigurationStep.demote(NodeID(3)), .add(record)] {
            var leader = Leader()
            let refusal: AdminRefusal = step.id == NodeID(3) ? .alreadyLearner : .alreadyMember
            #expect(leader.ask(step, by: 7).isEmpty)
            #expect(leader.ask(step, by: 8) == [8: .refused(.changeInProgress)])
            leader.commit()
            #expect(leader.ask(step, by: 9) == [9: .refused(refusal), 7: nil])
        }
        // Whoever becomes a voter in a joint configuration is none until that is left.
        var leader = Leader()
        _ = leader.ask(.demote(NodeID(2)), .demote(NodeID(3)), by: 7)
        leader.commit()
        #expect(leader.ask(.demote(NodeID(3)), by: 8) == [8: .refused(.changeInProgress)])
    }
}
