import RaftCore

/// The table of servers that follows the leader.
struct ClusterTable: Equatable {
    struct Row: Equatable {
        var id: NodeID
        /// "leader", "follower", "candidate", or "-" while unknown.
        var role: String
        var clientPort: UInt16
        var pid: String
        var state: String
        var term: String

        init(_ server: ClusterLauncher.Server) {
            id = server.plan.id
            role = server.role?.rawValue ?? "-"
            clientPort = server.plan.clientPort
            pid = server.state.pid.map(String.init) ?? "-"
            term = server.term.map { String($0.rawValue) } ?? "-"
            state =
                switch server.state {
                case .notStarted: "starting"
                case .starting: "starting"
                case .running: "running"
                case .restarting(let delay): "restarting in \(delay.secondsText) s"
                case .failed(.code(let code)): "failed (exit code \(code))"
                case .failed(.signal(let signal)): "failed (signal \(signal))"
                case .stopped: "stopped"
                }
        }
    }

    var rows: [Row]

    /// A heading and one line a server, none wider than a narrow terminal.
    var lines: [String] {
        let cells =
            [["id", "role", "port", "pid", "term", "state"]]
            + rows.map { ["\($0.id.rawValue)", $0.role, "\($0.clientPort)", $0.pid, $0.term, $0.state] }
        let widths = cells[0].indices.map { column in cells.map { $0[column].count }.max() ?? 0 }
        return cells.map { row in
            let line = zip(row, widths).map { padded($0, to: $1) }.joined(separator: "  ")
            return "  " + line.reversed().drop { $0 == " " }.reversed()
        }
    }
}
