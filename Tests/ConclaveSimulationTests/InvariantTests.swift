import ConclaveSimulation
import RaftCore
import Testing

/// A core made up by hand: it may be in a state in which no real one is.
private struct MadeUpCore: ObservedCore {
    var id: NodeID
    var role = RaftRole.follower
    var hardState = HardState(term: Term(1))
    var commitIndex = LogIndex.zero
    var persistedIndex = LogIndex.zero
    var logStart = LogPosition.start
    var snapshot: SnapshotMetadata?
    var configuration = Configuration(voters: [NodeID(1), NodeID(2), NodeID(3)])
    var configurationIndex = LogIndex.zero
    var isQuarantined = false
    /// Of the entries behind `logStart`.
    var terms: [UInt64] = []

    init(_ id: UInt64, term: UInt64 = 1, log terms: [UInt64] = [], commit: UInt64 = 0, role: RaftRole = .follower) {
        self.id = NodeID(id)
        self.role = role
        self.terms = terms
        hardState.term = Term(term)
        commitIndex = LogIndex(commit)
    }

    var lastIndex: LogIndex { logStart.index + terms.count }

    func term(at index: LogIndex) -> Term? {
        let place = index - logStart.index
        if place == 0 { return logStart.term }
        return place > 0 && place <= terms.count ? Term(terms[place - 1]) : nil
    }
}

private let one = NodeID(1)
private let two = NodeID(2)

private func entries(_ terms: [UInt64], from index: UInt64 = 1, payload: UInt8 = 0) -> [Entry] {
    terms.enumerated().map { place, term in
        Entry(term: Term(term), index: LogIndex(index + UInt64(place)), kind: .command, payload: [payload])
    }
}

private func snapshot(at index: UInt64, term: UInt64 = 1, voters: [UInt64] = [1, 2, 3]) -> SnapshotMetadata {
    SnapshotMetadata(
        last: LogPosition(index: LogIndex(index), term: Term(term)),
        configuration: Configuration(voters: voters.map { NodeID($0) })
    )
}

/// Each checker that looks at a cluster after every step says nothing of what is right, and complains of what is wrong.
@Suite struct InvariantTests {
    @Test("election safety: two leaders of one term are a violation, of two terms are not")
    func electionSafety() {
        var checker = ElectionSafetyChecker()
        #expect(checker.elected(one, in: Term(1)) == nil && checker.elected(two, in: Term(2)) == nil)
        #expect(checker.elected(one, in: Term(1)) == nil)
        #expect(checker.elected(one, in: Term(2))?.hasPrefix("election safety: ") == true)
    }

    @Test("log matching: one index and term with two payloads, or behind two terms, is a violation")
    func logMatching() {
        var checker = LogMatchingChecker()
        let entry = entries([2], from: 5)[0]
        #expect(checker.written(entry, behind: Term(1), by: one) == nil)
        #expect(checker.written(entry, behind: Term(1), by: two) == nil)
        #expect(checker.written(entries([3], from: 5)[0], behind: Term(1), by: two) == nil)
        #expect(checker.written(entry, behind: Term(2), by: two)?.hasPrefix("log matching: ") == true)
        let other = entries([2], from: 5, payload: 9)[0]
        #expect(checker.written(other, behind: Term(1), by: two)?.hasPrefix("log matching: ") == true)
    }

    @Test(
        "committed entries: another term at a committed index, and a snapshot of what nobody committed, are violations"
    )
    func committedEntries() {
        var checker = CommittedEntriesChecker()
        #expect(checker.look(at: MadeUpCore(1, log: [1, 1], commit: 2)) == nil)
        #expect(checker.look(at: MadeUpCore(2, log: [1, 1, 2], commit: 2)) == nil)
        #expect(checker.count == 2)
        #expect(checker.look(at: MadeUpCore(3, log: [1, 3], commit: 2))?.hasPrefix("committed entries: ") == true)
        #expect(checker.look(at: MadeUpCore(2, log: [1, 1], commit: 3))?.hasPrefix("committed entries: ") == true)
        var restored = MadeUpCore(1, commit: 7)
        restored.logStart = LogPosition(index: LogIndex(7), term: Term(1))
        checker.restarted(one)
        #expect(checker.look(at: restored)?.hasPrefix("committed entries: ") == true)
    }

