// What only grows while a server runs, and the order of its marks: purged ≤ snapshot ≤ applied ≤ committed ≤ last.

package import RaftCore

/// Compares each server with what it was a step before.
package struct ProgressChecker: Sendable {
    private struct Seen {
        var hardState = HardState()
        var commit = LogIndex.zero
        var applied = LogIndex.zero
        var snapshot = LogIndex.zero
    }

    private var seen = NumberedTable<NodeID, Seen>()

    package init() {}

    /// The server starts anew: it knows its commit index only when it hears it, and of its term what was on the disk. What it promised
    /// is another checker's.
    package mutating func restarted(_ server: NodeID) { seen[server] = nil }

    /// Nil, or what went back or is out of order. `applied` is what the state machine has applied.
    package mutating func look(at core: some ObservedCore, applied: LogIndex) -> String? {
        let now = Seen(
            hardState: core.hardState,
            commit: core.commitIndex,
            applied: applied,
            snapshot: core.snapshotIndex
        )
        let before = seen.updateValue(now, forKey: core.id)
        if let before {
            if now.hardState.term < before.hardState.term {
                return "\(name(core)) \(before.hardState.term) went back to \(now.hardState.term)"
            }
            if now.hardState.term == before.hardState.term, let vote = before.hardState.vote, now.hardState.vote != vote
            {
                return "\(name(core)) changed its vote for \(vote) in \(core.term)"
            }
            for (what, old, new) in [
                ("commit index", before.commit, now.commit), ("applied index", before.applied, now.applied),
                ("snapshot", before.snapshot, now.snapshot),
            ] where new < old {
                return "\(name(core)) \(what) \(old) went back to \(new)"
            }
        }
        // A leader's snapshot is the log's beginning before the state machine has it.
        let isInstalled = now.snapshot == core.logStart.index
        guard core.logStart.index <= now.snapshot, now.snapshot <= applied || isInstalled, applied <= now.commit,
            now.snapshot <= now.commit, now.commit <= core.lastIndex, core.persistedIndex <= core.lastIndex
        else {
            return "\(name(core)) log from \(core.logStart.index), snapshot \(now.snapshot), applied \(applied), "
                + "committed \(now.commit), last \(core.lastIndex), persisted \(core.persistedIndex)"
        }
        return nil
    }

    private func name(_ core: some ObservedCore) -> String { "progress: server \(core.id):" }
}
