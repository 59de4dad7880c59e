// A server of a cluster, for programs that embed one.

public import Conclave
import ConclaveNet
public import RaftCore
import RaftLog
import Synchronization

/// What a node is told of its cluster and of itself.
public struct RaftNodeOptions: Sendable {
    /// Names the cluster: nodes and data of clusters with other names are refused. The same on all its nodes.
    public var cluster: String
    /// This node; no two nodes of a cluster, past or present, have the same.
    public var id: NodeID
    /// All nodes that the cluster is founded with, this one among them. Empty: the cluster is there, and this node waits to be added.
    ///
    /// Found a cluster with all of them running. A node whose storage was lost is refused by those who have met it before, or know of it by
    /// the log; those who have not would count on what it has forgotten.
    public var members: Set<NodeID>
    /// The leader says so once in this time when it has nothing else to say; at least 5 ms. A follower that hears nothing for 3 to 6
    /// times as long stands for election.
    public var heartbeat = Duration.milliseconds(100)
    /// How long a try of a request may take before it is given up. A client tries again for as long as its own timeout says.
    public var requestTimeout = Duration.seconds(5)
    /// How far apart the nodes' clocks may run, in percent of the time that passes (1 to 50; 5 is plenty), if the leader is to answer
    /// queries under a lease, without a word to the others. Nil, the default: a majority confirms each answer.
    ///
    /// What one bets on: that no clock runs more than so much slower than another's, and that none stands still while others go on, as that
    /// of a machine that is put to sleep does. A bet that is lost lets an old leader give answers that are no longer true. Give all nodes
    /// the same, and the same heartbeat: over TCP, a node that differs is not talked to (`RaftNodeEvent.timingDiffers`), since it
    /// would not keep to what the others rely on. A leader that dies is replaced a little later, since its lease has to run out first.
    ///
    /// Stop all nodes before leases or their times are changed or switched off: a node that is restarted promises by its new options what
    /// others still count on by the old ones.
    public var leaseReadDriftPercent: Int?
    /// A snapshot is taken when the log has grown by so many bytes,
    public var snapshotAfterBytes = 128 << 20
    /// or by so many entries.
    public var snapshotAfterEntries = 500_000

    /// A node of the cluster that is founded with `members`.
    public init(cluster: String, id: NodeID, members: Set<NodeID>) {
        precondition(members.contains(id), "\(id) is not among the members \(members.sorted())")
        self.cluster = cluster
        self.id = id
        self.members = members
    }

    /// A node that is yet to be added to a cluster, with `RaftClient.add`. Until then it waits.
    public init(joining cluster: String, id: NodeID) {
        self.cluster = cluster
        self.id = id
        members = []
    }

    /// How consensus is run.
    fileprivate var consensus: ConsensusOptions {
        precondition(
            members.isEmpty || members.contains(id),
            "\(id) is not among the members \(members.sorted())"
        )
        precondition((1...50).contains(leaseReadDriftPercent ?? 1), "clocks drift by 1 to 50 percent")
        precondition(heartbeat >= .milliseconds(5), "a heartbeat takes at least 5 ms, not \(heartbeat)")
        precondition(requestTimeout > .zero, "a request that may take \(requestTimeout) would never be answered")
        var consensus = ConsensusOptions()
        consensus.timing.leaseDriftPercent = leaseReadDriftPercent
        consensus.tick = heartbeat / consensus.timing.heartbeatTicks
        consensus.requestTimeout = requestTimeout
        consensus.snapshotPolicy.logBytes = snapshotAfterBytes
        consensus.snapshotPolicy.entries = snapshotAfterEntries
        return consensus
    }
}

/// What a node tells about itself.
public enum RaftNodeEvent: Hashable, Sendable {
    /// It is now `role` in `term`.
    case roleChanged(RaftRole, term: Term)
    /// It now takes `leader` for the leader of `term`; nil: it knows none.
    case leaderChanged(NodeID?, term: Term)
    /// It started with a damaged log (`RaftStatus.isQuarantined`), and the others have repaired it.
    case repaired
    /// The file of its snapshot turned out to be damaged, or unreadable, when another node needed it. It takes a new one of its state,
    /// which is sound. Should that fail, this is told again with the next attempt, 5 s later or more.
    case snapshotDamaged(reason: String)
    /// Its part in the cluster is now another one. Told once at the start as well.
    case standingChanged(MemberStanding)
    /// `member` does not speak to this node, since its id belonged to another storage. If that is lost, remove the node, and add it again.
    case refused(by: NodeID)
    /// This node and that one do not talk: one of them answers queries under a lease, and their `leaseReadDriftPercent` or `heartbeat`
    /// differ.
    case timingDiffers(from: NodeID)
}