    @Test("leader completeness: a leader without a committed entry is a violation")
    func leaderCompleteness() {
        var checker = CommittedEntriesChecker()
        #expect(checker.look(at: MadeUpCore(1, log: [1, 1], commit: 2)) == nil)
        #expect(checker.elected(MadeUpCore(2, term: 2, log: [1, 1, 2], role: .leader)) == nil)
        #expect(
            checker.elected(MadeUpCore(2, term: 2, log: [1], role: .leader))?.hasPrefix("leader completeness") == true
        )
        let other = MadeUpCore(2, term: 3, log: [1, 2], role: .leader)
        #expect(checker.elected(other)?.hasPrefix("leader completeness") == true)
        // A candidate of term 2 that counts its last vote late: the leader of term 4 need not have asked it (seed 477).
        #expect(checker.look(at: MadeUpCore(1, term: 4, log: [1, 1, 4], commit: 3, role: .leader)) == nil)
        #expect(checker.elected(MadeUpCore(2, term: 2, log: [1, 1, 2], role: .leader)) == nil)
        #expect(checker.elected(MadeUpCore(2, term: 5, log: [1, 1, 5], role: .leader)) != nil)
    }

    @Test("P1: a leader that commits an entry of an earlier term by counting is a violation; a follower may hear of it")
    func leaderCommits() {
        var checker = LeaderCommitChecker()
        #expect(checker.look(at: MadeUpCore(1, term: 3, log: [1, 3], role: .leader)) == nil)
        #expect(checker.look(at: MadeUpCore(1, term: 3, log: [1, 3], commit: 2, role: .leader)) == nil)
        #expect(checker.look(at: MadeUpCore(2, term: 3, log: [1, 3])) == nil)
        #expect(checker.look(at: MadeUpCore(2, term: 3, log: [1, 3], commit: 1)) == nil)
        #expect(checker.look(at: MadeUpCore(2, term: 4, log: [1, 3, 4], commit: 1, role: .leader)) == nil)
        let wrong = MadeUpCore(2, term: 4, log: [1, 3, 4], commit: 2, role: .leader)
        #expect(checker.look(at: wrong)?.hasPrefix("leader commits own term: ") == true)
    }

    @Test("a leader that drops an entry of its own log is a violation; one that was deposed may")
    func leaderAppendsOnly() {
        var checker = LeaderCommitChecker()
        #expect(checker.look(at: MadeUpCore(1, term: 2, log: [1, 2], role: .leader)) == nil)
        #expect(checker.look(at: MadeUpCore(1, term: 3, log: [1])) == nil)
        #expect(checker.look(at: MadeUpCore(1, term: 4, log: [1, 4], role: .leader)) == nil)
        let wrong = MadeUpCore(1, term: 4, log: [1], role: .leader)
        #expect(checker.look(at: wrong)?.hasPrefix("leader append-only: ") == true)
    }

    @Test("P5, P8: what a leader commits must be on the disks of a quorum, not only under way to them")
    func committedOnQuorum() {
        var checker = DurabilityChecker()
        for id in [one, two, NodeID(3)] { checker.restored(RestoredState(), by: id) }
        for id in [one, two] { checker.writes(snapshot: nil, entries([1, 1]), by: id) { _, _ in } }
        checker.hasWritten(one)
        let leader = MadeUpCore(1, log: [1, 1], commit: 2, role: .leader)
        var hasty = checker
        #expect(hasty.look(at: leader)?.hasPrefix("committed on a quorum: ") == true)
        checker.hasWritten(two)
        #expect(checker.look(at: leader) == nil)
        // One that wrote them and has dropped them since does not count.
        checker.writes(snapshot: nil, entries([1], from: 3), by: one) { _, _ in }
        checker.writes(snapshot: nil, entries([1], from: 3), by: two) { _, _ in }
        checker.hasWritten(one)
        checker.hasWritten(two)
        #expect(checker.look(at: MadeUpCore(2, log: [1, 1], commit: 2)) == nil)
        let next = MadeUpCore(1, log: [1, 1, 1], commit: 3, role: .leader)
        #expect(checker.look(at: next)?.hasPrefix("committed on a quorum: ") == true)
    }

    @Test("P10: an entry that counts as persisted and is not on the disk, or another one is, is a violation")
    func persistedIndex() {
        var checker = DurabilityChecker()
        checker.restored(RestoredState(hardState: HardState(term: Term(1)), entries: entries([1, 1])), by: one)
        var core = MadeUpCore(1, term: 2, log: [1, 2])
        core.persistedIndex = LogIndex(1)
        #expect(checker.look(at: core) == nil)
        core.persistedIndex = LogIndex(2)
        #expect(checker.look(at: core)?.hasPrefix("persisted index: ") == true)
        var terms: [Term] = []
        checker.writes(snapshot: nil, entries([2], from: 2), by: one) { terms.append($1) }
        #expect(terms == [Term(1)])
        #expect(checker.look(at: core)?.hasPrefix("persisted index: ") == true)
        checker.hasWritten(one)
        #expect(checker.look(at: core) == nil)
    }

    @Test("P8: a second vote in a term is a violation, also after a restart")
    func oneVote() {
        var checker = PromiseChecker()
        #expect(checker.voted(one, for: two, in: Term(3)) == nil && checker.voted(one, for: two, in: Term(3)) == nil)
        #expect(checker.voted(one, for: NodeID(3), in: Term(4)) == nil)
        #expect(checker.voted(one, for: two, in: Term(4))?.hasPrefix("one vote a term: ") == true)
    }

    @Test(
        "P7, P28, P34: who lacks in the same term what it acknowledged has broken a promise; who knows that it lost it has not"
    )
    func promisesKept() {
        var checker = PromiseChecker()
        checker.acknowledged(one, upTo: LogIndex(3), in: Term(2))
        checker.acknowledged(one, upTo: LogIndex(2), in: Term(2))
        #expect(checker.look(at: MadeUpCore(1, term: 2, log: [1, 1, 2])) == nil)
        #expect(checker.look(at: MadeUpCore(1, term: 3, log: [1])) == nil)
        #expect(checker.look(at: MadeUpCore(1, term: 2, log: [1, 1]))?.hasPrefix("promises kept: ") == true)
        #expect(checker.look(at: MadeUpCore(1, term: 1, log: [1, 1, 1]))?.hasPrefix("promises kept: ") == true)
        var damaged = MadeUpCore(1, term: 2, log: [1])
        damaged.isQuarantined = true
        #expect(checker.look(at: damaged) == nil)
        checker.released(one)
        #expect(checker.look(at: MadeUpCore(1, term: 0)) == nil)
    }

    @Test("P28: who listens to a server that lost its data breaks a rule")
    func wipedIdentity() {
        var checker = IdentityChecker()
        #expect(checker.heard(two, by: one) == nil)
        checker.wiped(two)
        #expect(checker.heard(two, by: one)?.hasPrefix("wiped identity: ") == true)
        #expect(checker.heard(one, by: two) == nil)
        // Until it is removed: then it is a stranger.
        checker.look(at: MadeUpCore(1))
        #expect(checker.heard(two, by: one) != nil)
        var later = MadeUpCore(1)
        later.configuration = Configuration(voters: [one, NodeID(3)])
        checker.look(at: later)
        #expect(checker.heard(two, by: one) == nil && checker.heard(two, by: NodeID(3)) != nil)
    }

    @Test("P2: a change of membership before a commit in the own term, or on top of an open one, is a violation")
    func changes() {
        func leader(_ change: UInt64, commit: UInt64) -> MadeUpCore {
            var core = MadeUpCore(1, term: 2, log: [1, 2, 2, 2], commit: commit, role: .leader)
            core.configurationIndex = LogIndex(change)
            return core
        }
        var checker = MembershipChecker()
        #expect(checker.look(at: leader(3, commit: 2)) == nil && checker.look(at: leader(3, commit: 3)) == nil)
        #expect(checker.look(at: leader(4, commit: 3)) == nil && checker.changeCount == 2)
        var early = MembershipChecker()
        #expect(early.look(at: leader(3, commit: 1))?.hasPrefix("membership: ") == true)
        var double = MembershipChecker()
        #expect(double.look(at: leader(3, commit: 2)) == nil)
        #expect(double.look(at: leader(4, commit: 2))?.hasPrefix("membership: ") == true)
    }

    @Test("P4: who installs a snapshot and goes by another configuration than its own is a violation")
    func snapshotConfiguration() {
        var core = MadeUpCore(1, term: 2, commit: 9)
        core.logStart = LogPosition(index: LogIndex(9), term: Term(1))
        core.configurationIndex = LogIndex(9)
        core.snapshot = snapshot(at: 9)
        var checker = MembershipChecker()
        #expect(checker.look(at: core) == nil)
        core.snapshot = snapshot(at: 9, voters: [1, 2, 4])
        var other = MembershipChecker()
        #expect(other.look(at: core)?.hasPrefix("membership: ") == true)
    }

    @Test("progress: term, vote, commit, applied index and snapshot never go back while a server runs")
    func neverBack() {
        var start = MadeUpCore(1, term: 2, log: [1, 1, 2, 2], commit: 3)
        start.hardState.vote = two
        start.logStart = LogPosition(index: LogIndex(1), term: Term(1))
        start.snapshot = snapshot(at: 2)
        let applied = LogIndex(3)
        var checker = ProgressChecker()
        #expect(checker.look(at: start, applied: applied) == nil && checker.look(at: start, applied: applied) == nil)
        func complains(_ applied: UInt64 = 3, _ change: (inout MadeUpCore) -> Void) -> Bool {
            var (checker, core) = (checker, start)
            change(&core)
            return checker.look(at: core, applied: LogIndex(applied))?.hasPrefix("progress: ") == true
        }
        #expect(!complains { _ in })
        #expect(complains { $0.hardState = HardState(term: Term(1), vote: two) })
        #expect(complains { $0.hardState.vote = NodeID(3) })
        #expect(complains { $0.commitIndex = LogIndex(2) })
        #expect(complains(2) { _ in })
        #expect(complains { $0.snapshot = snapshot(at: 1) })
        checker.restarted(one)
        #expect(checker.look(at: MadeUpCore(1, term: 1), applied: .zero) == nil)
    }

    @Test("progress: purged, snapshot, applied, committed, last are in this order")
    func marksInOrder() {
        func complains(_ applied: UInt64, _ change: (inout MadeUpCore) -> Void) -> Bool {
            var core = MadeUpCore(1, log: [1, 1, 1], commit: 5)
            core.logStart = LogPosition(index: LogIndex(3), term: Term(1))
            core.snapshot = snapshot(at: 4)
            change(&core)
            var checker = ProgressChecker()
            return checker.look(at: core, applied: LogIndex(applied)) != nil
        }
        #expect(!complains(4) { _ in } && !complains(5) { _ in })
        #expect(complains(6) { _ in }, "applied what is not committed")
        #expect(complains(3) { _ in }, "a snapshot of what is not applied")
        #expect(complains(5) { $0.snapshot = snapshot(at: 2) }, "dropped what is in no snapshot")
        #expect(complains(5) { $0.commitIndex = LogIndex(7) }, "committed what is not there")
        #expect(complains(5) { $0.persistedIndex = LogIndex(7) }, "persisted what is not there")
        // Until a leader's snapshot is read, the state is behind it.
        #expect(!complains(1) { $0.snapshot = snapshot(at: 3) })
    }

    @Test("state-machine safety: another command at a place, or one too early, is a violation")
    func stateMachineSafety() {
        var checker = StateMachineSafetyChecker()
        #expect(checker.applied([1], at: 0, by: one) == nil && checker.applied([1], at: 0, by: two) == nil)
        #expect(checker.applied([2], at: 0, by: two)?.hasPrefix("state-machine safety: ") == true)
        #expect(checker.applied([2], at: 2, by: two)?.hasPrefix("state-machine safety: ") == true)
    }

    @Test("exactly once: a command that takes effect at two places is a violation")
    func exactlyOnce() {
        var checker = AtMostOnceChecker()
        #expect(checker.applied([1], at: 0) == nil && checker.applied([2], at: 1) == nil)
        #expect(checker.applied([1], at: 0) == nil)
        #expect(checker.applied([1], at: 2)?.hasPrefix("exactly once: ") == true)
    }

    @Test("client oracle: a phantom value, a lost write, a read that goes back are violations")
    func clientOracle() {
        var oracle = ClientOracle()
        #expect(oracle.floor(of: "k") == -1 && oracle.read(nil, of: "k", floor: -1) == nil)
        oracle.written("a", to: "k", at: 4)
        oracle.written("b", to: "k", at: 6)
        #expect(oracle.acknowledged("a", to: "k") == nil && oracle.floor(of: "k") == 4)
        #expect(oracle.read("b", of: "k", floor: 4) == nil && oracle.floor(of: "k") == 6)
        // It began before anybody knew of "b".
        #expect(oracle.read("a", of: "k", floor: 4) == nil)
        #expect(oracle.read("a", of: "k", floor: 6)?.hasPrefix("client oracle: ") == true)
        #expect(oracle.read(nil, of: "k", floor: 6)?.hasPrefix("client oracle: ") == true)
        #expect(oracle.read("c", of: "k", floor: 6)?.hasPrefix("client oracle: ") == true)
        #expect(oracle.acknowledged("c", to: "k")?.hasPrefix("client oracle: ") == true)
    }

    @Test("P24: a vote too soon after a leader's word, and a lease while another term commits, are violations")
    func leases() {
        var checker = LeaseChecker()
        func votes(_ term: UInt64, _ vote: NodeID? = two, at now: UInt64, isTransfer: Bool = false) -> String? {
            var later = checker
            let state = HardState(term: Term(term), vote: vote)
            return later.look(at: one, state, now: now, patience: 15, isTransfer: isTransfer)
        }
        // Whom it heard before its start it does not know.
        checker.restarted(one, HardState(term: Term(2), vote: two))
        #expect(votes(3, at: 14)?.hasPrefix("lease promise: ") == true && votes(3, at: 15) == nil)
        checker.heard(one, at: 100)
        #expect(votes(3, at: 114)?.hasPrefix("lease promise: ") == true && votes(3, at: 115) == nil)
        #expect(votes(3, nil, at: 101) == nil && votes(2, at: 101) == nil)
        #expect(votes(3, at: 101, isTransfer: true) == nil)

        #expect(checker.holdsLease(one, in: Term(3), lastCommitIn: Term(3)) == nil)
        #expect(checker.holdsLease(one, in: Term(3), lastCommitIn: Term(4))?.hasPrefix("lease: ") == true)
    }
}
