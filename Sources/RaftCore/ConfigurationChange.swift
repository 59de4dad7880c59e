// From one configuration to the next.

/// One member's part in a change.
package enum ConfigurationStep: Hashable, Sendable {
    /// Gets the log from now on, without a vote. For a server that is no member yet.
    case addLearner(NodeID)
    /// Gets a vote. For a learner; a leader refuses one that has not caught up.
    case promote(NodeID)
    /// Loses its vote and is a learner from then on, until it is promoted.
    case demote(NodeID)
    /// Is no member any more.
    case remove(NodeID)
    /// `addLearner` for a server of which something is known.
    case add(MemberRecord)
    /// Something became known of a member: takes the place of its record.
    case describe(MemberRecord)

    /// Whom it is about.
    package var id: NodeID {
        switch self {
        case .addLearner(let id), .promote(let id), .demote(let id), .remove(let id): id
        case .add(let record), .describe(let record): record.id
        }
    }
}

/// Why steps make no change of a configuration.
package enum ConfigurationError: Error, Hashable, Sendable {
    /// A joint configuration has to be left first.
    case isJoint
    /// The step does not fit what the server is: a member added again, a voter promoted, a stranger removed.
    case doesNotFit(ConfigurationStep)
    /// Two steps about the same server, or none at all.
    case ambiguous
    /// Nobody would be left to vote.
    case noVoters
}

extension Configuration {
    /// The configuration after `steps`: the final one where at most one vote comes or goes, since then any two quorums of
    /// old and new share a voter (dissertation §4.1); otherwise the joint one that leads to it (dissertation §4.3).
    package func changed(by steps: [ConfigurationStep]) throws(ConfigurationError) -> Configuration {
        guard !isJoint else { throw .isJoint }
        guard !steps.isEmpty, Set(steps.map(\.id)).count == steps.count else { throw .ambiguous }
        var newVoters = Set(voters)
        var newLearners = Set(learners)
        var newRecords = records
        for step in steps {
            switch step {
            case .addLearner(let id) where !newVoters.contains(id) && !newLearners.contains(id):
                newLearners.insert(id)
            case .promote(let id) where newLearners.contains(id):
                newLearners.remove(id)
                newVoters.insert(id)
            case .demote(let id) where newVoters.contains(id):
                newVoters.remove(id)
                newLearners.insert(id)
                for place in newRecords.indices where newRecords[place].id == id {
                    newRecords[place].isToBePromoted = false
                }
            case .remove(let id) where newVoters.contains(id) || newLearners.contains(id):
                newVoters.remove(id)
                newLearners.remove(id)
            case .add(let record) where !newVoters.contains(record.id) && !newLearners.contains(record.id):
                newLearners.insert(record.id)
                newRecords.append(record)
            case .describe(let record) where newVoters.contains(record.id) || newLearners.contains(record.id):
                newRecords.removeAll { $0.id == record.id }
                newRecords.append(record)
            case .addLearner, .promote, .demote, .remove, .add, .describe:
                throw .doesNotFit(step)
            }
        }
        guard !newVoters.isEmpty else { throw .noVoters }
        if newVoters.symmetricDifference(voters).count <= 1 {
            return Configuration(voters: Array(newVoters), learners: Array(newLearners), records: newRecords)
        }
        return Configuration(
            voters: Array(newVoters),
            outgoing: voters,
            learners: newLearners.subtracting(voters).sorted(),
            learnersNext: newLearners.intersection(voters).sorted(),
            records: newRecords
        )
    }

    /// What follows a joint configuration.
    package var left: Configuration {
        Configuration(voters: voters, learners: learners + learnersNext, records: records)
    }
}
