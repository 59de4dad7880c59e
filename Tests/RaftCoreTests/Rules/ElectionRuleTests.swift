import RaftScenario
import Testing

@testable import RaftCore

@Suite struct ElectionRuleTests {
    @Test("a lone voter elects itself, commits on its own disk's word, and reads")
    func loneVoter() throws {
        var core = RaftCore.lone(voters: 1)
        while core.role == .follower { core.tick() }
        #expect(core.role == .candidate && core.term == Term(1))
        core.sync()
        #expect(core.role == .leader)
        #expect(core.propose([7]) == .appended(index: LogIndex(2), term: Term(1)))
        core.read(ReadID(1))
        let writes = core.takeOutput()
        #expect(writes.entriesToAppend.map(\.kind) == [.noop, .command] && writes.committed.isEmpty)
        #expect(writes.readsReady.isEmpty)
        core.persisted(try #require(writes.ticket))
        let output = core.takeOutput()
        #expect(output.committed.map(\.index) == [LogIndex(1), LogIndex(2)])
        #expect(output.readsReady == [ReadyRead(id: ReadID(1), index: LogIndex(2))])
    }

    @Test("who alone votes stands for election at once after a start, and leads when its term and vote are durable")
    func loneVoterAtOnce() throws {
        var core = RaftCore.lone(voters: 1, term: 3, vote: n1, log: [1, 3])
        #expect(core.ticksUntilTimeout == 1)
        core.tick()
        #expect(core.role == .candidate && core.term == Term(4))
        let output = core.takeOutput()
        #expect(output.hardState == HardState(term: Term(4), vote: n1) && output.entriesToAppend.isEmpty)
        for _ in 0..<3 { core.tick() }
        #expect(core.role == .candidate)
        core.persisted(try #require(output.ticket))
        #expect(core.role == .leader && core.term == Term(4) && core.commitIndex == .zero)
    }

    @Test(
        "a lone voter waits its time if others may still vote, if its log is damaged, and while it may have promised a lease"
    )
    func loneVoterWaits() {
        func start(_ configuration: Configuration, leases: Int? = nil, lost: Bool = false) -> RaftCore {
            let alone = Configuration(voters: [n1]).encoded()
            let entry = Entry(term: Term(1), index: LogIndex(1), kind: .configuration, payload: alone)
            var restored = RestoredState(hardState: HardState(term: Term(1)), entries: [entry])
            if lost { restored.lost = LogIndex(2)...LogIndex(2) }
            return RaftCore(
                id: n1,
                configuration: configuration,
                timing: RaftTiming(leaseDriftPercent: leases),
                restored: restored,
                seed: 1
            )
        }
        var core = start(Configuration(voters: [n1], learners: [n2]))
        core.tick()
        #expect(core.role == .candidate)
        // The entry that leaves it alone may not be committed: the other one may lead.
        for before in [[n1, n2], [n2]] {
            core = start(Configuration(voters: before))
            for _ in 0..<14 { core.tick() }
            #expect(core.role == .follower)
        }
        core = start(Configuration(voters: [n1]), leases: 10)
        for _ in 0..<14 { core.tick() }
        #expect(core.role == .follower)
        core.tick()
        #expect(core.role == .candidate)
        core = start(Configuration(voters: [n1]), lost: true)
        for _ in 0..<100 { core.tick() }
        #expect(core.role == .follower && core.term == Term(1))
    }

    @Test("a new leader appends a no-op of its own term and announces itself with it")
    func noop() {
        var core = RaftCore.lone(log: [])
        while core.role == .follower { core.tick() }
        core.hear(.preVoteResponse(granted: true, campaignTerm: .zero), from: n2)
        core.sync()
        core.hear(.voteResponse(granted: true), from: n2)
        let output = core.takeOutput()
        let noop = Entry(term: Term(1), index: LogIndex(1), kind: .noop)
        #expect(output.entriesToAppend == [noop])
        for peer in [n2, n3] {
            let first = AppendEntries(
                previous: .start,
                entries: [noop],
                leaderCommit: .zero,
                readRound: .zero,
                session: .zero
            )
            #expect(output.early(to: peer) == [.appendEntries(first)])
        }
        #expect(output.events.contains(.roleChanged(.leader, term: Term(1))))
        #expect(output.events.contains(.leaderChanged(n1, term: Term(1))))
    }

    @Test(
        "messages to others and from oneself are ignored; a stranger may lead, since one's own log may be the old one"
    )
    func strangers() {
        var core = RaftCore.lone()
        core.step(RaftMessage(from: n2, to: n3, term: Term(5), kind: append(after: .start)))
        core.step(RaftMessage(from: n1, to: n1, term: Term(5), kind: append(after: .start)))
        #expect(core.term == .zero && !core.hasOutput)
        core.step(RaftMessage(from: NodeID(9), to: n1, term: Term(5), kind: append(after: .start)))
        #expect(core.term == Term(5) && core.leader == NodeID(9))
    }

    @Test("a repeated answer is one vote", arguments: [4, 5])
    func repeatedVotes(voters: Int) {
        var core = RaftCore.lone(voters: voters)
        while core.role == .follower { core.tick() }
        for _ in 0..<3 { core.hear(.preVoteResponse(granted: true, campaignTerm: .zero), from: n2) }
        #expect(core.role == .preCandidate)
        core.hear(.preVoteResponse(granted: true, campaignTerm: .zero), from: n3)
        #expect(core.role == .candidate)
        core.sync()
        for _ in 0..<3 { core.hear(.voteResponse(granted: true), from: n2) }
        #expect(core.role == .candidate)
        core.hear(.voteResponse(granted: true), from: n3)
        #expect(core.role == .leader)
    }

    @Test("a vote goes to nobody whose log is behind, by term first and then by length")
    func upToDate() {
        for (last, granted) in [
            (position(9, 1), false), (position(2, 2), false), (position(3, 2), true), (position(1, 3), true),
        ] {
            var core = RaftCore.lone(term: 3, log: [1, 2, 2])
            core.hear(vote(last), from: n2, term: 4)
            let output = core.takeOutput()
            #expect(output.late(to: n2) == (granted ? [.voteResponse(granted: true)] : []))
            #expect(output.early(to: n2) == (granted ? [] : [.voteResponse(granted: false)]))
        }
    }

    @Test("P16: a server that hears nobody but is heard neither raises the term nor deposes the leader")
    func oneWayIsolation() throws {
        var world = World(servers: 3)
        try world.elect(n1)
        let term = world.core(n1).term
        for other in [n1, n2] { world.setLink(other, n3, cut: true) }
        try world.act(n3) { $0.peerDisconnected(n1) }
        try world.pass(ticks: 300)
        #expect(world.leader == n1 && world.core(n1).term == term && world.core(n3).term == term)
        world.healNetwork()
        try world.pass(ticks: 10)
        #expect(world.leader == n1 && world.core(n3).leader == n1)
    }

    @Test("P16: a pre-vote changes nothing at its receiver")
    func preVoteIsQuestionOnly() {
        var core = RaftCore.lone(term: 3, log: [1, 2])
        core.hear(.preVoteRequest(last: position(9, 9)), from: n2, term: 9)
        let output = core.takeOutput()
        #expect(output.early(to: n2) == [.preVoteResponse(granted: true, campaignTerm: Term(9))])
        #expect(output.hardState == nil && core.term == Term(3) && core.role == .follower)
    }

    @Test("P16: while a leader is heard, votes and pre-votes are refused, unless its connection closed")
    func stickiness() {
        var core = RaftCore.lone()
        core.hear(append(after: .start), from: n2, term: 1)
        core.hear(.preVoteRequest(last: .start), from: n3)
        core.hear(vote(.start), from: n3, term: 2)
        #expect(core.term == Term(1) && core.leader == n2)
        #expect(core.takeOutput().early(to: n3) == [.preVoteResponse(granted: false, campaignTerm: Term(1))])

        core.peerDisconnected(n2)
        core.hear(.preVoteRequest(last: .start), from: n3)
        #expect(core.takeOutput().early(to: n3) == [.preVoteResponse(granted: true, campaignTerm: Term(1))])
        // Heard again: believed again.
        core.hear(append(after: .start), from: n2)
        core.hear(vote(.start), from: n3, term: 2)
        #expect(core.term == Term(1))
        // Silent for the minimal election timeout: no longer.
        for _ in 0..<15 { core.tick() }
        core.hear(vote(.start), from: n3, term: 2)
        #expect(core.term == Term(2) && core.hardState.vote == n3)
    }

    @Test("P17: whoever comes with an old term is told the new one")
    func staleSenders() {
        var core = RaftCore.lone(term: 5)
        core.hear(.preVoteRequest(last: position(9, 9)), from: n2, term: 4)
        core.hear(vote(position(9, 9)), from: n2, term: 4)
        core.hear(append(after: .start, round: 3), from: n2, term: 4)
        core.hear(.readIndexRequest(ReadTicket(8)), from: n2, term: 4)
        let output = core.takeOutput()
        #expect(
            output.early(to: n2) == [
                .preVoteResponse(granted: false, campaignTerm: Term(4)), .voteResponse(granted: false), .termPassed,
                .readIndexResponse(ReadTicket(8), index: nil),
            ]
        )
        #expect(output.messages.allSatisfy { $0.term == Term(5) })
    }

    @Test("P17: a server stranded at a higher term with a shorter log rejoins")
    func stranded() throws {
        var disks = Array(repeating: RestoredState(), count: 3)
        disks[2].hardState.term = Term(9)
        for place in 0...1 {
            disks[place] = RestoredState(hardState: HardState(term: Term(2)), entries: entries(terms: [1, 2]))
        }
        var world = World(servers: 3, disks: disks)
        world.isolate(n3)
        try world.elect(n1)
        world.healNetwork()
        try world.pass(ticks: 120)
        let leader = try #require(world.leader)
        #expect(leader != n3 && world.core(leader).term > Term(9))
        #expect(world.core(n3).leader == leader && world.core(n3).commitIndex == world.core(leader).commitIndex)
    }

    @Test("P18: a candidate with the shorter log does not keep the longer one from winning")
    func betterLogWins() throws {
        for seed in 1...UInt64(30) {
            var disks = Array(repeating: RestoredState(), count: 3)
            disks[0] = RestoredState(hardState: HardState(term: Term(1)), entries: entries(terms: [1, 1]))
            disks[1] = RestoredState(hardState: HardState(term: Term(7)), entries: entries(terms: [1]))
            var world = World(servers: 3, seed: seed, disks: disks)
            try world.crash(n3)
            try world.pass(ticks: 120)
            #expect(world.leader == n1, "seed \(seed)")
        }
    }

    @Test("P18: a candidate yields to a pre-vote with the better log")
    func yields() {
        var core = RaftCore.lone(term: 2, log: [1])
        while core.role == .follower { core.tick() }
        core.hear(.preVoteResponse(granted: true, campaignTerm: Term(2)), from: n3)
        #expect(core.role == .candidate && core.term == Term(3))
        core.hear(.preVoteRequest(last: position(2, 1)), from: n2, term: 2)
        #expect(core.role == .candidate)
        core.hear(.preVoteRequest(last: position(2, 1)), from: n2, term: 3)
        #expect(core.role == .follower && core.term == Term(3))
    }

    @Test("P20: a leader without a quorum steps down within one election timeout and refuses writes and reads")
    func checkQuorum() throws {
        var world = World(servers: 5)
        try world.elect(n1)
        for other in [n3, n4, n5] { world.isolate(other) }
        for _ in 0..<14 {
            try world.tick(n1)
            try world.settle()
        }
        #expect(world.core(n1).role == .leader)
        let read = try world.read(n1)
        try world.tick(n1)
        #expect(world.core(n1).role == .follower && !world.checker.waits(read))
        #expect(try world.propose(n1) == .notLeader(leader: nil))
        let refused = try world.read(n1)
        #expect(!world.checker.waits(refused) && world.checker.readsAnswered == 0)
    }

    @Test("a leader that a quorum answers stays, however many others are gone")
    func quorumIsEnough() throws {
        var world = World(servers: 5)
        try world.elect(n1)
        try world.crash(n4)
        try world.crash(n5)
        try world.pass(ticks: 200)
        #expect(world.leader == n1 && world.core(n1).term == Term(1))
    }

    @Test("a leader whose connections close is replaced after a few ticks")
    func fastFailover() throws {
        var took: [Int] = []
        for seed in 1...UInt64(100) {
            var world = World(servers: 3, seed: seed)
            try world.elect(n1)
            try world.pass(ticks: 4)
            try world.crash(n1, noticed: true)
            var ticks = 0
            while world.leader == nil && ticks < 200 {
                try world.pass(ticks: 1)
                ticks += 1
            }
            took.append(ticks)
        }
        took.sort()
        // Two rivals in the same tick need a second round.
        #expect(took[50] <= 5, "median \(took[50])")
        #expect(took[99] <= 60, "worst \(took[99])")
    }

    @Test("a closed connection to a leader that the others hear disturbs nobody")
    func oneLostConnection() throws {
        var world = World(servers: 3)
        try world.elect(n1)
        world.setLink(n1, n3, cut: true)
        world.setLink(n3, n1, cut: true)
        try world.act(n3) { $0.peerDisconnected(n1) }
        try world.act(n1) { $0.peerDisconnected(n3) }
        try world.pass(ticks: 200)
        #expect(world.leader == n1 && world.core(n1).term == Term(1) && world.core(n3).role != .candidate)
    }

    @Test("election timeouts are spread over their range, each seed its own")
    func randomised() {
        var timeouts: Set<Int> = []
        for seed in 1...UInt64(200) {
            var core = RaftCore.lone(seed: seed)
            var ticks = 0
            while core.role == .follower {
                core.tick()
                ticks += 1
            }
            timeouts.insert(ticks)
        }
        #expect(timeouts == Set(15..<30))
    }
}
