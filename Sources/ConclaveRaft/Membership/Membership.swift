// Who takes part and where they are found, as one server sees it: between the core, the transport and the operators.

import ConclaveNet
import RaftCore

/// What the consensus actor is told about the members of the cluster.
enum MembershipMessage: Sendable {
    /// Frames to this incarnation of a peer arrive from now on.
    case linkUp(NodeID, incarnation: UInt64)
    /// A peer says who it is.
    case introduced(MemberRecord)
    /// A member says that the committed configuration of this entry is without this server.
    case reportedRemoved(of: LogIndex)
    /// An operator asks this server.
    case asked(AdminCommand, AdminCompletion)
    /// A follower passes on what an operator asked it.
    case passedOn(AdminCommand, request: UInt64, from: NodeID)
    /// The leader's answer to what was passed on.
    case answered(request: UInt64, by: NodeID, AdminError?)
}

/// A server's part in its cluster.
public enum MemberStanding: String, Hashable, Sendable {
    /// It has a vote.
    case voter
    /// It gets all that is written but has no vote.
    case learner
    /// It has not been added to a cluster yet, or does not know it.
    case waiting
    /// It was a member and is none any more.
    case removed
}

extension RaftCore {
    /// This server's own part.
    var standing: MemberStanding {
        if isRemoved { return .removed }
        // It may be on the way out already: it is what it was until that is committed.
        for configuration in openConfigurations.reversed() {
            if configuration.isVoter(id) { return .voter }
            if configuration.learners.contains(id) { return .learner }
        }
        return .waiting
    }
}

/// Follows the configuration: links go to those who are in it, and data directories that are not theirs are refused.
struct Membership {
    /// Servers that introduced themselves without being members: answered as long as they are linked to. One more takes the place of
    /// the one with the lowest number.
    private static let strangerBound = 16

    /// What this server says of itself, without an address where the transport finds everybody by number; nil: nothing.
    private let own: MemberRecord?
    /// Where the operator said at this start that members are found: they may all have been moved, and this may be from before some were.
    private let told: [MemberRecord]
    /// Where members were found by the log at this start; nil before the first look at it.
    private var addressesAtStart: [NodeID: String]?
    /// Who is looked for where the operator said, and not where the log did at this start.
    private var soughtAsTold: Set<NodeID> = []
    /// Ticks after which whoever is not linked to is looked for in the other place.
    private let patience: UInt64
    /// When that is next.
    private var turnAt: UInt64
    private let outbox: Outbox
    private let incarnations: KnownIncarnations
    private var administration: Administration<AdminCompletion>
    /// What others say of themselves.
    private var introduced: [NodeID: MemberRecord] = [:]
    /// Which data directories those have that this server has a link to. Whoever comes back may do so with another one: then what it said
    /// before is not written down (rule P28).
    private var incarnationsUp: [NodeID: UInt64] = [:]
    private var linked: [PeerID: SocketAddress]?
    /// The configurations that links were last brought up to date with; nil: somebody has said something new since.
    private var followed: [Configuration]?

    /// - Parameters:
    ///   - process: see `Administration`.
    ///   - patience: how many ticks a link may take, where there is another place to look for a member.
    init(
        own: MemberRecord?,
        told: [MemberRecord],
        process: UInt64,
        patience: UInt64,
        outbox: Outbox,
        incarnations: KnownIncarnations
    ) {
        administration = Administration(process: process)
        self.own = own
        self.told = told
        self.patience = patience
        turnAt = patience
        self.outbox = outbox
        self.incarnations = incarnations
    }

    /// Whether no request is under way.
    var isIdle: Bool { administration.isIdle }

    // MARK: Messages

    mutating func receive(_ message: consuming MembershipMessage, _ core: inout RaftCore, deadline: UInt64) {
        switch consume message {
        case .linkUp(let peer, let incarnation):
            incarnationsUp[peer] = incarnation
            if let own { outbox.send(.introduction(own), to: peer) }
        case .introduced(let record): introduce(record, core)
        case .reportedRemoved(let index): core.removalReported(of: index)
        case .asked(let command, let completion):
            carryOut(administration.request(command, by: .client(completion), &core, deadline: deadline))
        case .passedOn(let command, let request, let sender):
            let requester = Administration<AdminCompletion>.Requester.server(sender, request: request)
            carryOut(administration.request(command, by: requester, &core, deadline: deadline))
        case .answered(let request, let server, let error):
            let result = error.map { AdminResult.failure($0) } ?? .success(())
            carryOut(administration.answered(request, by: server, result))
        }
    }

    private mutating func introduce(_ record: MemberRecord, _ core: RaftCore) {
        introduced[record.id] = record
        followed = nil
        let members = Set(core.openConfigurations.flatMap(\.members))
        let strangers = introduced.keys.filter { !members.contains($0) && $0 != record.id }.sorted()
        if strangers.count >= Self.strangerBound { introduced[strangers[0]] = nil }
        follow(core)
    }

