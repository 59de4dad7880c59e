import Conclave
import RaftCore

/// Tells the launcher, or the person at the terminal, what role the server has.
///
/// An actor with a thread of its own: consensus must not wait for whoever reads the output (raft-rules P41).
struct NodeReporter: Behavior {
    enum Message: Sendable {
        /// Something to be told once.
        case tell(NodeEvent)
        case changed(RaftEvent)
    }

    let id: NodeID
    private var role = RaftRole.follower
    private var term = Term.zero
    private var leader: NodeID?
    private var reported: NodeEvent?

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
        case .changed(.roleChanged(let role, let term)):
            self.role = role
            self.term = term
        case .changed(.leaderChanged(let leader, let term)):
            self.leader = leader
            self.term = term
        case .changed(.quarantineOver): write(.repaired(id: id))
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
