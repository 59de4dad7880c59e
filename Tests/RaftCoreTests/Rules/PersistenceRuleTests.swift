import PlantedBugs
import RaftScenario
import Testing

@testable import RaftCore

@Suite struct PersistenceRuleTests {
    @Test("P8: a vote is written, and sent only after that")
    func voteWaits() {
        var core = RaftCore.lone()
        core.hear(vote(.start), from: n2, term: 1)
        let output = core.takeOutput()
        #expect(output.hardState == HardState(term: Term(1), vote: n2))
        #expect(output.messages.isEmpty && output.late(to: n2) == [.voteResponse(granted: true)])
    }

    @Test("P8: entries are acknowledged after they are written, entries written before at once")
    func acknowledgementWaits() {
        var core = RaftCore.lone(term: 1)
        core.hear(append(after: .start, terms: [1, 1]), from: n2)
        let output = core.sync()
        #expect(output.entriesToAppend.count == 2 && output.messages.isEmpty)
        #expect(output.late(to: n2) == [accepted(2)])
        core.hear(append(after: position(2, 1)), from: n2)
        #expect(core.takeOutput().early(to: n2) == [accepted(2)])
    }

    @Test("P8: while the disk works, a heartbeat is answered with what is durable, a read round is confirmed")
    func answersDuringWrite() {
        var core = RaftCore.lone(term: 1, log: [1])
        core.hear(append(after: position(1, 1), terms: [1, 1]), from: n2)
        _ = core.takeOutput()
        core.hear(append(after: position(3, 1), round: 4), from: n2)
        let output = core.takeOutput()
        #expect(output.early(to: n2) == [accepted(1, round: 4)])
        #expect(output.late(to: n2) == [accepted(3, round: 4)])
    }

    @Test("P8: nothing is acknowledged early in a term that is not yet durable")
    func termFirst() {
        var core = RaftCore.lone(term: 1, log: [1])
        core.hear(append(after: position(1, 1), round: 1), from: n2, term: 2)
        let output = core.sync()
        #expect(output.hardState == HardState(term: Term(2)))
        #expect(output.messages.isEmpty && output.late(to: n2) == [accepted(1, round: 1)])
        core.hear(append(after: position(1, 1), round: 2), from: n2)
        #expect(core.takeOutput().early(to: n2) == [accepted(1, round: 2)])
    }

