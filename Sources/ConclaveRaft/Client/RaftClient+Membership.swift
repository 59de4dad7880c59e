// Who takes part in the cluster, and who leads it.

public import RaftCore

/// What a new member is to become.
public enum MemberPart: Hashable, Sendable {
    /// It has a vote as soon as it has caught up.
    case voter
    /// It gets everything and answers queries, but has no vote until it is promoted.
    case learner
}

/// One node's part in a change of several.
public enum MemberChange: Hashable, Sendable {
    /// See `RaftClient.add`.
    case add(NodeID, port: UInt16? = nil, as: MemberPart = .voter)
    /// See `RaftClient.promote`.
    case promote(NodeID)
    /// See `RaftClient.demote`.
    case demote(NodeID)
    /// See `RaftClient.remove`.
    case remove(NodeID)
}

/// Changes of the membership. Any node may be asked, the leader makes the change, and each returns when it is committed. They wait while
/// another change is in progress, and may be asked for again after `OutcomeUnknown`.
extension RaftClient {
    /// Makes a node a member. Start it first, with `RaftNodeOptions(joining:id:)` and an empty storage.
    ///
    /// - Parameters:
    ///   - port: over TCP, where the node listens for the others (`RaftPort.number`); nil in memory.
    ///   - part: with `voter`, the node gets its vote some time after this has returned, when it has caught up; until then a majority
    ///     is counted without it.
    /// - Throws: `ChangeRefused`; `NotDone` if there was no leader in time; `OutcomeUnknown` if nobody can tell.
    public func add(
        _ node: NodeID,
        port: UInt16? = nil,
        as part: MemberPart = .voter,
        timeout: Duration = .seconds(10)
    ) async throws {
        try await change([.add(node, port: port, as: part)], timeout: timeout)
    }

    /// Gives a learner a vote, as soon as it has caught up. Nothing to do for a voter.
    ///
    /// - Throws: as `add` does; `ChangeRefused` with `notCaughtUp` when the time was not enough.
    public func promote(_ node: NodeID, timeout: Duration = .seconds(60)) async throws {
        try await change(.promote(node), timeout)
    }

    /// Takes a voter's vote: it is a learner from then on. Nothing to do for a learner. If it leads, it hands over first.
    ///
    /// - Throws: as `add` does.
    public func demote(_ node: NodeID, timeout: Duration = .seconds(10)) async throws {
        try await change(.demote(node), timeout)
    }

    /// Changes several members in one step: nobody ever sees a part of it in force. While it is under way a decision takes a majority of
    /// the voters before it and of those after it (joint consensus, Raft dissertation §4.3). Who is added as a voter is a learner at
    /// first, and gets its vote later, as with `add`.
    ///
    /// To replace nodes, add the new ones as learners first, then promote them and remove the old ones in one change.
    ///
    /// - Parameter changes: 1 to 32, each about another node.
    /// - Throws: as `promote` does, for the first node that does not fit; then nothing was changed.
    public func change(_ changes: [MemberChange], timeout: Duration = .seconds(60)) async throws {
        precondition((1...AdminCommand.stepBound).contains(changes.count), "a change is of 1 to 32 nodes")
        try await change(.change(changes.map(step)), timeout)
    }

    private func step(_ change: MemberChange) -> ConfigurationStep {
        switch change {
        case .add(let node, let port, let part):
            precondition(
                (port != nil) == usesAddresses,
                "a node is added with its port over TCP, and without one in memory"
            )
            let address = port.map { "127.0.0.1:\($0)" } ?? ""
            return .add(MemberRecord(node, peerAddress: address, isToBePromoted: part == .voter))
        case .promote(let node): return .promote(node)
        case .demote(let node): return .demote(node)
        case .remove(let node): return .remove(node)
        }
    }

    /// Makes a node a member no more; it may be stopped then (`RaftStatus.standing`). Its id may be used again, with an empty storage. If
    /// it leads, it hands over first.
    ///
    /// - Throws: as `add` does.
    public func remove(_ node: NodeID, timeout: Duration = .seconds(10)) async throws {
        try await change(.remove(node), timeout)
    }

    /// Has another voter lead. Commands wait meanwhile, for less than an election takes.
    ///
    /// - Parameter node: nil: whoever would be missed least.
    /// - Throws: as `add` does.
    public func transferLeadership(to node: NodeID? = nil, timeout: Duration = .seconds(10)) async throws {
        try await change(.transferLeadership(to: node), timeout)
    }

    private func change(_ command: AdminCommand, _ timeout: Duration) async throws {
        let _: Void = try await request { .change($0, command, timeout: timeout, $1) }
    }
}
