import Testing

@testable import RaftCore

@Suite struct ElectionTests {
    private let good = LogPosition(index: LogIndex(5), term: Term(1))

    @Test("P16: a server that was cut off asks first, so its term does not rise and the leader stays")
    func cutOffServer() throws {
        var cutOff = Script.core(Script.n3, term: 1)
        cutOff.tick(1_000)
        #expect(cutOff.term == Term(1))
        #expect(cutOff.role == .preCandidate)

        var follower = Script.core(Script.n2, term: 1)
        follower.hears(Script.append(), from: Script.n1, in: 1)
        follower.says()
        follower.hears(.preVoteRequest(last: good), from: Script.n3, in: 1)
        #expect(follower.says().map(\.kind) == [.preVoteResponse(granted: false, campaignTerm: Term(1))])
        follower.hears(.voteRequest(last: good), from: Script.n3, in: 9)
        #expect(follower.term == Term(1), "not even a vote request disturbs whoever hears a leader")
        #expect(follower.leader == Script.n1)
    }

    @Test("P16: a closed connection frees only the server that saw it close")
    func closedConnection() {
        var follower = Script.core(Script.n2, term: 1)
        follower.hears(Script.append(), from: Script.n1, in: 1)
        follower.says()
        follower.peerDisconnected(Script.n1)
        follower.hears(.preVoteRequest(last: good), from: Script.n3, in: 1)
        #expect(follower.says().map(\.kind) == [.preVoteResponse(granted: true, campaignTerm: Term(1))])
    }

    @Test("P17: a stale leader is told of the new term, a stale pre-vote is refused and not dropped")
    func staleMessagesAreAnswered() {
        var ahead = Script.core(Script.n3, term: 7)
        ahead.hears(Script.append(), from: Script.n1, in: 3)
        #expect(ahead.says().contains { $0.to == Script.n1 && $0.term == Term(7) })
        ahead.hears(.preVoteRequest(last: good), from: Script.n2, in: 3)
        let answer = ahead.says()
        #expect(answer.map(\.kind) == [.preVoteResponse(granted: false, campaignTerm: Term(3))])
        #expect(answer.map(\.term) == [Term(7)])
    }

    @Test("P17: a server stuck at a higher term with a short log gets back into the cluster")
    func strandedServerRejoins() throws {
        var leader = Script.leader(log: Script.log([]))
        leader.makeDurable()
        var stranded = Script.core(Script.n3, term: 7)
        leader.hears(.termPassed, from: Script.n3, in: 7)
        #expect(leader.role == .follower)
        #expect(leader.term == Term(7))
        while leader.role == .follower { leader.tick() }
        for message in leader.says() where message.to == Script.n3 { stranded.step(message) }
        for message in stranded.says() { leader.step(message) }
        for message in leader.says() where message.to == Script.n3 { stranded.step(message) }
        for message in stranded.says() { leader.step(message) }
        #expect(leader.role == .leader)
        #expect(leader.term == Term(8))
    }

    @Test("P18: a candidate yields to a pre-vote with a better log")
    func candidateYields() throws {
        var candidate = Script.core(term: 4)
        while candidate.role == .follower { candidate.tick() }
        candidate.hears(.preVoteResponse(granted: true, campaignTerm: candidate.term), from: Script.n3)
        candidate.says()
        try #require(candidate.role == .candidate)
        candidate.hears(.preVoteRequest(last: good), from: Script.n2)
        #expect(candidate.role == .follower)
        #expect(candidate.says().contains { $0.kind == .preVoteResponse(granted: true, campaignTerm: candidate.term) })
    }

    @Test("P20: a leader that hears no quorum steps down within an election timeout and refuses")
    func leaderWithoutQuorum() {
        var leader = Script.leader()
        leader.makeDurable()
        leader.read(ReadID(1))
        var failed: [ReadID] = []
        var ticks = 0
        while leader.role == .leader, ticks < 100 {
            leader.tick()
            ticks += 1
            failed += leader.makeDurable().flatMap(\.readsFailed)
        }
        #expect(ticks <= RaftTiming().electionTicks.lowerBound + 1)
        #expect(leader.propose([1]) == .notLeader(leader: nil))
        #expect(failed == [ReadID(1)])
    }

    @Test("a server alone elects itself and commits after its own write")
    func singleVoter() {
        var core = Script.core(of: [Script.n1])
        while core.role == .follower { core.tick() }
        core.makeDurable()
        #expect(core.role == .leader)
        #expect(core.commitIndex == LogIndex(1))
        #expect(core.propose([1]) == .appended(index: LogIndex(2), term: core.term))
        #expect(core.commitIndex == LogIndex(1))
        core.makeDurable()
        #expect(core.commitIndex == LogIndex(2))
    }

    @Test("the same seed and inputs give the same outputs; another seed does not")
    func deterministic() {
        func outputs(_ seed: UInt64) -> [RaftOutput] {
            var core = RaftCore(id: Script.n1, voters: Script.three, seed: seed)
            return (0..<500).flatMap { _ in
                core.tick()
                return core.makeDurable() + [RaftOutput()]
            }
        }
        #expect(outputs(5) == outputs(5))
        #expect(outputs(5) != outputs(6))
    }
}
