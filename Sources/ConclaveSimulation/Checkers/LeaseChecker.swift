// Leases: who holds one is the only leader that commits, since nobody who promised that elects another (rule P24).

package import RaftCore

/// Watches servers that grant leases, by their own clocks.
package struct LeaseChecker: Sendable {
    private struct Seen {
        /// When it last heard its leader, in ticks since its start.
        var heardAt: UInt64 = 0
        var hardState = HardState()
    }

    private var seen = NumberedTable<NodeID, Seen>()

    package init() {}

    /// A server runs again. It may have heard a leader right before.
    package mutating func restarted(_ server: NodeID, _ hardState: HardState) {
        seen[server] = Seen(hardState: hardState)
    }

    /// A server heard the leader that it follows, at a tick of its clock.
    package mutating func heard(_ server: NodeID, at now: UInt64) { seen[server, default: Seen()].heardAt = now }

    /// What a server remembers after a step, in which its leader asked for an election or not. Nil, or which promise it broke.
    ///
    /// - Parameter patience: for how many ticks it has promised its leader, with each word that it hears, to elect nobody.
    package mutating func look(
        at server: NodeID,
        _ hardState: HardState,
        now: UInt64,
        patience: UInt64,
        isTransfer: Bool
    ) -> String? {
        let before = seen[server, default: Seen()]
        guard hardState != before.hardState else { return nil }
        seen[server]?.hardState = hardState
        guard let vote = hardState.vote, !isTransfer, now < before.heardAt + patience else { return nil }
        return
            "lease promise: server \(server) votes for \(vote) in \(hardState.term) \(now - before.heardAt) ticks after its "
            + "leader's last word, and has promised \(patience)"
    }

    /// A leader may answer reads from its lease. Nil, or who else has committed meanwhile.
    package func holdsLease(_ server: NodeID, in term: Term, lastCommitIn other: Term) -> String? {
        if other <= term { return nil }
        return "lease: server \(server) may answer reads from its lease of \(term), and \(other) has committed"
    }
}
