// Election safety: at most one leader in a term (Raft §5.2).

package import RaftCore

/// Remembers who led in which term.
package struct ElectionSafetyChecker: Sendable {
    private var leaders: [Term: NodeID] = [:]
    /// How many terms had a leader.
    package var electionCount: Int { leaders.count }

    package init() {}

    /// A server became leader. Nil, or what is wrong with that.
    package mutating func elected(_ server: NodeID, in term: Term) -> String? {
        if let other = leaders[term], other != server {
            return "election safety: servers \(other) and \(server) both lead in term \(term)"
        }
        leaders[term] = server
        return nil
    }
}