    @Test("P8: a candidate's own vote counts when it is durable, and it asks for votes only then")
    func ownVoteWaits() throws {
        var core = RaftCore.lone()
        while core.role == .follower { core.tick() }
        core.hear(.preVoteResponse(granted: true, campaignTerm: .zero), from: n2)
        let output = core.takeOutput()
        #expect(output.hardState == HardState(term: Term(1), vote: n1))
        #expect(output.late(to: n2) == [vote(.start)])
        #expect(output.late(to: n3) == [vote(.start)])
        core.hear(.voteResponse(granted: true), from: n2)
        #expect(core.role == .candidate)
        core.persisted(try #require(output.ticket))
        #expect(core.role == .leader)
    }

    @Test("P8: a leader counts itself for a commit only up to what it has on disk, but sends before that")
    func leaderWaitsForItself() throws {
        var core = RaftCore.lone()
        core.win()
        core.hear(accepted(1), from: n2)
        #expect(core.commitIndex == LogIndex(1))
        core.sync()
        _ = core.propose([1])
        let output = core.takeOutput()
        #expect(output.early(to: n2).count == 1 && output.messagesAfterPersist.isEmpty)
        core.hear(accepted(2), from: n2)
        #expect(core.commitIndex == LogIndex(1))
        core.persisted(try #require(output.ticket))
        #expect(core.commitIndex == LogIndex(2))
    }

    @Test("P8: entries that a quorum of others has on disk are committed before the leader's own write is done")
    func quorumWithoutLeader() {
        var core = RaftCore.lone()
        core.win()
        _ = core.propose([1])
        _ = core.takeOutput()
        for peer in [n2, n3] { core.hear(accepted(2), from: peer) }
        #expect(core.commitIndex == LogIndex(2) && core.persistedIndex == LogIndex(1))
        #expect(core.takeOutput().committed.map(\.index) == [LogIndex(1), LogIndex(2)])
    }

    @Test("P8: through any crashes, a server votes for one candidate in a term", arguments: 1...UInt64(50))
    func votesOnce(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var disk = RestoredState()
        var core = RaftCore.lone(voters: 5, seed: seed)
        var unsynced: [RaftOutput] = []
        var votes: [Term: NodeID] = [:]
        for step in 0..<400 {
            let candidate = NodeID(2 + random.next() % 4)
            switch random.next() % 4 {
            case 0, 1:
                core.hear(vote(.start), from: candidate, term: UInt64(step / 20))
                unsynced.append(core.takeOutput())
            case 2 where !unsynced.isEmpty:
                let output = unsynced.removeFirst()
                disk.write(output)
                if let ticket = output.ticket { core.persisted(ticket) }
                for message in output.messagesAfterPersist where message.kind == .voteResponse(granted: true) {
                    let earlier = votes.updateValue(message.to, forKey: message.term)
                    #expect(earlier == nil || earlier == message.to, "seed \(seed)")
                }
            case 3 where random.next() % 4 == 0:
                unsynced = []
                core = RaftCore(id: n1, voters: core.voters, restored: disk, seed: seed + UInt64(step))
            default: break
            }
        }
        #expect(votes.count > 5)
    }

    /// n1 and n2 have committed an entry that n3 has not yet written; n1 dies. n3 stands for election, crashes before its
    /// disk is done, and stands again in the same term, with the shorter log and late answers to the first attempt.
    private func standTwice(_ bug: PlantedBug?) throws {
        var world = World(servers: 3, meddling: bug?.meddling ?? Meddling())
        try world.elect(n1)
        try world.propose(n1, [1])
        try world.sync(n1)
        try world.deliverAll()
        try world.sync(n2)
        try world.deliverAll()
        #expect(world.checker.committed.count == 2 && world.core(n3).lastIndex == LogIndex(2))
        try world.crash(n1, noticed: true)
        world.network = []

        try world.tick(n3, 6)
        #expect(world.core(n3).role == .preCandidate)
        try world.deliverAll()
        let preVote = world.network
        try world.deliverAll()
        #expect(world.core(n3).role == .candidate)
        try world.deliverAll()
        try world.sync(n2)
        let vote = world.network
        try world.crash(n3)
        world.network = []

        world.start(n3)
        try world.tick(n3, 30)
        for message in preVote { try world.deliver(message) }
        try world.sync(n3)
        for message in vote { try world.deliver(message) }
        #expect(world.core(n3).role != .leader)
    }

    @Test("P8: an answer to a request made before a crash does not elect the shorter log after it")
    func requestsWait() throws {
        try standTwice(nil)
        #expect(throws: Violation.self) { try standTwice(.asksForVotesBeforeDisk) }
    }

    @Test("P9: what a new leader's entries bring is written with its term, never before it")
    func termWithEntries() {
        var core = RaftCore.lone(term: 1, log: [1])
        core.hear(append(after: position(1, 1), terms: [4]), from: n2, term: 4)
        let output = core.takeOutput()
        #expect(output.hardState == HardState(term: Term(4)) && output.entriesToAppend.map(\.term) == [Term(4)])
        // A crash between the two, in the order stated: the term without the entries is a legal state.
        var disk = RestoredState(hardState: HardState(term: Term(1)), entries: entries(terms: [1]))
        var termOnly = output
        termOnly.entriesToAppend = []
        disk.write(termOnly)
        let restarted = RaftCore(id: n1, voters: [n1, n2, n3], restored: disk, seed: 2)
        #expect(restarted.term == Term(4) && restarted.lastIndex == LogIndex(1))
    }

    @Test("P9: a disk with entries of a term that it does not know is refused")
    func entriesWithoutTerm() async {
        await #expect(processExitsWith: .failure) {
            _ = RaftCore.lone(term: 1, log: [1, 2])
        }
    }

    @Test("P10: a late completion does not vouch for entries that were overwritten and written back")
    func overwrittenAndBack() throws {
        var core = RaftCore.lone(term: 1, log: [1])
        core.hear(append(after: position(1, 1), terms: [1, 1]), from: n2)
        let first = core.takeOutput()
        core.hear(append(after: position(1, 1), terms: [2]), from: n3, term: 2)
        let second = core.takeOutput()
        core.hear(append(after: position(1, 1), terms: [1, 1, 3]), from: n2, term: 3)
        let third = core.takeOutput()
        #expect(first.entriesToAppend == Array(third.entriesToAppend.prefix(2)))

        core.persisted(try #require(first.ticket))
        #expect(core.persistedIndex == LogIndex(1))
        core.persisted(try #require(second.ticket))
        #expect(core.persistedIndex == LogIndex(1))
        core.persisted(try #require(third.ticket))
        #expect(core.persistedIndex == LogIndex(4))
    }

    @Test("P10: within one term too, a completion does not vouch for what replaced its entries")
    func replacedWithinTerm() throws {
        var core = RaftCore.lone(term: 1, log: [1])
        core.hear(append(after: position(1, 1), terms: [1, 1, 1]), from: n2)
        core.hear(append(after: position(1, 1)), from: n3, term: 5)
        let old = core.takeOutput()
        core.hear(append(after: position(1, 1), terms: [5, 5, 5, 5]), from: n3)
        let new = core.takeOutput()
        core.persisted(try #require(old.ticket))
        #expect(core.persistedIndex == LogIndex(1))
        core.persisted(try #require(new.ticket))
        #expect(core.persistedIndex == LogIndex(5))
    }

    @Test("P10: a term change between write and completion delays nothing for ever")
    func newTermStillCompletes() throws {
        var core = RaftCore.lone(term: 1, log: [1])
        core.hear(append(after: position(1, 1), terms: [1, 1]), from: n2)
        let write = core.takeOutput()
        core.hear(append(after: position(3, 1)), from: n3, term: 2)
        let term = core.takeOutput()
        core.persisted(try #require(write.ticket))
        #expect(core.persistedIndex == LogIndex(1))
        core.persisted(try #require(term.ticket))
        #expect(core.persistedIndex == LogIndex(3))
    }

    @Test("a cut log is written from the cut on")
    func cutIsWritten() {
        var core = RaftCore.lone(term: 1, log: [1, 1, 1])
        core.hear(append(after: position(1, 1), terms: [2]), from: n2, term: 2)
        #expect(core.persistedIndex == LogIndex(1) && core.lastIndex == LogIndex(2))
        let output = core.sync()
        #expect(output.entriesToAppend.map(\.index) == [LogIndex(2)] && core.persistedIndex == LogIndex(2))
    }
}
