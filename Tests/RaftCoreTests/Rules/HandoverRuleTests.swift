import RaftScenario
import Testing

@testable import RaftCore

@Suite struct HandoverRuleTests {
    /// A leader whose peers have all there is.
    private func settledLeader() -> RaftCore {
        var core = RaftCore.lone()
        core.win()
        for peer in [n2, n3] { core.hear(accepted(1), from: peer) }
        core.sync()
        return core
    }

    @Test("P25: the target is told once, when it has the whole log")
    func told() {
        var core = settledLeader()
        _ = core.propose([1])
        core.sync()
        #expect(core.transferLeadership(to: n3) == .started)
        #expect(core.sync().early(to: n3).isEmpty)
        core.hear(accepted(2), from: n2)
        #expect(!core.sync().early(to: n3).contains(.timeoutNow))
        core.hear(accepted(2), from: n3)
        core.hear(accepted(2), from: n3)
        #expect(core.sync().early(to: n3).filter { $0 == .timeoutNow }.count == 1)
    }

    @Test("P25: who is told stands for election at once, and voters that hear the leader vote all the same")
    func takesOver() {
        var core = RaftCore.lone()
        core.hear(append(after: .start), from: n2, term: 1)
        core.hear(.timeoutNow, from: n3)
        #expect(core.role == .follower)
        core.hear(.timeoutNow, from: n2)
        #expect(core.role == .candidate && core.term == Term(2))
        #expect(core.sync().late(to: n3) == [vote(.start, isTransfer: true)])

        var voter = RaftCore.lone()
        voter.hear(append(after: .start), from: n2, term: 1)
        voter.hear(vote(.start), from: n3, term: 2)
        #expect(voter.term == Term(1))
        voter.hear(vote(.start, isTransfer: true), from: n3, term: 2)
        #expect(voter.hardState == HardState(term: Term(2), vote: n3))
    }

    @Test(
        "P26: a leader that is removed under load is followed within one election timeout, and nothing committed is lost"
    )
    func removedUnderLoad() throws {
        for seed in 1...UInt64(20) {
            var world = World(servers: 4, seed: seed)
            try world.elect(n1)
            try world.settle()
            try world.propose(n1, [1])
            try world.change(n1, [.remove(n1)])
            for value in 2...UInt8(9) { try world.propose(n1, [value]) }
            try world.settle()
            var ticks = 0
            while world.leader == nil && ticks < 60 {
                try world.pass(ticks: 1)
                ticks += 1
            }
            #expect(ticks < 15 && world.leader != n1, "seed \(seed): \(ticks) ticks")
            #expect(world.checker.committed.count >= 11)
        }
    }

