// Changes of membership: one at a time, none before a commit in the own term, and a snapshot brings its own (rules P2 and P4).

internal import RaftCore

/// Watches which configuration is in force on each server.
package struct MembershipChecker: Sendable {
    private struct Seen {
        var change = LogIndex.zero
        var snapshot = LogIndex.zero
    }

    private var seen = NumberedTable<NodeID, Seen>()
    /// How many changes leaders appended.
    package private(set) var changeCount = 0

    package init() {}

    /// A server runs again, from its disk.
    package mutating func restarted(_ core: some ObservedCore) {
        seen[core.id] = Seen(change: core.configurationIndex, snapshot: core.snapshotIndex)
    }

    /// Nil, or what is wrong with the membership that the server goes by.
    package mutating func look(at core: some ObservedCore) -> String? {
        let before = seen[core.id] ?? Seen()
        guard core.configurationIndex != before.change || core.snapshotIndex != before.snapshot else { return nil }
        seen[core.id] = Seen(change: core.configurationIndex, snapshot: core.snapshotIndex)
        if let snapshot = core.snapshot, snapshot.last.index > before.snapshot, core.lastIndex == snapshot.last.index,
            core.logStart.index == core.lastIndex, core.configuration != snapshot.configuration
        {
            return "membership: server \(core.id) installed a snapshot with \(snapshot.configuration) and goes by "
                + "\(core.configuration)"
        }
        guard core.role == .leader, core.configurationIndex > before.change,
            core.term(at: core.configurationIndex) == core.term
        else { return nil }
        changeCount += 1
        if core.term(at: core.commitIndex) != core.term {
            return "membership: server \(core.id) changed it before it had committed in \(core.term)"
        }
        if before.change > core.commitIndex {
            return "membership: server \(core.id) appended a change at \(core.configurationIndex) while that at "
                + "\(before.change) was under way"
        }
        return nil
    }
}
