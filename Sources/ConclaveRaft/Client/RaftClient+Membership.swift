// Who takes part in the cluster, and who leads it.

public import RaftCore

/// What a new member is to become.
public enum MemberPart: Hashable, Sendable {
    /// It has a vote as soon as it has caught up.
    case voter
    /// It gets everything and answers queries, but has no vote until it is promoted.
    case learner
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
        precondition(
            (port != nil) == usesAddresses,
            "a node is added with its port over TCP, and without one in memory"
        )
        let record = MemberRecord(
            node,
            peerAddress: port.map { "127.0.0.1:\($0)" } ?? "",
            isToBePromoted: part == .voter
        )
        try await change(.add(record), timeout)
    }

    /// Gives a learner a vote, as soon as it has caught up. Nothing to do for a voter.
    ///
    /// - Throws: as `add` does; `ChangeRefused` with `notCaughtUp` when the time was not enough.
    public func promote(_ node: NodeID, timeout: Duration = .seconds(60)) async throws {
        try await change(.promote(node), timeout)
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
