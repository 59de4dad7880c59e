import Conclave
import ConclaveNet
import ConclaveRaft
import KeyValue
import RaftCore
import RaftLog

/// Runs one server until SIGTERM or SIGINT.
///
/// The contract with the launcher and with people:
/// - listens on 127.0.0.1 only, on `options.clientPort` and `options.peerPort`;
/// - with `options.json`, writes each `NodeEvent` as one line to standard output, and nothing else there; text for
///   people goes to standard error;
/// - returns after SIGTERM or SIGINT, when everything is stopped and on disk; the process then ends with code 0.
///   The end of standard input arrives as SIGTERM too (`--until-stdin-closes`);
/// - throws `CommandFailure` with `.dataError` for data of another cluster or corrupt data, `.unavailable` for a taken
///   port, `.ioError` for a file that cannot be read or written;
/// - keeps its files in `options.dataDirectory`, where the names `pid` and `log` belong to the launcher.
func runNode(_ options: NodeOptions) async throws {
    let signals = StopSignals()
    let (ends, end) = AsyncStream.makeStream(of: ExitReason?.self)
    let received = signals.received
    let watching = Task { for await _ in received { end.yield(nil) } }
    defer { withExtendedLifetime(signals) { watching.cancel() } }

    let events = try orFail { () throws(SocketError) in try PlatformSocketEvents.make() }
    defer { events.stop() }
    let system = ActorSystem("node-\(options.id.rawValue)")
    do {
        try startNode(options, in: system, events) { end.yield($0) }
    } catch {
        await system.shutdown()
        throw failure(of: error)
    }
    for await reason in ends {
        await system.shutdown()
        guard let reason else { return }
        throw CommandFailure(code: .ioError, message: "server \(options.id.rawValue) stopped: \(reason)")
    }
}

private func startNode(
    _ options: NodeOptions,
    in system: ActorSystem,
    _ events: any SocketEvents,
    onFailure: @escaping @Sendable (ExitReason) -> Void
) throws {
    let clientSocket = try orFail { () throws(SocketError) in try Socket.listen(on: .loopback(port: options.clientPort))
    }
    let disk = try PosixDisk(directory: options.dataDirectory, createIfMissing: true)
    let (log, recovered) = try WriteAheadLog.openServer(options.id, of: cluster(of: options, disk), on: disk)
    for note in recovered.notes { StandardStreams.writeError("server \(options.id.rawValue): \(note)\n") }

    let json = options.json
    let reporter = try NodeReporter.start(in: system, id: options.id) { $0.print(json: json) }
    let cluster = recovered.identity.cluster
    var configuration = RaftServerConfiguration(
        id: options.id,
        founders: options.founders,
        seed: UInt64.random(in: .min ... .max),
        process: UInt64.random(in: .min ... .max)
    )
    configuration.options.timing.leaseDriftPercent = options.leaseDriftPercent
    let handshake = Handshake(
        cluster: cluster.number,
        node: PeerID(options.id.rawValue),
        incarnation: recovered.identity.incarnation,
        timing: configuration.options.leaseTiming
    )
    // Whom to link to, consensus says when it starts.
    var transportOptions = TCPTransport.Configuration(handshake: handshake, peers: [:])
    transportOptions.acceptsStrangers = true
    transportOptions.onEvent = { reporter.send(.network($0)) }
    let transport = try orFail { () throws(SocketError) in
        try TCPTransport(listeningOn: .loopback(port: options.peerPort), transportOptions, events: events)
    }

    let clientPort = clientSocket.localAddress?.port ?? options.clientPort
    let peerPort = transport.localAddress?.port ?? options.peerPort
    configuration.own = MemberRecord(
        options.id,
        peerAddress: options.peers.first { $0.id == options.id }?.address ?? "127.0.0.1:\(peerPort)",
        clientAddress: "127.0.0.1:\(clientPort)",
        incarnation: recovered.identity.incarnation
    )
    configuration.onEvent = { reporter.send(.changed($0)) }
    if let lost = recovered.lost { reporter.send(.tell(.quarantined(id: options.id, entries: lost))) }
    configuration.onStanding = { reporter.send(.standing($0)) }
    let keyCount = KeyCount()
    let server = try RaftServer(
        configuration,
        machine: KeyValueMachine(keyCount: keyCount),
        log: log,
        recovered: recovered,
        transport: transport,
        in: system,
        onFailure: onFailure
    )
    let service = KeyValueService(
        server,
        keyCount: keyCount,
        clientPort: Int(clientPort),
        conclaveVersion: conclaveVersion,
        clusterID: "\(cluster)",
        incarnation: recovered.identity.incarnation,
        events: events
    )
    try service.listen(on: clientSocket, in: system) { _ in }
    reporter.send(.tell(.ready(id: options.id, clientPort: clientPort, peerPort: peerPort)))
}

/// What is wrong with the data, with the exit code that says so.
private func failure(of error: any Error) -> any Error {
    switch error {
    case let error as LogError: CommandFailure(code: error.exitCode, message: "\(error)")
    case let error as RestoreError: CommandFailure(code: .dataError, message: "\(error)")
    case let error as DiskError: CommandFailure(code: .ioError, message: "\(error)")
    default: error
    }
}

/// The cluster that this server belongs to. Whoever joins one asks a server of it, the first time.
private func cluster(of options: NodeOptions, _ disk: PosixDisk) throws -> ClusterID {
    guard let server = options.join else { return options.clusterID }
    if let known = try WriteAheadLog.identity(on: disk) { return known.cluster }
    var connection = try ClientConnection.open(ClientOptions(host: server.host, port: server.port, resp3: true))
    guard let text = try connection.ask(["RAFT.INFO"]).field("cluster_id")?.plainText, let id = ClusterID(hex: text)
    else {
        throw CommandFailure(code: .unavailable, message: "\(server) is no server of a cluster")
    }
    return id
}

extension NodeOptions {
    /// What the cluster began with; unknown where this server joins one.
    fileprivate var founders: Configuration {
        Configuration(
            voters: peers.map(\.id),
            records: peers.map { MemberRecord($0.id, peerAddress: $0.address) }
        )
    }
}

extension NodePeer {
    fileprivate var address: String { "\(host):\(port)" }
}

/// A socket that cannot be had is a fault of the world, not of ours.
private func orFail<Value>(_ body: () throws(SocketError) -> Value) throws -> Value {
    do { return try body() } catch { throw CommandFailure(code: .unavailable, message: "\(error)") }
}

extension LogError {
    fileprivate var exitCode: ExitCode {
        switch self {
        case .wrongCluster, .wrongNode, .unknownVersion, .corrupt, .nobodyToRepairFrom, .missing, .lost, .gap,
            .snapshotDamaged:
            .dataError
        case .alreadyInUse: .unavailable
        case .diskFull, .io, .failed: .ioError
        }
    }
}