/// Why a node does not start. Whatever was started of it is stopped again; its storage is left as it was found, or newly founded.
public struct RaftNodeError: Error, Sendable, CustomStringConvertible {
    /// What stands in its way.
    public enum Reason: Hashable, Sendable {
        /// The storage cannot be used: in use, another node's, damaged beyond what others could repair, or failing.
        case storage
        /// The state machine threw while it read its snapshot.
        case machine
        /// The operating system gives no sockets.
        case sockets
        /// The actor system has a node already, or is shutting down.
        case system
    }

    /// What stands in its way.
    public let reason: Reason
    /// What was thrown; for `machine`, the state machine's own error.
    public let cause: any Error
    /// What is wrong and what to do about it, for people to read.
    public var description: String { "\(cause)" }

    init(_ reason: Reason, _ cause: any Error) {
        self.reason = reason
        self.cause = cause
    }

    /// Of what starting a server throws.
    init(starting cause: any Error) {
        let reason: Reason =
            switch cause {
            case is LogError, is RestoreError, is WireError, is DiskError: .storage
            case is SpawnError: .system
            case is SocketError: .sockets
            default: .machine
            }
        self.init(reason, cause)
    }
}

/// A running node: one replica of `Machine` and one vote.
///
/// It is a supervision tree below the root of an actor system, which has room for one node. It ends when the system is shut down, or
/// as a whole when one of its actors fails, for example because the disk failed: it must then be started again from its storage.
public struct RaftNode<Machine: StateMachine>: Sendable {
    let server: RaftServer<Machine>
    /// How its log was found when the node started, for people to read: that a batch was torn off by a crash, that entries are damaged.
    /// Empty when all was well.
    public let recoveryNotes: [String]
    /// The node's own news, as they happen.
    public let events: Topic<RaftNodeEvent>
    private let end: Task<ExitReason, Never>

    /// Starts a node: founds its part of the cluster in an empty storage, or goes on from what is there. Reads the whole log, and
    /// blocks meanwhile.
    ///
    /// - Parameters:
    ///   - machine: one that has applied nothing.
    ///   - system: takes the node's actors, and no other node.
    /// - Throws: `RaftNodeError`.
    public init(
        _ options: RaftNodeOptions,
        machine: Machine,
        storage: RaftStorage,
        transport: RaftTransport,
        in system: ActorSystem
    ) throws(RaftNodeError) {
        let consensus = options.consensus
        let cluster = ClusterID(stableHash(options.cluster))
        let (log, recovered) = try storage.open(options.id, of: cluster)
        recoveryNotes = recovered.notes
        let watcher = try transport.socketEvents()
        let (events, failure) = (Topic<RaftNodeEvent>(), NodeFailure())
        let way = transport.open(
            Handshake(
                cluster: cluster.number,
                node: PeerID(options.id.rawValue),
                incarnation: recovered.identity.incarnation,
                timing: consensus.leaseTiming
            ),
            watcher: watcher
        ) { events.publish($0) }
        var configuration = RaftServerConfiguration(
            id: options.id,
            founders: transport.founders(options.members),
            seed: UInt64.random(in: .min ... .max),
            process: UInt64.random(in: .min ... .max)
        )
        configuration.options = consensus
        configuration.own = transport.record(of: options.id, incarnation: recovered.identity.incarnation)
        configuration.onEvent = { if let event = RaftNodeEvent($0) { events.publish(event) } }
        configuration.onStanding = { events.publish(.standingChanged($0)) }
        do {
            server = try RaftServer(
                configuration,
                machine: machine,
                log: log,
                recovered: recovered,
                transport: way,
                in: system,
                onFailure: { failure.note($0) }
            )
        } catch {
            watcher?.stop()
            throw RaftNodeError(starting: error)
        }
        self.events = events
        let server = server
        end = Task {
            let reason = await server.terminated()
            watcher?.stop()
            // Gone before this task looked: then by its system, or with a failure noted.
            if let failure = failure.reason { return failure }
            if case .noProcess = reason { return .shutdown }
            return reason
        }
    }