    @Test("P26: a leader without a vote does not count itself")
    func countsOthers() {
        var core = RaftCore.lone(voters: 4)
        core.win()
        for peer in [n2, n3, n4] { core.hear(accepted(1), from: peer) }
        core.sync()
        guard case .appended = core.change([.remove(n1)]) else { return #expect(Bool(false)) }
        core.sync()
        core.hear(accepted(2), from: n2)
        #expect(core.commitIndex == LogIndex(1))
        core.hear(accepted(2), from: n3)
        #expect(core.commitIndex == LogIndex(2) && core.role == .follower)
        #expect(core.takeOutput().messages.contains { $0.kind == .timeoutNow })
    }

    @Test("a server without a vote campaigns while the change that took it may not be committed: its log may be needed")
    func neededAllTheSame() throws {
        // Found by simulation: n2 alone knows that it was demoted; n1 needs its vote, but has the shorter log.
        var world = World(servers: 2)
        try world.elect(n2)
        try world.settle()
        for id in [n1, n2] { world.setLink(n2, id, cut: true) }
        try world.change(n2, [.demote(n2)])
        try world.settle()
        world.healNetwork()
        try world.crash(n2)
        world.start(n2)
        #expect(world.core(n2).configuration.voters == [n1])
        try world.pass(ticks: 120)
        #expect(world.leader == n1 && world.core(n1).configuration == Configuration(voters: [n1], learners: [n2]))
    }

    @Test("a read round ends when fewer servers have to confirm it")
    func readDuringRemoval() throws {
        // Found by simulation: the only other voter is removed while its confirmation is awaited.
        var core = RaftCore.lone(voters: 2)
        core.win()
        core.hear(accepted(1), from: n2)
        core.sync()
        core.read(ReadID(1))
        #expect(core.sync().readsReady.isEmpty)
        guard case .appended = core.change([.demote(n2)]) else { return #expect(Bool(false)) }
        #expect(core.sync().readsReady.map(\.id) == [ReadID(1)])
    }

    @Test("P27: a leader elected with a joint configuration leaves it as soon as it has committed in its term")
    func leavesJoint() {
        let joint = Configuration(voters: [n1, n2], outgoing: [n1, n3])
        var log = entries(terms: [1, 1])
        log[1] = Entry(term: Term(1), index: LogIndex(2), kind: .configuration, payload: joint.encoded())
        let disk = RestoredState(hardState: HardState(term: Term(1)), entries: log)
        var core = RaftCore(id: n1, voters: [n1, n3], restored: disk, seed: 1)
        while core.role == .follower { core.tick() }
        core.hear(.preVoteResponse(granted: true, campaignTerm: core.term), from: n2)
        #expect(core.role == .preCandidate)
        core.hear(.preVoteResponse(granted: true, campaignTerm: core.term), from: n3)
        core.sync()
        for peer in [n2, n3] { core.hear(.voteResponse(granted: true), from: peer) }
        core.sync()
        #expect(core.role == .leader)
        core.hear(accepted(3), from: n2)
        #expect(core.configuration.isJoint && core.commitIndex == .zero)
        core.hear(accepted(3), from: n3)
        #expect(core.commitIndex == LogIndex(3) && core.configuration == Configuration(voters: [n1, n2]))
        #expect(core.sync().entriesToAppend.map(\.kind) == [.configuration])
    }

    @Test(
        "P34: a server with a damaged log votes for whom it would have voted for in any case, and is silent otherwise"
    )
    func abstains() {
        let disk = RestoredState(
            hardState: HardState(term: Term(3)),
            entries: entries(terms: [1, 1]),
            lost: LogIndex(3)...LogIndex(5)
        )
        func server() -> RaftCore { RaftCore(id: n1, voters: [n1, n2, n3], restored: disk, seed: 1) }
        for last in [position(4, 3), position(9, 2)] {
            var core = server()
            core.hear(.preVoteRequest(last: last), from: n2, term: 3)
            core.hear(vote(last), from: n2, term: 4)
            let output = core.takeOutput()
            #expect(output.messages.isEmpty && output.messagesAfterPersist.isEmpty)
        }
        var core = server()
        core.hear(vote(position(5, 3)), from: n2, term: 4)
        #expect(core.takeOutput().late(to: n2) == [.voteResponse(granted: true)])
        for _ in 0..<200 { core.tick() }
        #expect(core.role == .follower)
    }

    @Test("P34: the quarantine ends when all that may have been lost is committed again, and durable")
    func ends() throws {
        let disk = RestoredState(
            hardState: HardState(term: Term(1)),
            entries: entries(terms: [1, 1]),
            lost: LogIndex(3)...LogIndex(4)
        )
        var core = RaftCore(id: n1, voters: [n1, n2, n3], restored: disk, seed: 1)
        core.hear(append(after: position(4, 1)), from: n2)
        #expect(core.sync().late(to: n2) + core.sync().early(to: n2) == [] || core.isQuarantined)
        core.hear(append(after: position(2, 1), terms: [1, 1], commit: 3), from: n2)
        core.sync()
        #expect(core.isQuarantined)
        core.hear(append(after: position(4, 1), terms: [1], commit: 4), from: n2)
        #expect(core.isQuarantined == false || core.persistedIndex < core.commitIndex)
        core.sync()
        #expect(!core.isQuarantined)
    }

    @Test("P36: a leader whose write takes a whole election timeout hands over, and does not campaign meanwhile")
    func stalledDisk() throws {
        var core = settledLeader()
        _ = core.propose([1])
        let stalled = core.takeOutput()
        for tick in 1...UInt64(30) {
            #expect(core.role == .leader && core.oldestWriteAge == tick - 1)
            for peer in [n2, n3] { core.hear(accepted(1), from: peer) }
            core.tick()
        }
        let output = core.takeOutput()
        #expect(core.role == .follower && output.events.contains(.diskStalled))
        #expect(output.messages.filter { $0.kind == .timeoutNow }.map(\.to) == [n2])
        for _ in 0..<200 { core.tick() }
        #expect(core.role == .follower)
        core.persisted(try #require(stalled.ticket))
        for _ in 0..<40 { core.tick() }
        #expect(core.role == .preCandidate)
    }
}
