import Testing

@testable import RaftCore

@Suite("Oracle: configuration arithmetic") struct ConfigurationOracleTests {
    private static func steps(_ random: inout SplitMix64) -> [ConfigurationStep] {
        var steps: [ConfigurationStep] = []
        for _ in 0...random.next() % 4 {
            let draw = random.next()
            let id = NodeID(1 + draw % UInt64(Membership.servers))
            switch draw >> 32 % 6 {
            case 0: steps.append(.addLearner(id))
            case 1: steps.append(.promote(id))
            case 2: steps.append(.demote(id))
            case 3: steps.append(.add(MemberRecord(id)))
            case 4: steps.append(.describe(MemberRecord(id)))
            default: steps.append(.remove(id))
            }
        }
        return steps
    }

    /// Some servers that happen to answer are a quorum, a won campaign and a commit, or none of these.
    private static func decides(
        _ membership: Membership,
        _ configuration: Configuration,
        _ random: inout SplitMix64
    ) -> Bool {
        let answering = Int(truncatingIfNeeded: random.next()) & (1 << Membership.servers - 1)
        let expected = membership.isQuorum(answering)
        if configuration.isQuorum(Set(Membership.list(answering))) != expected { return false }
        var tally = VoteTally(configuration)
        var refusing = 0
        for id in Membership.list(membership.members) {
            let isGranted = answering & Membership.bit(id) != 0
            if !isGranted { refusing |= Membership.bit(id) }
            tally.record(id, granted: isGranted)
        }
        return (tally.verdict == .won) == expected && (tally.verdict == .lost) == !expected
    }

    private static func history(
        _ random: inout SplitMix64,
        _ leave: (Configuration) -> Configuration = { $0.left }
    ) -> Bool {
        var membership = Membership(&random)
        var configuration = membership.configuration
        if !decides(membership, configuration, &random) { return false }
        for _ in 0..<2 {
            if configuration.isJoint {
                let before = membership
                configuration = leave(configuration)
                membership = membership.left
                if Membership(configuration) != membership { return false }
                if random.next() % 8 == 0, !before.overlaps(membership) { return false }
            }
            let steps = steps(&random)
            guard let changed = try? configuration.changed(by: steps) else {
                if membership.changed(by: steps) != nil { return false }
                continue
            }
            guard let expected = membership.changed(by: steps), Membership(changed) == expected else { return false }
            if random.next() % 8 == 0, !membership.overlaps(expected) { return false }
            (membership, configuration) = (expected, changed)
        }
        return decides(membership, configuration, &random)
    }

    @Test(
        "changes, joint configurations and quorums are what sets of servers say, and quorums overlap from step to step"
    )
    func agrees() async {
        let wrong = await wrongSeeds { Self.history(&$0) }
        #expect(wrong.isEmpty)
    }

    @Test("a joint configuration that is left without its learners to come is noticed")
    func notices() async {
        let wrong = await wrongSeeds(histories: 2000) {
            Self.history(&$0) { Configuration(voters: $0.voters, learners: $0.learners) }
        }
        #expect(!wrong.isEmpty)
    }
}
