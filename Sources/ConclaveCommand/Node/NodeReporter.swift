import Conclave
import ConclaveNet
import ConclaveRaft
import RaftCore

/// Tells the launcher, or the person at the terminal, what role the server has.
///
/// An actor with a thread of its own: consensus must not wait for whoever reads the output (raft-rules P41).
struct NodeReporter: Behavior {
    enum Message: Sendable {
        /// Something to be told once.
        case tell(NodeEvent)
        case changed(RaftEvent)
        case standing(MemberStanding)
        case network(NetworkEvent)
    }

    let id: NodeID
    private var role = RaftRole.follower
    private var term = Term.zero
    private var leader: NodeID?
    private var reported: NodeEvent?
    private var standing: MemberStanding?
    /// Refusals that were told, each once.
    private var told: Set<String> = []

    private let write: @Sendable (NodeEvent) -> Void

    private init(id: NodeID, write: @escaping @Sendable (NodeEvent) -> Void) {
        self.id = id
        self.write = write
    }

    /// Starts one below the root of `system`. `write` may take as long as it likes.
    static func start(
        in system: ActorSystem,
        id: NodeID,
        write: @escaping @Sendable (NodeEvent) -> Void
    ) throws -> ActorRef<Message> {
        try system.spawn("reporter", options: SpawnOptions(runsOn: .ownThread)) { NodeReporter(id: id, write: write) }
    }

    mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
        switch consume message {
        case .tell(let event): write(event)
        case .standing(let new): standingChanged(to: new)
        case .network(let event): networkChanged(event)
        case .changed(.roleChanged(let role, let term)):
            self.role = role
            self.term = term
        case .changed(.leaderChanged(let leader, let term)):
            self.leader = leader
            self.term = term
        case .changed(.quarantineOver): write(.repaired(id: id))
        case .changed(.snapshotDamaged(_, let reason)):
            tellOnce(
                "server \(id.rawValue) cannot read its snapshot, which another server needs, and takes a new one: \(reason)"
            )
        case .changed(.configurationChanged), .changed(.transferAborted), .changed(.diskStalled): break
        }
    }

    /// Once a batch, since one step of an election brings several changes.
    mutating func batchEnded(_ context: borrowing Context<Message>) {
        let event = NodeEvent.role(id: id, role: ServerRole(role), term: term, leader: leader)
        guard event != reported, term > .zero else { return }
        reported = event
        write(event)
    }

    /// A founding voter that is one still is no news.
    private mutating func standingChanged(to new: MemberStanding) {
        defer { standing = new }
        if standing == nil, new == .voter { return }
        write(.standing(id: id, new))
    }

    private mutating func networkChanged(_ event: NetworkEvent) {
        if let peer = event.refusedForIncarnation {
            tellOnce(
                """
                server \(id.rawValue) is refused by server \(peer.rawValue): this id belonged to another data \
                directory. If that one is lost, remove the server and add it again: 'conclave remove \(id.rawValue)', \
                start it with --join, 'conclave add \(id.rawValue) …'
                """
            )
        }
        if let peer = event.differsInTiming {
            tellOnce(
                """
                server \(id.rawValue) and server \(peer.rawValue) do not talk: one of them answers reads under a lease, and their \
                times differ. Start all servers with the same --lease-reads, or all without
                """
            )
        }
        switch event {
        case .peerConnectionEnded(_, .refused(.incarnation)), .linkFailed(_, .refused(.incarnation), _):
            tellOnce("server \(id.rawValue) refuses a server whose id belonged to another data directory")
        default: break
        }
    }

    private mutating func tellOnce(_ text: String) {
        if told.insert(text).inserted { StandardStreams.writeError(text + "\n") }
    }
}

extension NodeEvent {
    /// Puts the event where programs, or people, read.
    func print(json: Bool) {
        if json {
            StandardStreams.writeOutput(jsonLine + "\n")
        } else {
            StandardStreams.writeError(text + "\n")
        }
    }

    /// For people.
    private var text: String {
        switch self {
        case .ready(let id, let clientPort, let peerPort):
            "server \(id.rawValue) serves clients on 127.0.0.1:\(clientPort) and its peers on 127.0.0.1:\(peerPort)"
        case .role(let id, let role, let term, let leader):
            "server \(id.rawValue) is \(role.rawValue) in term \(term.rawValue)"
                + (leader.map { ", the leader is \($0.rawValue)" } ?? ", no leader is known")
        case .quarantined(let id, let entries):
            "server \(id.rawValue) starts in quarantine: entries \(entries.lowerBound.rawValue) to "
                + "\(entries.upperBound.rawValue) are in doubt. It does not campaign, nor deny that it has them, until the "
                + "leader has sent them again"
        case .repaired(let id):
            "server \(id.rawValue) has back what was damaged and takes its full part again"
        case .standing(let id, .voter): "server \(id.rawValue) is a voter"
        case .standing(let id, .learner): "server \(id.rawValue) is a learner"
        case .standing(let id, .waiting):
            "server \(id.rawValue) waits to be added: 'conclave add \(id.rawValue) HOST:PORT' with its peer port"
        case .standing(let id, .removed): "server \(id.rawValue) was removed from the cluster and may be stopped"
        }
    }
}

extension ServerRole {
    fileprivate init(_ role: RaftRole) {
        self =
            switch role {
            case .leader: .leader
            case .follower: .follower
            case .preCandidate, .candidate: .candidate
            }
    }
}