    /// A peer is not linked to any more. A stranger has to introduce itself again, unless it has said that it moved.
    mutating func linkDown(_ peer: NodeID, hasMoved: Bool, _ core: RaftCore) {
        carryOut(administration.linkDown(peer))
        incarnationsUp[peer] = nil
        guard !hasMoved, introduced[peer] != nil,
            !core.openConfigurations.contains(where: { $0.members.contains(peer) })
        else {
            return
        }
        introduced[peer] = nil
        followed = nil
        follow(core)
    }

    /// Whoever asks for votes and is no member hears so (rule P26): it may have been away when it was removed.
    func answerStranger(_ message: RaftMessage, _ core: RaftCore) {
        switch message.kind {
        case .preVoteRequest, .voteRequest: break
        default: return
        }
        let configuration = core.configuration
        guard core.configurationIndex <= core.commitIndex, !configuration.voters.isEmpty,
            !configuration.isVoter(message.from), !configuration.learners.contains(message.from)
        else { return }
        outbox.send(.notMember(core.configurationIndex), to: message.from)
    }

    // MARK: Progress

    /// Entries may have been committed.
    mutating func proceed(_ core: inout RaftCore) { carryOut(administration.proceed(&core)) }

    mutating func timePassed(_ core: inout RaftCore, now: UInt64) {
        if !isIdle { carryOut(administration.expire(at: now)) }
        if let own, introduced[own.id] != own {
            introduced[own.id] = own
            followed = nil
        }
        if core.role == .leader { administration.keepHouse(introduced.filter { isPresent($0.value) }, &core) }
        if now >= turnAt {
            turnAt = now + patience
            seekElsewhere()
        }
        follow(core)
    }

    /// Whether it is this server, or one that it has a link to, that said so.
    private func isPresent(_ said: MemberRecord) -> Bool {
        said.id == own?.id || (incarnationsUp[said.id] != nil && incarnationsUp[said.id] == said.incarnation)
    }

    /// Whoever was not found yet is looked for in the other place.
    private mutating func seekElsewhere() {
        for record in told where incarnationsUp[record.id] == nil && introduced[record.id] == nil {
            if soughtAsTold.remove(record.id) == nil { soughtAsTold.insert(record.id) }
            followed = nil
        }
    }

    mutating func leaderChanged(to leader: NodeID) { carryOut(administration.leaderChanged(to: leader)) }

    mutating func transferAborted() { carryOut(administration.transferAborted()) }

    private func carryOut(_ actions: [Administration<AdminCompletion>.Action]) {
        for action in actions {
            switch action {
            case .answer(.client(let completion), let result): completion.end(result)
            case .answer(.server(let server, let request), let result):
                var error: AdminError?
                if case .failure(let failure) = result { error = failure }
                outbox.send(.adminReply(request, error), to: server)
            case .forward(let command, let request, let leader):
                outbox.send(.adminRequest(request, command), to: leader)
            }
        }
    }

    // MARK: Following the configuration

    /// Brings links and known incarnations up to date. Whoever is on the way out stays linked until that is committed.
    mutating func follow(_ core: RaftCore) {
        let configurations = core.openConfigurations
        guard configurations != followed else { return }
        followed = configurations
        var peers: [PeerID: SocketAddress] = [:]
        for configuration in configurations {
            for record in configuration.records { link(record, &peers) }
        }
        let addresses = Dictionary(
            configurations.flatMap(\.records).map { ($0.id, $0.peerAddress) },
            uniquingKeysWith: { $1 }
        )
        let atStart = addressesAtStart ?? addresses
        if addressesAtStart == nil, let own, own.peerAddress != atStart[own.id] {
            // This server has been moved: so the others have probably been, too.
            soughtAsTold = Set(told.map(\.id))
        }
        addressesAtStart = atStart
        for record in told where soughtAsTold.contains(record.id) {
            // What was written since the start is newer.
            if let address = addresses[record.id], address == atStart[record.id] { link(record, &peers) }
        }
        // What a server says of itself is newer than what is written of it, or is the same.
        for record in introduced.values.sorted(by: { $0.id < $1.id }) { link(record, &peers) }
        peers[PeerID(core.id.rawValue)] = nil
        incarnations.follow(core.configuration)
        // Without addresses the transport knows by itself where everybody is.
        guard let own, !own.peerAddress.isEmpty, peers != linked else { return }
        linked = peers
        outbox.transport.setPeers(peers)
    }

    private func link(_ record: MemberRecord, _ peers: inout [PeerID: SocketAddress]) {
        guard let address = try? SocketAddress(record.peerAddress) else { return }
        peers[PeerID(record.id.rawValue)] = address
    }
}
