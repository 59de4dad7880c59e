// Random histories by the hundred thousand, in a build that is not optimised too.

@testable import RaftCore

/// How many histories each fast path is compared with its oracle on.
let oracleHistories = 100_000

/// Runs `history` for each seed, on all processors; returns the seeds that went wrong, at most a few of each share.
func wrongSeeds(
    histories: Int = oracleHistories,
    _ history: @escaping @Sendable (inout SplitMix64) -> Bool
) async -> [UInt64] {
    let shares = 8
    return await withTaskGroup(of: [UInt64].self) { group in
        for share in 0..<shares {
            group.addTask {
                var wrong: [UInt64] = []
                var seed = UInt64(share)
                while seed < UInt64(histories) && wrong.count < 3 {
                    var random = SplitMix64(seed: seed)
                    if !history(&random) { wrong.append(seed) }
                    seed += UInt64(shares)
                }
                return wrong
            }
        }
        return await group.reduce(into: []) { $0 += $1 }
    }
}

/// A configuration as sets of bits, server 1 being bit 0, with what it means written as one would on a blackboard.
struct Membership: Equatable, Sendable {
    /// Servers there are in these histories.
    static let servers = 9
    /// The servers in each set.
    private static let lists: [[NodeID]] = (0..<1 << servers).map { set in
        (0..<servers).filter { set >> $0 & 1 == 1 }.map { NodeID(UInt64($0 + 1)) }
    }

    var voters = 0
    var outgoing = 0
    var learners = 0
    var learnersNext = 0

    /// Any configuration over one to nine servers.
    init(_ random: inout SplitMix64) {
        let bits = random.next()
        let all = 1 << (1 + Int(bits >> 60) % Self.servers) - 1
        voters = Int(truncatingIfNeeded: bits) & all
        if voters == 0 { voters = 1 }
        if bits >> 59 & 1 == 1 { outgoing = Int(bits >> 9) & all }
        learners = Int(bits >> 18) & all & ~(voters | outgoing)
        learnersNext = Int(bits >> 27) & outgoing & ~voters
    }

    init(_ configuration: Configuration) {
        voters = Self.set(configuration.voters)
        outgoing = Self.set(configuration.outgoing)
        learners = Self.set(configuration.learners)
        learnersNext = Self.set(configuration.learnersNext)
    }

    private static func set(_ ids: [NodeID]) -> Int {
        var set = 0
        for id in ids { set |= bit(id) }
        return set
    }

    static func bit(_ id: NodeID) -> Int { 1 << (Int(id.rawValue) - 1) }
    static func list(_ set: Int) -> [NodeID] { lists[set] }

    var members: Int { voters | outgoing | learners }

    var configuration: Configuration {
        Configuration(
            voters: Self.lists[voters],
            outgoing: Self.lists[outgoing],
            learners: Self.lists[learners],
            learnersNext: Self.lists[learnersNext]
        )
    }

    /// More than half of each half.
    func isQuorum(_ set: Int) -> Bool {
        (set & voters).nonzeroBitCount * 2 > voters.nonzeroBitCount
            && (outgoing == 0 || (set & outgoing).nonzeroBitCount * 2 > outgoing.nonzeroBitCount)
    }

    /// Whether each quorum of this one has a server in common with each of the other: else one would do without all of the other's.
    func overlaps(_ other: Membership) -> Bool {
        let all = 1 << Self.servers - 1
        for set in 0...all where isQuorum(set) && other.isQuorum(all & ~set) { return false }
        return true
    }

    /// What a joint configuration leads to.
    var left: Membership {
        var left = self
        left.outgoing = 0
        left.learners |= learnersNext
        left.learnersNext = 0
        return left
    }

    /// What steps, each about another server, make of a configuration that is not joint; nil when one does not fit, or nobody would
    /// be left to vote.
    func changed(by steps: [ConfigurationStep]) -> Membership? {
        var (newVoters, newLearners, seen) = (voters, learners, 0)
        for step in steps {
            let bit = Self.bit(step.id)
            if seen & bit != 0 { return nil }
            seen |= bit
            switch step {
            case .addLearner, .add:
                if members & bit != 0 { return nil }
                newLearners |= bit
            case .promote:
                if learners & bit == 0 { return nil }
                newLearners &= ~bit
                newVoters |= bit
            case .demote:
                if voters & bit == 0 { return nil }
                newVoters &= ~bit
                newLearners |= bit
            case .remove:
                if members & bit == 0 { return nil }
                newVoters &= ~bit
                newLearners &= ~bit
            case .describe:
                if members & bit == 0 { return nil }
            }
        }
        guard newVoters != 0, !steps.isEmpty else { return nil }
        var after = self
        after.voters = newVoters
        after.learners = newLearners
        if (newVoters ^ voters).nonzeroBitCount > 1 {
            after.outgoing = voters
            after.learners = newLearners & ~voters
            after.learnersNext = newLearners & voters
        }
        return after
    }
}
