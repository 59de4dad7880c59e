// Majorities. Small, pure and compared with a naive oracle in the tests (rule P5).

/// Arithmetic over the voters of one configuration.
enum QuorumMath {
    /// How many voters a decision needs: more than half, so that any two quorums share a voter.
    static func size(voters: Int) -> Int { voters / 2 + 1 }

    /// The greatest value that a quorum has reached. Sorts `values`, one for each voter, in place.
    ///
    /// Used for the commit index (values: match), for read rounds (values: acknowledged round) and for check-quorum (values:
    /// when a voter was last heard). An insertion sort: there are seldom more than seven voters.
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

/// The answers to one campaign.
struct VoteTally: Sendable {
    enum Verdict {
        /// A quorum granted.
        case won
        /// So many refused that no quorum is left.
        case lost
        /// Answers are missing.
        case open
    }

    private let voters: [NodeID]
    private var answers: [Bool?]

    init(voters: [NodeID]) {
        self.voters = voters
        answers = Array(repeating: nil, count: voters.count)
    }

    /// Notes an answer. The first one of a voter counts: a repeated message changes nothing.
    mutating func record(_ voter: NodeID, granted: Bool) {
        guard let place = voters.firstIndex(of: voter), answers[place] == nil else { return }
        answers[place] = granted
    }

    /// How the campaign stands.
    var verdict: Verdict {
        let needed = QuorumMath.size(voters: voters.count)
        if answers.count(where: { $0 == true }) >= needed { return .won }
        return answers.count(where: { $0 == false }) > voters.count - needed ? .lost : .open
    }
}
