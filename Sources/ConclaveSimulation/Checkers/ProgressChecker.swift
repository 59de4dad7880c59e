// What only grows while a server runs: its term, its commit index and its applied index.

package import ConclaveRaft
package import RaftCore

/// Compares what a server publishes with what it published before.
package struct ProgressChecker: Sendable {
    private var last: [NodeID: RaftStatus] = [:]

    package init() {}

    /// The server starts anew: it knows its commit index only when it hears it, and of its term what was on the disk. What it published
    /// a moment before a crash may not have been: only messages wait for that, and whoever leads twice is caught by those.
    package mutating func restarted(_ server: NodeID) { last[server] = nil }

    /// Nil, or what went back. The applied index is published apart from the rest, so it is held against itself only.
    package mutating func look(at status: RaftStatus) -> String? {
        defer { last[status.id] = status }
        guard let before = last[status.id], status.term != .zero else { return nil }
        if status.term < before.term { return "server \(status.id): term \(before.term) went back to \(status.term)" }
        if status.commitIndex < before.commitIndex {
            return "server \(status.id): commit index \(before.commitIndex) went back to \(status.commitIndex)"
        }
        if status.appliedIndex < before.appliedIndex {
            return "server \(status.id): applied index \(before.appliedIndex) went back to \(status.appliedIndex)"
        }
        return nil
    }
}
