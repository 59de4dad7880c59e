import Conclave
import ConclaveNet
import ConclaveRaft
import Dispatch
import KeyValue
import RaftCore
import RaftLog
import Synchronization

@testable import ConclaveCommand

/// Servers as `conclave node` runs them, but in this process, with their logs in memory and on ports that the kernel chose.
final class AdminCluster: Sendable {
    private struct Node: Sendable {
        let system: ActorSystem
        let server: RaftServer<KeyValueMachine>
    }

    private struct Ports: Sendable {
        let peers: Socket
        let clients: Socket
    }

    private let events: any SocketEvents
    private let cluster = ClusterID(high: UInt64.random(in: .min ... .max), low: 1)
    private let ports: [NodeID: Ports]
    private let nodes = Mutex<[NodeID: Node]>([:])
    let founders: [NodeID]

    /// - Parameter others: servers that wait to be added.
    init(_ count: UInt64, others: UInt64 = 0) throws {
        events = try PlatformSocketEvents.make()
        founders = (1...count).map { NodeID($0) }
        let all = (1...count + others).map { NodeID($0) }
        ports = try Dictionary(
            uniqueKeysWithValues: all.map { id in
                (
                    id,
                    Ports(
                        peers: try Socket.listen(on: .loopback(port: 0)),
                        clients: try Socket.listen(on: .loopback(port: 0))
                    )
                )
            }
        )
        for id in all { try start(id) }
    }

    /// Where the other servers find one.
    func peerAddress(_ id: NodeID) -> String { Self.text(ports[id]?.peers.localAddress) }

    /// Where clients find one.
    func clientAddress(_ id: NodeID) -> String { Self.text(ports[id]?.clients.localAddress) }

    private static func text(_ address: SocketAddress?) -> String {
        guard let address else { preconditionFailure("a socket that listens nowhere") }
        return "\(address)"
    }

    private func start(_ id: NodeID) throws {
        guard let sockets = ports[id] else { preconditionFailure("no server \(id)") }
        var options = WriteAheadLog.Options()
        options.segmentSizeBytes = 1 << 20
        options.zeroAheadBytes = 0
        let disk = MemoryDisk(location: "disk of \(id)")
        let (log, recovered) = try WriteAheadLog.openServer(id, of: cluster, on: disk, options: options)
        let incarnation = recovered.identity.incarnation
        let founding = Configuration(
            voters: founders,
            records: founders.map { MemberRecord($0, peerAddress: peerAddress($0)) }
        )
        var configuration = RaftServerConfiguration(
            id: id,
            founders: founders.contains(id) ? founding : .unknown,
            seed: UInt64.random(in: .min ... .max),
            process: UInt64.random(in: .min ... .max)
        )
        // Slow enough that a busy machine deposes no leader.
        configuration.options.tick = .milliseconds(60)
        configuration.own = MemberRecord(
            id,
            peerAddress: peerAddress(id),
            clientAddress: clientAddress(id),
            incarnation: incarnation
        )
        let handshake = Handshake(cluster: cluster.number, node: PeerID(id.rawValue), incarnation: incarnation)
        var transport = TCPTransport.Configuration(handshake: handshake, peers: [:])
        transport.acceptsStrangers = true
        let system = ActorSystem("\(id)", workers: 2)
        let keyCount = KeyCount()
        let server = try RaftServer(
            configuration,
            machine: KeyValueMachine(keyCount: keyCount),
            log: log,
            recovered: recovered,
            transport: TCPTransport(listeningOn: sockets.peers, transport, events: events),
            in: system,
            onFailure: { _ in }
        )
        let service = KeyValueService(
            server,
            keyCount: keyCount,
            clientPort: Int(sockets.clients.localAddress?.port ?? 0),
            conclaveVersion: conclaveVersion,
            clusterID: "\(cluster)",
            incarnation: incarnation,
            events: events
        )
        try service.listen(on: sockets.clients, in: system) { _ in }
        nodes.withLock { $0[id] = Node(system: system, server: server) }
    }

    func stop(_ id: NodeID) async {
        await nodes.withLock { $0.removeValue(forKey: id) }?.system.shutdown()
    }

    func shutdown() async {
        for id in ports.keys.sorted() { await stop(id) }
        events.stop()
    }

    func status(_ id: NodeID) -> RaftStatus {
        guard let node = nodes.withLock({ $0[id] }) else { preconditionFailure("\(id) is not running") }
        return node.server.status.current
    }

    /// Waits until all founders follow one of them and know each other's data directories.
    func leader() async -> NodeID {
        while true {
            let leaders = Set(founders.map { status($0).leader })
            let areKnown = founders.allSatisfy { id in
                status(id).configuration.records.count { $0.incarnation != nil } == founders.count
            }
            if leaders.count == 1, let leader = leaders.first ?? nil, areKnown { return leader }
            await Task.yield()
        }
    }

    /// What `conclave` came to with these words.
    struct Outcome: Sendable {
        var code: ExitCode
        var output = ""
        var error = ""
        var lines: [Substring] { output.split(separator: "\n") }
    }

    /// Runs a verb, which blocks, on a thread of its own. All servers are its endpoints unless others are given.
    func conclave(_ words: String..., endpoints: [String]? = nil) async -> Outcome {
        await conclave(words: words, endpoints: endpoints)
    }

    func conclave(words: [String], endpoints: [String]? = nil) async -> Outcome {
        let endpoints = endpoints ?? ports.keys.sorted().map(clientAddress)
        let arguments = words + ["--endpoints", endpoints.joined(separator: ",")]
        return await withCheckedContinuation { continuation in
            DispatchQueue(label: "verb").async { continuation.resume(returning: Self.run(arguments)) }
        }
    }

    /// As the process does it, with what it would write.
    static func run(_ arguments: [String]) -> Outcome {
        do {
            guard case .admin(let options) = try CommandLineRequest(arguments: arguments) else {
                preconditionFailure("\(arguments) is no verb of operators")
            }
            var output = ""
            do throws(CommandFailure) {
                let code = try runAdmin(options) { output += $0 }
                return Outcome(code: code, output: output)
            } catch {
                return Outcome(code: error.code, output: output, error: error.message)
            }
        } catch {
            return Outcome(code: .usage, error: error.description)
        }
    }
}

/// For what blocks: the threads of Swift's tasks are few.
func onOwnThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        DispatchQueue(label: "blocking").async { continuation.resume(with: Result { try body() }) }
    }
}
