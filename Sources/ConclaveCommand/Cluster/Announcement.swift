import RaftCore

/// Something that happened to the cluster, told as a JSON line or as a sentence.
enum Announcement: Equatable {
    case nodeStarted(id: NodeID, pid: Int32, clientPort: UInt16, peerPort: UInt16)
    /// The server listens on both ports.
    case nodeReady(id: NodeID)
    /// `restartIn` is nil when it is not started again.
    case nodeExited(id: NodeID, pid: Int32, status: ChildExit, restartIn: Duration?)
    /// A server says that it leads, in a term higher than that of any leader before.
    case leader(id: NodeID, term: Term)
    /// A server became something else than leader. Not part of the JSON lines.
    case roleChanged(id: NodeID, role: ServerRole, term: Term)
    /// A server found its log damaged when it started: it does not campaign until the others have repaired it.
    case nodeQuarantined(id: NodeID, entries: ClosedRange<LogIndex>)
    case nodeRepaired(id: NodeID)
    /// For the first time, all servers listen and one of them leads.
    case clusterReady
    case stopping
    case stopped
    case error(String)

    /// What a program reads; nil for what only people are told.
    var jsonLine: String? {
        var line = JSONLine()
        switch self {
        case .nodeStarted(let id, let pid, let clientPort, let peerPort):
            line.begin("node-started", of: id)
            line.add("pid", pid)
            line.addPorts(client: clientPort, peer: peerPort)
        case .nodeReady(let id):
            line.begin("node-ready", of: id)
        case .nodeExited(let id, let pid, let status, let restartIn):
            line.begin("node-exited", of: id)
            line.add("pid", pid)
            switch status {
            case .code(let code): line.add("status", code)
            case .signal(let signal): line.add("signal", signal)
            }
            if let restartIn { line.add("restartInSeconds", seconds: restartIn) }
        case .leader(let id, let term):
            line.begin("leader", of: id)
            line.add("term", term.rawValue)
        case .roleChanged:
            return nil
        case .nodeQuarantined(let id, let entries):
            line.begin("node-quarantined", of: id)
            line.addEntries(entries)
        case .nodeRepaired(let id):
            line.begin("node-repaired", of: id)
        case .clusterReady: line.add("event", "cluster-ready")
        case .stopping: line.add("event", "stopping")
        case .stopped: line.add("event", "stopped")
        case .error(let message):
            line.add("event", "error")
            line.add("message", message)
        }
        return line.text
    }

    /// What a person reads.
    var sentence: String {
        switch self {
        case .nodeStarted(let id, let pid, let clientPort, let peerPort):
            return "server \(id.rawValue) started: pid \(pid), client port \(clientPort), peer port \(peerPort)"
        case .nodeReady(let id):
            return "server \(id.rawValue) listens"
        case .nodeExited(let id, _, let status, let restartIn):
            let next = restartIn.map { ": starting it again in \($0.secondsText) s" } ?? ""
            return "server \(id.rawValue) \(status.description)\(next)"
        case .leader(let id, let term):
            return "server \(id.rawValue) is the leader (term \(term.rawValue))"
        case .roleChanged(let id, let role, let term):
            return "server \(id.rawValue) is a \(role.rawValue) (term \(term.rawValue))"
        case .nodeQuarantined(let id, let entries):
            return "server \(id.rawValue) has a damaged log, entries \(entries.lowerBound.rawValue) to "
                + "\(entries.upperBound.rawValue) are in doubt: it does not campaign until the others have repaired it"
        case .nodeRepaired(let id): return "server \(id.rawValue) is repaired"
        case .clusterReady: return "the cluster is ready"
        case .stopping: return "stopping all servers"
        case .stopped: return "all servers are stopped"
        case .error(let message): return "error: \(message)"
        }
    }

    /// On a terminal the table shows the rest.
    var isWorthALineAboveTheTable: Bool {
        switch self {
        case .nodeExited, .nodeQuarantined, .nodeRepaired, .clusterReady, .stopping, .stopped, .error: true
        case .nodeStarted, .nodeReady, .leader, .roleChanged: false
        }
    }
}
