import Testing

@testable import RaftCore

@Suite struct CommitRuleTests {
    @Test("P1: entries of earlier terms are not committed by counting, they ride along (Raft, figure 8)")
    func figure8() {
        // S1 led term 2 and put entry 2 on S2; back as the leader of term 4, it brings entry 2 to a majority.
        var s1 = Script.leader(of: Script.five, after: 3, log: Script.log(1, 2))
        #expect(s1.term == Term(4))
        s1.makeDurable()
        s1.hears(Script.accepted(2), from: Script.n2)
        s1.hears(Script.accepted(2), from: Script.n3)
        #expect(
            s1.commitIndex == .zero,
            "entry 2 is on three of five, but S5 with term 3 could still win and replace it"
        )
        s1.hears(Script.accepted(3), from: Script.n2)
        s1.hears(Script.accepted(3), from: Script.n3)
        #expect(s1.commitIndex == LogIndex(3))
    }

    @Test("P5: the fast quorum arithmetic agrees with counting, for 1 to 7 voters", arguments: 1...7)
    func quorumArithmetic(voters: Int) {
        var random = SplitMix64(seed: UInt64(voters))
        for _ in 0..<20_000 {
            let matches = (0..<voters).map { _ in Int(random.next() % 8) }
            let counted = (0...8).last { index in matches.count { $0 >= index } * 2 > voters }
            var scratch = matches
            #expect(QuorumMath.reached(&scratch) == counted)
        }
    }

    @Test("P6: the commit index never passes what this AppendEntries proved")
    func commitIsBoundedByProof() {
        var follower = Script.core(term: 2, log: Script.log(1, 2, 2, 2, 2))
        follower.hears(Script.append(after: (1, 1), commit: 5), from: Script.n2, in: 3)
        #expect(follower.commitIndex == LogIndex(1))
        #expect(follower.lastIndex == LogIndex(5))
    }

    @Test("P7: a delayed duplicate does not shorten the log; a conflict does")
    func truncationNeedsConflict() {
        var follower = Script.core()
        let ten = Script.log(Array(repeating: 1, count: 10))
        follower.hears(Script.append(ten), from: Script.n2, in: 1)
        follower.hears(Script.append(Array(ten.prefix(5))), from: Script.n2, in: 1)
        follower.hears(Script.append(after: (3, 1)), from: Script.n2, in: 1)
        #expect(follower.lastIndex == LogIndex(10))
        follower.hears(Script.append(after: (3, 1), Script.log([2], from: 4)), from: Script.n3, in: 2)
        #expect(follower.lastIndex == LogIndex(4))
        #expect(follower.term(at: LogIndex(4)) == Term(2))
    }
}
