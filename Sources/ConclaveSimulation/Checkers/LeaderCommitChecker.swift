// A leader commits by counting only what it appended itself (Raft §5.4.2, rule P1), and never drops an entry (figure 3).

package import RaftCore

/// Watches commit index and log of whoever leads.
package struct LeaderCommitChecker: Sendable {
    private struct Seen {
        var term: Term
        var commit: LogIndex
        var last: LogIndex
    }

    /// Of those that lead.
    private var seen = NumberedTable<NodeID, Seen>()

    package init() {}

    /// A server runs again: it does not lead.
    package mutating func restarted(_ server: NodeID) { seen[server] = nil }

    /// Nil, or what a leader did that it must not do.
    package mutating func look(at core: some ObservedCore) -> String? {
        guard core.role == .leader else {
            if seen[core.id] != nil { seen[core.id] = nil }
            return nil
        }
        let before = seen.updateValue(
            Seen(term: core.term, commit: core.commitIndex, last: core.lastIndex),
            forKey: core.id
        )
        guard let before, before.term == core.term else { return nil }
        if core.lastIndex < before.last {
            return "leader append-only: server \(core.id) dropped \(core.lastIndex.next) while it led in \(core.term)"
        }
        guard core.commitIndex > before.commit, let term = core.term(at: core.commitIndex), term != core.term else {
            return nil
        }
        return
            "leader commits own term: server \(core.id) committed \(core.commitIndex) of \(term) by counting in \(core.term)"
    }
}
