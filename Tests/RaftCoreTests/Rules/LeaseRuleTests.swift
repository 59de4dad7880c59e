import Testing

@testable import RaftCore

@Suite struct LeaseRuleTests {
    private let timing = RaftTiming(leaseDriftPercent: 10)

    private func core(id: NodeID = n1, timing: RaftTiming? = nil) -> RaftCore {
        RaftCore(id: id, voters: [n1, n2, n3], timing: timing ?? self.timing, seed: 1)
    }

    /// A leader that has committed in its term and been confirmed in a round that began just now.
    private func leader() -> RaftCore {
        var core = core()
        core.win()
        core.hear(accepted(1), from: n2)
        core.sync()
        for _ in 0..<timing.heartbeatTicks { core.tick() }
        core.sync()
        core.hear(accepted(1, round: core.leaderReads.startedRound.rawValue), from: n2)
        return core
    }

    @Test("P24: leases are off unless they are asked for")
    func off() {
        var core = RaftCore.lone()
        core.win()
        core.hear(accepted(1), from: n2)
        for _ in 0..<5 { core.tick() }
        core.sync()
        core.hear(accepted(1, round: 1), from: n2)
        core.read(ReadID(1))
        #expect(core.takeOutput().readsReady.isEmpty && core.promiseUntil == 0)
    }

    @Test("P24: a lease counts from when the round was sent, and ends before any follower's promise can")
    func length() {
        var core = leader()
        let sent = core.clock
        core.read(ReadID(1))
        let ready = core.takeOutput().readsReady
        // 15 ticks are promised; 10 percent for the clocks and two ticks for rounding come off: 13 − 2.
        #expect(ready == [ReadyRead(id: ReadID(1), index: LogIndex(1), validUntil: sent + 11)])
        for _ in 0..<10 { core.tick() }
        core.sync()
        core.read(ReadID(2))
        #expect(core.takeOutput().readsReady.map(\.id) == [ReadID(2)])
        core.tick()
        core.read(ReadID(3))
        #expect(core.takeOutput().readsReady.isEmpty)
    }

    @Test("P24: an answer that comes late makes the lease no longer")
    func lateAnswer() {
        var core = core()
        core.win()
        core.hear(accepted(1), from: n2)
        for _ in 0..<timing.heartbeatTicks { core.tick() }
        core.sync()
        let (round, sent) = (core.leaderReads.startedRound.rawValue, core.clock)
        for _ in 0..<8 { core.tick() }
        core.hear(accepted(1, round: round), from: n2)
        #expect(core.leaseEnd == sent + 11)
    }

    @Test("P24: no lease before an entry of the own term is committed, none after handing over has begun")
    func conditions() {
        var early = core()
        early.win()
        for _ in 0..<timing.heartbeatTicks { early.tick() }
        early.sync()
        early.hear(accepted(0, round: 1), from: n2)
        early.read(ReadID(1))
        #expect(early.takeOutput().readsReady.isEmpty)

        var core = leader()
        #expect(core.leaseEnd != nil)
        #expect(core.transferLeadership(to: n2) == .started)
        #expect(core.leaseEnd == nil)
        for _ in 0..<timing.electionTicks.upperBound {
            core.tick()
            core.hear(accepted(1, round: core.leaderReads.startedRound.rawValue), from: n3)
        }
        // The transfer has come to nothing; but the target may still have the word of its leader.
        #expect(core.role == .leader && core.transfer == nil && core.leaseEnd == nil)
    }

    @Test("P24: who grants leases elects nobody else in time, not after a closed connection and not after a restart")
    func promises() {
        var core = core()
        for _ in 0..<15 { core.tick() }
        core.hear(append(after: .start), from: n2, term: 1)
        core.peerDisconnected(n2)
        core.hear(vote(.start), from: n3, term: 2)
        #expect(core.term == Term(1))
        for _ in 0..<14 { core.tick() }
        #expect(core.role == .follower)
        core.hear(vote(.start), from: n3, term: 2)
        #expect(core.term == Term(1))
        core.tick()
        core.hear(vote(.start), from: n3, term: 2)
        #expect(core.term == Term(2) && core.hardState.vote == n3)

        var restarted = self.core()
        restarted.hear(vote(.start), from: n3, term: 2)
        #expect(restarted.term == .zero)
        // A leader that hands over has given its lease up: then it is no reason to refuse.
        restarted.hear(vote(.start, isTransfer: true), from: n3, term: 2)
        #expect(restarted.hardState.vote == n3)
    }

    @Test("P24: a promise outlives its term: who learns of the next one votes for nobody in it either")
    func promiseAcrossTerms() {
        for news in [RaftMessage.Kind.preVoteResponse(granted: false, campaignTerm: Term(1)), .termPassed] {
            var core = core()
            for _ in 0..<15 { core.tick() }
            core.hear(append(after: .start), from: n2, term: 1)
            core.hear(news, from: n3, term: 2)
            #expect(core.term == Term(2) && core.leader == nil)
            _ = core.takeOutput()
            core.timePassed(ticks: 14)
            core.hear(vote(.start), from: n3, term: 2)
            #expect(core.hardState.vote == nil)
            #expect(core.takeOutput().messages.map(\.kind) == [.voteResponse(granted: false)])
            core.timePassed(ticks: 1)
            core.hear(vote(.start), from: n3, term: 2)
            #expect(core.hardState.vote == n3)
        }
        // A leader that hands over has given its lease up, here too.
        var core = core()
        core.hear(append(after: .start), from: n2, term: 1)
        core.hear(.termPassed, from: n3, term: 2)
        core.hear(vote(.start, isTransfer: true), from: n3, term: 2)
        #expect(core.hardState.vote == n3)
    }

    @Test("P24: with clocks that drift within the bound, no leader has a lease when another one can be elected")
    func drift() {
        // The leader's clock is slow by the bound: 9 of its ticks are 10 of the follower's.
        for phase in 0..<UInt64(10) {
            var leader = core()
            leader.win()
            leader.hear(accepted(1), from: n2)
            leader.sync()
            var follower = core(id: n2)
            var (leaderTicks, followerTicks): (UInt64, UInt64) = (0, 0)
            var answered = false
            for moment in phase..<phase + 400 {
                if moment % 10 == 0 {
                    leader.tick()
                    leaderTicks += 1
                }
                if moment % 9 == 0 {
                    follower.timePassed(ticks: 1)
                    followerTicks += 1
                }
                guard !answered, leaderTicks == UInt64(timing.heartbeatTicks) else {
                    if answered && !follower.hearsLeader { #expect(leader.leaseEnd == nil, "phase \(phase)") }
                    continue
                }
                for message in leader.sync().messages where message.to == n2 { follower.step(message) }
                for message in follower.sync().messagesAfterPersist { leader.step(message) }
                leader.hear(accepted(1, round: leader.leaderReads.startedRound.rawValue), from: n2)
                answered = true
            }
            #expect(answered)
        }
    }
}
