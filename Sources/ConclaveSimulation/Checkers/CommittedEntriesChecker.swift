// Committed entries never change, and every leader has them all (Raft §5.4).

package import RaftCore

/// Knows which entries were ever committed anywhere, by the term of each.
package struct CommittedEntriesChecker: Sendable {
    /// From index 1.
    private var terms: [Term] = []
    /// By which term each of them was known to be committed, at the latest.
    private var committedBy: [Term] = []
    /// What was looked at of each server.
    private var seen = NumberedTable<NodeID, LogIndex>()
    /// How many entries are known to be committed.
    package var count: Int { terms.count }

    /// The term whose leader was the last to commit anything new.
    package var lastCommitTerm: Term { committedBy.last ?? .zero }

    package init() {}

    /// A server runs again: it knows its commit index only when it hears it.
    package mutating func restarted(_ server: NodeID) { seen[server] = nil }

    /// Nil, or what is wrong with what the server takes for committed.
    package mutating func look(at core: some ObservedCore) -> String? {
        let before = seen[core.id] ?? .zero
        guard core.commitIndex > before else { return nil }
        seen[core.id] = core.commitIndex
        var index = max(before.next, core.logStart.index)
        if index == .zero { index = index.next }
        while index <= core.commitIndex {
            guard let term = core.term(at: index) else {
                return "committed entries: server \(core.id) committed \(index), which is not in its log"
            }
            let place = Int(index.rawValue) - 1
            if place > terms.count {
                return "committed entries: server \(core.id) has a snapshot of \(index); nobody committed that"
            }
            if place == terms.count {
                terms.append(term)
                committedBy.append(core.term)
            } else if terms[place] != term {
                return
                    "committed entries: server \(core.id) has \(index) of \(term), committed was that of \(terms[place])"
            }
            index = index.next
        }
        return nil
    }

    /// Leader completeness (Raft §5.4.3). Nil, or what the new leader lacks of what earlier terms committed: a candidate that was paused
    /// may count its last vote when others have long led, and committed, in a later term.
    package func elected(_ core: some ObservedCore) -> String? {
        var place = Int(core.logStart.index.rawValue)
        while place < terms.count {
            let index = LogIndex(UInt64(place + 1))
            if committedBy[place] < core.term, core.term(at: index) != terms[place] {
                return "leader completeness: server \(core.id) leads in \(core.term) without committed \(index)"
            }
            place += 1
        }
        return nil
    }
}
