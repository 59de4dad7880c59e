import Testing

@testable import RaftCore

@Suite struct QuorumRuleTests {
    /// The greatest value that more than half have reached, as one would write it on a blackboard.
    private func naive(_ values: [UInt64]) -> UInt64 {
        values.filter { candidate in values.filter { $0 >= candidate }.count * 2 > values.count }.max() ?? 0
    }

    @Test("P5: the commit arithmetic agrees with a naive oracle, for odd and even clusters")
    func oracle() {
        var random = SplitMix64(seed: 5)
        for _ in 0..<20_000 {
            let values = (0..<(1 + random.next() % 9)).map { _ in random.next() % 12 }
            var scratch = values
            #expect(QuorumMath.reached(&scratch) == naive(values), "\(values)")
        }
    }

    @Test("P5: a leader's commit index agrees with the oracle through random acknowledgements", arguments: 1...7)
    func leaderCommit(voters: Int) {
        for seed in 1...UInt64(20) {
            var random = SplitMix64(seed: seed)
            var core = RaftCore.lone(voters: voters, seed: seed)
            core.win()
            var match = Array(repeating: UInt64(0), count: voters - 1)
            for _ in 0..<200 {
                if random.next() % 3 == 0 { _ = core.propose([]) }
                if random.next() % 3 == 0 { core.sync() }
                if voters > 1 {
                    let peer = Int(random.next() % UInt64(voters - 1))
                    let index = random.next() % (core.lastIndex.rawValue + 1)
                    core.hear(accepted(index), from: NodeID(UInt64(peer + 2)))
                    match[peer] = max(match[peer], index)
                }
                #expect(core.commitIndex.rawValue == naive(match + [core.persistedIndex.rawValue]), "seed \(seed)")
            }
        }
    }

    @Test("a tally is won by a quorum and lost when none is left")
    func tally() {
        for voters in 1...7 {
            for granted in 0...voters {
                for refused in 0...(voters - granted) {
                    var tally = VoteTally(Configuration(voters: (1...voters).map { NodeID(UInt64($0)) }))
                    for voter in 0..<granted { tally.record(NodeID(UInt64(voter + 1)), granted: true) }
                    for voter in 0..<refused { tally.record(NodeID(UInt64(granted + voter + 1)), granted: false) }
                    #expect((tally.verdict == .won) == (granted * 2 > voters))
                    #expect((tally.verdict == .lost) == ((voters - refused) * 2 <= voters))
                }
            }
        }
    }
}
