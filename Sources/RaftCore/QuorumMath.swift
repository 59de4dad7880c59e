// Majorities. Small, pure and compared with a naive oracle in the tests (rule P5).

/// Arithmetic over the voters of one configuration.
enum QuorumMath {
    /// How many voters a decision needs: more than half, so that any two quorums share a voter.
    static func size(voters: Int) -> Int { voters / 2 + 1 }

    /// The greatest value that a quorum has reached. Sorts `values`, one for each voter, in place.
    ///
    /// An insertion sort: there are seldom more than seven voters.
    static func reached<Value: Comparable>(_ values: inout [Value]) -> Value {
        precondition(!values.isEmpty, "a cluster has at least one voter")
        for end in 1..<max(values.count, 1) {
            var slot = end
            while slot > 0 && values[slot] > values[slot - 1] {
                values.swapAt(slot, slot - 1)
                slot -= 1
            }
        }
        return values[size(voters: values.count) - 1]
    }
}

/// How many decide, and whether this server is one of them. Derived from a configuration; who else decides is noted in `Progress`.
package struct Electorate: Sendable {
    /// Voters in each half; no outgoing ones unless the configuration is joint.
    package let voters: Int
    package let outgoing: Int
    /// Where this server has a vote.
    package let own: VotingHalves

    /// So many decide.
    package init(voters: Int, outgoing: Int, own: VotingHalves) {
        self.voters = voters
        self.outgoing = outgoing
        self.own = own
    }

    init(_ configuration: Configuration, own id: NodeID) {
        voters = configuration.voters.count
        outgoing = configuration.outgoing.count
        own = VotingHalves(of: id, in: configuration)
    }

    /// Whether this server and the peers that `holds` picks are a quorum of each half.
    func isQuorum(_ peers: [Progress], where holds: (Progress) -> Bool) -> Bool {
        var (inVoters, inOutgoing) = (own.contains(.voters) ? 1 : 0, own.contains(.outgoing) ? 1 : 0)
        for place in peers.indices where !peers[place].votes.isEmpty && holds(peers[place]) {
            if peers[place].votes.contains(.voters) { inVoters += 1 }
            if peers[place].votes.contains(.outgoing) { inOutgoing += 1 }
        }
        return inVoters >= QuorumMath.size(voters: voters)
            && (outgoing == 0 || inOutgoing >= QuorumMath.size(voters: outgoing))
    }

    /// The greatest index that a quorum of each half has reached: this server `ownMatch`, each peer its `match`.
    func reached(_ peers: [Progress], ownMatch: LogIndex, scratch: inout [LogIndex]) -> LogIndex {
        let reached = reached(.voters, peers, ownMatch, &scratch)
        return outgoing == 0 ? reached : min(reached, self.reached(.outgoing, peers, ownMatch, &scratch))
    }

    private func reached(
        _ half: VotingHalves,
        _ peers: [Progress],
        _ ownMatch: LogIndex,
        _ scratch: inout [LogIndex]
    ) -> LogIndex {
        scratch.removeAll(keepingCapacity: true)
        if own.contains(half) { scratch.append(ownMatch) }
        for place in peers.indices where peers[place].votes.contains(half) { scratch.append(peers[place].match) }
        return QuorumMath.reached(&scratch)
    }
}

/// The answers to one campaign.
struct VoteTally: Sendable {
    enum Verdict {
        /// A quorum of each half granted.
        case won
        /// So many refused that in some half no quorum is left.
        case lost
        /// Answers are missing.
        case open
    }

    private var halves: [Half] = []

    private struct Half: Sendable {
        let voters: [NodeID]
        var answers: [Bool?]

        init(_ voters: [NodeID]) {
            self.voters = voters
            answers = Array(repeating: nil, count: voters.count)
        }

        mutating func record(_ voter: NodeID, granted: Bool) {
            guard let place = voters.firstIndex(of: voter), answers[place] == nil else { return }
            answers[place] = granted
        }

        var verdict: Verdict {
            let needed = QuorumMath.size(voters: voters.count)
            if answers.count(where: { $0 == true }) >= needed { return .won }
            return answers.count(where: { $0 == false }) > voters.count - needed ? .lost : .open
        }
    }

    /// No answers yet from the voters of `configuration`.
    init(_ configuration: Configuration) {
        halves.append(Half(configuration.voters))
        if configuration.isJoint { halves.append(Half(configuration.outgoing)) }
    }

    /// Notes an answer. The first one of a voter counts: a repeated message changes nothing. One who is no voter does not count.
    mutating func record(_ voter: NodeID, granted: Bool) {
        for place in halves.indices { halves[place].record(voter, granted: granted) }
    }

    /// How the campaign stands.
    var verdict: Verdict {
        let verdicts = halves.map(\.verdict)
        if verdicts.contains(.lost) { return .lost }
        return verdicts.contains(.open) ? .open : .won
    }
}
