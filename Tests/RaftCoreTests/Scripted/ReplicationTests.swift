import Testing

@testable import RaftCore

@Suite struct ReplicationTests {
    @Test("P11: repeated and reordered answers never take a match back")
    func answersOutOfOrder() throws {
        var leader = Script.leader(log: Script.log([]))
        for value in 0..<8 { _ = leader.propose([UInt8(value)]) }
        leader.makeDurable()
        var random = SplitMix64(seed: 11)
        var highest = LogIndex.zero
        for _ in 0..<2_000 {
            let index = random.next() % 10
            if random.next() % 3 == 0 {
                let hint = LogPosition(index: LogIndex(index / 2), term: Term(1))
                leader.hears(
                    .appendRejected(previousIndex: LogIndex(index), hint: hint, readRound: .zero),
                    from: Script.n2
                )
            } else {
                leader.hears(Script.accepted(index), from: Script.n2)
                if index <= 9 { highest = max(highest, LogIndex(index)) }
            }
            let progress = try #require(leader.progress(of: Script.n2))
            #expect(progress.match == highest)
            #expect(progress.next > progress.match)
            leader.makeDurable()
        }
    }

    @Test("P12: an acknowledgement to an earlier term's leadership counts for nothing")
    func oldAcknowledgement() throws {
        var leader = Script.leader(after: 4, log: Script.log(1, 1, 1))
        leader.makeDurable()
        leader.hears(Script.accepted(4), from: Script.n2, in: 3)
        let progress = try #require(leader.progress(of: Script.n2))
        #expect(progress.match == .zero)
        #expect(leader.commitIndex == .zero)
    }

    @Test("P13: two tails of 10,000 entries are told apart in one probe for each term")
    func fastBacktracking() throws {
        let terms: [[UInt64]] = [
            Array(repeating: 1, count: 10) + Array(repeating: 3, count: 5_000) + Array(repeating: 5, count: 5_000),
            Array(repeating: 1, count: 10) + Array(repeating: 2, count: 5_000) + Array(repeating: 4, count: 5_000),
        ]
        var leader = Script.leader(after: 5, log: Script.log(terms[0]))
        var follower = Script.core(Script.n2, term: 5, log: Script.log(terms[1]))
        var rejections = 0
        var rounds = 0
        while follower.lastIndex != leader.lastIndex || follower.term(at: LogIndex(11)) != Term(3) {
            rounds += 1
            try #require(rounds < 100)
            for message in leader.says() where message.to == Script.n2 { follower.step(message) }
            for message in follower.says() {
                if case .appendRejected = message.kind { rejections += 1 }
                leader.step(message)
            }
            leader.tick()
        }
        #expect(rejections >= 1)
        #expect(rejections <= 3, "terms 5, 4, 3, 2 differ; a probe an entry would be 10,000")
        for index in 1...leader.lastIndex.rawValue {
            #expect(follower.term(at: LogIndex(index)) == leader.term(at: LogIndex(index)))
        }
    }
}
