import Testing

@testable import RaftCore

@Suite("Oracle: commit index") struct CommitIndexOracleTests {
    /// Servers acknowledge, in any order and more than once; after each acknowledgement the commit index is what a quorum has.
    private static func history(
        _ random: inout SplitMix64,
        _ electorate: (Configuration) -> Electorate = { Electorate($0, own: n1) }
    ) -> Bool {
        let membership = Membership(&random)
        let configuration = membership.configuration
        let electorate = electorate(configuration)
        var match = [UInt64](repeating: 0, count: Membership.servers)
        var peers: [Progress] = []
        for id in Membership.list(membership.members & ~1) {
            let votes = VotingHalves(of: id, in: configuration)
            peers.append(
                Progress(
                    id: id,
                    session: ReplicationSession(1),
                    votes: votes,
                    next: LogIndex(1000),
                    heardAt: 0,
                    limits: limits
                )
            )
        }
        var scratch: [LogIndex] = []
        for _ in 0..<(4 + Int(random.next() % 5)) {
            let draw = random.next()
            let index = draw >> 32 % 30
            let place = Int(draw % UInt64(peers.count + 1))
            if place == peers.count {
                match[0] = max(match[0], index)
            } else {
                _ = peers[place].accepted(LogIndex(index))
                let server = Int(peers[place].id.rawValue) - 1
                match[server] = max(match[server], index)
            }
            let reached = electorate.reached(peers, ownMatch: LogIndex(match[0]), scratch: &scratch)
            if reached.rawValue != oracle(membership, match) { return false }
        }
        return true
    }

    private static let limits = RaftLimits()

    /// Of all that somebody has, the greatest that the servers which have it, or more, are a quorum for.
    private static func oracle(_ membership: Membership, _ match: [UInt64]) -> UInt64 {
        var best: UInt64 = 0
        for index in match where index > best {
            var holders = 0
            var server = 0
            while server < match.count {
                if match[server] >= index { holders |= 1 << server }
                server += 1
            }
            if membership.isQuorum(holders) { best = index }
        }
        return best
    }

    @Test(
        "P5: the commit index is the greatest index that a quorum has, in any configuration, after each acknowledgement"
    )
    func agrees() async {
        let wrong = await wrongSeeds { Self.history(&$0) }
        #expect(wrong.isEmpty)
    }

    @Test("P5: a half that is not asked, and a vote that is none, are noticed")
    func notices() async {
        let planted: [@Sendable (Configuration) -> Electorate] = [
            { Electorate(voters: $0.voters.count, outgoing: 0, own: VotingHalves(of: n1, in: $0)) },
            { configuration in
                let own = VotingHalves(of: n1, in: configuration).union(.voters)
                return Electorate(voters: configuration.voters.count, outgoing: configuration.outgoing.count, own: own)
            },
        ]
        for electorate in planted {
            let wrong = await wrongSeeds(histories: 1000) { Self.history(&$0, electorate) }
            #expect(!wrong.isEmpty)
        }
    }
}