    /// How the node stands: at any moment, without asking its actors.
    public var status: RaftStatus { server.status.current }

    /// Waits until the node has ended.
    /// - Returns: `normal` or `shutdown` when its system was shut down; `failed` with the reason when it has to be started again.
    public func terminated() async -> ExitReason { await end.value }
}

/// Why a node failed, if it did.
private final class NodeFailure: Sendable {
    private let first = Mutex<ExitReason?>(nil)

    var reason: ExitReason? { first.withLock { $0 } }

    func note(_ reason: ExitReason) { first.withLock { if $0 == nil { $0 = reason } } }
}

extension RaftNodeEvent {
    init?(_ event: RaftEvent) {
        switch event {
        case .roleChanged(let role, let term): self = .roleChanged(role, term: term)
        case .leaderChanged(let leader, let term): self = .leaderChanged(leader, term: term)
        case .quarantineOver: self = .repaired
        case .snapshotDamaged(_, let reason): self = .snapshotDamaged(reason: reason)
        case .configurationChanged, .transferAborted, .diskStalled: return nil
        }
    }
}

extension RaftTransport {
    /// What watches its sockets; nil without sockets.
    fileprivate func socketEvents() throws(RaftNodeError) -> (any SocketEvents)? {
        guard case .tcp = kind else { return nil }
        do { return try PlatformSocketEvents.make() } catch { throw RaftNodeError(.sockets, error) }
    }

    /// - Parameter watcher: of its sockets, if it has any.
    fileprivate func open(
        _ handshake: Handshake,
        watcher: (any SocketEvents)?,
        _ publish: @escaping @Sendable (RaftNodeEvent) -> Void
    ) -> any Transport {
        switch kind {
        case .network(let network): return network.transport(of: handshake, onRefusal: { publish(.refused(by: $0)) })
        case .tcp(let port, _):
            guard let watcher else { preconditionFailure("TCP without a watcher") }
            // Whom to link to, consensus says when it starts.
            var configuration = TCPTransport.Configuration(handshake: handshake, peers: [:])
            configuration.acceptsStrangers = true
            configuration.onEvent = { event in
                if let peer = event.refusedForIncarnation { publish(.refused(by: NodeID(peer.rawValue))) }
                if let peer = event.differsInTiming { publish(.timingDiffers(from: NodeID(peer.rawValue))) }
            }
            return TCPTransport(listeningOn: port.socket, configuration, events: watcher)
        }
    }

    /// What the cluster begins with, with the ports of those whose ports are known.
    fileprivate func founders(_ members: Set<NodeID>) -> Configuration {
        guard !members.isEmpty else { return .unknown }
        guard case .tcp(_, let peers) = kind else { return Configuration(voters: members.sorted()) }
        let records = members.sorted().compactMap { id in
            peers[id].map { MemberRecord(id, peerAddress: "\(SocketAddress.loopback(port: $0))") }
        }
        return Configuration(voters: members.sorted(), records: records)
    }

    /// What a node says of itself: without an address where everybody is found by number.
    fileprivate func record(of id: NodeID, incarnation: UInt64) -> MemberRecord {
        guard case .tcp(let port, _) = kind else { return MemberRecord(id, incarnation: incarnation) }
        return MemberRecord(
            id,
            peerAddress: "\(SocketAddress.loopback(port: port.number))",
            incarnation: incarnation
        )
    }
}

/// FNV-1a over the UTF-8 bytes, 128 bits: the same in every process and every build.
private func stableHash(_ text: String) -> UInt128 {
    let prime = UInt128(1) << 88 + 0x13B
    var hash = UInt128(0x6C62_272E_07BB_0142) << 64 | UInt128(0x62B8_2175_6295_C58D)
    for byte in text.utf8 { hash = (hash ^ UInt128(byte)) &* prime }
    return hash
}
