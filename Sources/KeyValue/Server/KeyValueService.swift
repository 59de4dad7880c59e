// The front end of one server: the listener for clients and what their connections share.

package import Conclave
package import ConclaveNet
package import ConclaveRaft
import RaftCore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What client connections share: the way to the cluster and the facts for INFO.
package final class KeyValueService: Sendable {
    let events: any SocketEvents
    let server: RaftServer<KeyValueMachine>
    private let keyCount: KeyCount
    private let clientPort: Int
    private let conclaveVersion: String
    private let clusterID: String
    private let incarnation: UInt64
    private let startedAt = ContinuousClock.now
    private let connectionIDs = Atomic<UInt64>(0)
    private let clients = Atomic<Int>(0)

    package init(
        _ server: RaftServer<KeyValueMachine>,
        keyCount: KeyCount,
        clientPort: Int,
        conclaveVersion: String,
        clusterID: String,
        incarnation: UInt64,
        events: any SocketEvents
    ) {
        self.server = server
        self.keyCount = keyCount
        self.clientPort = clientPort
        self.conclaveVersion = conclaveVersion
        self.clusterID = clusterID
        self.incarnation = incarnation
        self.events = events
    }

    /// Starts to serve the clients that connect to `socket`, below the root of `system`.
    /// - Throws: what spawning throws.
    package func listen(on socket: Socket, in system: ActorSystem, onEvent: @escaping @Sendable (NetworkEvent) -> Void)
        throws
    {
        try system.spawn("clients", options: .permanent) { [self] in
            Listener(on: socket, events: events, onEvent: onEvent) { ClientConnection($0, service: self) }
        }
    }

    func propose(_ batch: [UInt8], _ completion: CommandCompletion<KeyValueMachine>) {
        server.propose(batch, completion)
    }

    func read(_ completion: QueryCompletion<KeyValueMachine>) { server.read(completion) }

    func nextConnectionID() -> UInt64 { connectionIDs.add(1, ordering: .relaxed).newValue }

    func connectionOpened() { clients.add(1, ordering: .relaxed) }

    func connectionClosed() { clients.subtract(1, ordering: .relaxed) }

    var clusterFacts: ClusterFacts {
        ClusterFacts(
            conclaveVersion: conclaveVersion,
            clusterID: clusterID,
            incarnation: incarnation,
            status: server.status.current
        )
    }

    func facts() -> ServerFacts {
        let status = server.status.current
        return ServerFacts(
            conclaveVersion: conclaveVersion,
            processID: Int(getpid()),
            clientPort: clientPort,
            uptime: ContinuousClock.now - startedAt,
            clientCount: clients.load(ordering: .relaxed),
            keyCount: keyCount.value,
            raft: ServerFacts.Raft(
                nodeID: status.id.rawValue,
                role: status.standing == .learner ? "learner" : "\(status.role)",
                term: status.term.rawValue,
                leaderID: status.leader?.rawValue,
                voterIDs: status.configuration.voters.map(\.rawValue),
                lastIndex: status.lastIndex.rawValue,
                commitIndex: status.commitIndex.rawValue,
                appliedIndex: status.appliedIndex.rawValue,
                diskSpace: "\(server.disk.space)",
                isQuarantined: status.isQuarantined
            )
        )
    }
}
