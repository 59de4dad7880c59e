import ConclaveRaft
import RaftCore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What a server tells its launcher: one JSON object per line on standard output, when started with `--json`.
///
/// The contract between `conclave node` and whoever starts it. A reader ignores events that it does not know.
enum NodeEvent: Equatable {
    /// Printed once, when both ports listen:
    /// `{"event":"ready","id":1,"clientPort":7001,"peerPort":7101}`
    case ready(id: NodeID, clientPort: UInt16, peerPort: UInt16)
    /// Printed on each change of role, term or known leader:
    /// `{"event":"role","id":1,"role":"follower","term":3,"leader":2}`; `leader` is absent while unknown.
    case role(id: NodeID, role: ServerRole, term: Term, leader: NodeID?)
    /// Printed at the start of a server whose log is damaged, with the entries that are in doubt:
    /// `{"event":"quarantined","id":1,"firstEntry":12,"lastEntry":40}`
    case quarantined(id: NodeID, entries: ClosedRange<LogIndex>)
    /// Printed when the other servers have repaired it: `{"event":"repaired","id":1}`
    case repaired(id: NodeID)
    /// Printed when the server's part in the cluster changes, and at first unless it is a voter:
    /// `{"event":"standing","id":4,"standing":"learner"}`; also `voter`, `waiting` (to be added) and `removed`.
    case standing(id: NodeID, MemberStanding)

    /// The line without its line end.
    var jsonLine: String {
        var line = JSONLine()
        switch self {
        case .ready(let id, let clientPort, let peerPort):
            line.begin("ready", of: id)
            line.addPorts(client: clientPort, peer: peerPort)
        case .role(let id, let role, let term, let leader):
            line.begin("role", of: id)
            line.add("role", role.rawValue)
            line.add("term", term.rawValue)
            if let leader { line.add("leader", leader.rawValue) }
        case .quarantined(let id, let entries):
            line.begin("quarantined", of: id)
            line.addEntries(entries)
        case .repaired(let id):
            line.begin("repaired", of: id)
        case .standing(let id, let standing):
            line.begin("standing", of: id)
            line.add("standing", standing.rawValue)
        }
        return line.text
    }

    /// - Returns: nil when the line is not one of these events.
    init?(jsonLine: some StringProtocol) {
        guard let wire = try? JSONDecoder().decode(Wire.self, from: Data(jsonLine.utf8)) else { return nil }
        switch wire.event {
        case "ready":
            guard let clientPort = wire.clientPort, let peerPort = wire.peerPort else { return nil }
            self = .ready(id: NodeID(wire.id), clientPort: clientPort, peerPort: peerPort)
        case "role":
            guard let role = wire.role.flatMap(ServerRole.init), let term = wire.term else { return nil }
            self = .role(id: NodeID(wire.id), role: role, term: Term(term), leader: wire.leader.map { NodeID($0) })
        case "quarantined":
            guard let first = wire.firstEntry, let last = wire.lastEntry, first <= last else { return nil }
            self = .quarantined(id: NodeID(wire.id), entries: LogIndex(first)...LogIndex(last))
        case "repaired":
            self = .repaired(id: NodeID(wire.id))
        case "standing":
            guard let standing = wire.standing.flatMap(MemberStanding.init) else { return nil }
            self = .standing(id: NodeID(wire.id), standing)
        default:
            return nil
        }
    }

    private struct Wire: Decodable {
        var event: String
        var id: UInt64
        var clientPort: UInt16?
        var peerPort: UInt16?
        var role: String?
        var term: UInt64?
        var leader: UInt64?
        var firstEntry: UInt64?
        var lastEntry: UInt64?
        var standing: String?
    }
}

/// A server's part in the current term, as launchers and people see it.
enum ServerRole: String, Equatable {
    case leader
    case follower
    /// Also while it only asks whether an election would succeed.
    case candidate
}
