import Conclave
import ConclaveNet
import RaftCore
import RaftLog
import Synchronization

@testable import ConclaveRaft

/// Servers that talk over TCP on the loopback, each in an actor system of its own with a `MemoryDisk`: the wiring of production but
/// for the disk. Any may be added, removed, stopped, wiped and started again.
final class TCPCluster: Sendable {
    private struct Node: Sendable {
        let system: ActorSystem
        let server: RaftServer<CountingMachine>
        let address: SocketAddress
    }

    let board = EventBoard()
    let founders: [NodeID]
    private let events: any SocketEvents
    /// Random: a port may have been another test's a moment ago.
    private let cluster = UInt64.random(in: .min ... .max)
    private let disks = Mutex<[NodeID: MemoryDisk]>([:])
    private let nodes = Mutex<[NodeID: Node]>([:])
    /// Peer ports stay the same from start to start.
    private let addresses = Mutex<[NodeID: SocketAddress]>([:])

    init(_ count: UInt64) async throws {
        founders = (1...count).map { NodeID($0) }
        events = try PlatformSocketEvents.make()
        for id in founders { _ = try reserveAddress(id) }
        for id in founders { try start(id) }
        _ = await leader()
    }

    /// A port that is free now; whoever listens there next is most likely the server it is meant for.
    private func reserveAddress(_ id: NodeID) throws -> SocketAddress {
        if let known = addresses.withLock({ $0[id] }) { return known }
        let socket = try Socket.listen(on: .loopback(port: 0))
        guard let address = socket.localAddress else { throw SocketError(.listen, code: 0) }
        addresses.withLock { $0[id] = address }
        return address
    }

    func address(of id: NodeID) -> String { addresses.withLock { $0[id].map { "\($0)" } ?? "" } }

    func wipe(_ id: NodeID) { disks.withLock { $0[id] = nil } }

    /// Starts a server: a founder knows the other founders, any other one nobody.
    func start(_ id: NodeID, joins: Bool = false) throws {
        let disk = disks.withLock { disks in
            let disk = disks[id] ?? MemoryDisk(location: "disk of \(id)")
            disks[id] = disk
            return disk
        }
        let address = try reserveAddress(id)
        var logOptions = WriteAheadLog.Options()
        logOptions.segmentSizeBytes = 1 << 20
        logOptions.zeroAheadBytes = 0
        let identity = LogIdentity(
            cluster: ClusterID(high: cluster, low: 2),
            node: id,
            incarnation: UInt64.random(in: .min ... .max)
        )
        let (log, recovered) = try WriteAheadLog.open(
            disk: disk,
            identity: identity,
            ifMissing: .create,
            options: logOptions
        )
        let isFounder = founders.contains(id) && !joins
        var configuration = RaftServerConfiguration(
            id: id,
            founders: isFounder
                ? Configuration(
                    voters: founders,
                    records: founders.map { MemberRecord($0, peerAddress: self.address(of: $0)) }
                ) : .unknown,
            seed: UInt64.random(in: .min ... .max),
            process: UInt64.random(in: .min ... .max)
        )
        // Slow enough that a busy machine deposes no leader.
        configuration.options.tick = .milliseconds(40)
        configuration.own = MemberRecord(
            id,
            peerAddress: "\(address)",
            clientAddress: "client of \(id)",
            incarnation: recovered.identity.incarnation
        )
        let board = board
        configuration.onEvent = { event in
            board.change { facts in
                switch event {
                case .leaderChanged(let leader, _): facts.leaders[id] = leader
                case .roleChanged(let role, _): facts.roles[id] = role
                case .configurationChanged(let members, _): facts.configurations[id] = members
                case .transferAborted, .diskStalled, .quarantineOver, .snapshotDamaged: break
                }
            }
        }
        configuration.onStanding = { standing in board.change { $0.standings[id] = standing } }
        let handshake = Handshake(
            cluster: ClusterID(high: cluster, low: 2).number,
            node: PeerID(id.rawValue),
            incarnation: recovered.identity.incarnation
        )
        var transportOptions = TCPTransport.Configuration(handshake: handshake, peers: [:])
        transportOptions.acceptsStrangers = true
        transportOptions.onEvent = { event in
            switch event {
            case .linkFailed(_, .refusedByPeer(.incarnation), _): board.change { _ = $0.refused.insert(id) }
            default: break
            }
        }
        let transport = try TCPTransport(listeningOn: address, transportOptions, events: events)
        let system = ActorSystem("\(id)", workers: 2)
        let server = try RaftServer(
            configuration,
            machine: CountingMachine(),
            log: log,
            recovered: recovered,
            transport: transport,
            in: system,
            onFailure: { _ in board.change { $0.failures[id, default: 0] += 1 } }
        )
        nodes.withLock { $0[id] = Node(system: system, server: server, address: address) }
    }

    func stop(_ id: NodeID) async {
        guard let node = nodes.withLock({ $0.removeValue(forKey: id) }) else { return }
        await node.system.shutdown()
        board.change {
            $0.leaders[id] = nil
            $0.roles[id] = nil
            $0.standings[id] = nil
            $0.refused.remove(id)
        }
    }

    func shutdown() async {
        for id in nodes.withLock({ $0.keys.sorted() }) { await stop(id) }
        events.stop()
    }

    func server(_ id: NodeID) -> RaftServer<CountingMachine> {
        guard let node = nodes.withLock({ $0[id] }) else { preconditionFailure("\(id) is not running") }
        return node.server
    }

    /// Waits until a majority of the running servers follows one of them.
    @discardableResult
    func leader(other than: NodeID? = nil) async -> NodeID {
        let find: @Sendable (EventBoard.Facts) -> NodeID? = { facts in
            facts.roles.first { $0.value == .leader && $0.key != than && facts.leaders[$0.key] == $0.key }?.key
        }
        while true {
            await board.wait { find($0) != nil }
            if let leader = find(board.facts) { return leader }
        }
    }

    func administrate(_ command: AdminCommand, on id: NodeID) async -> AdminError? {
        let server = server(id)
        return await withCheckedContinuation { continuation in
            server.administrate(
                command,
                AdminCompletion { result in
                    switch result {
                    case .success: continuation.resume(returning: nil)
                    case .failure(let error): continuation.resume(returning: error)
                    }
                }
            )
        }
    }

    /// Asks again while the answer is one that passes, as an operator would. After an answer that leaves open whether it was done, to
    /// be told that it need not be done means that it was.
    func insist(_ command: AdminCommand, on id: NodeID) async -> AdminError? {
        var mayBeDone = false
        while true {
            let error = await administrate(command, on: id)
            switch error {
            case .request(.unknown): mayBeDone = true
            case .refused(.alreadyMember), .refused(.alreadyVoter), .refused(.alreadyLearner), .refused(.unknownServer),
                .refused(.alreadyLeader):
                return mayBeDone ? nil : error
            case .refused(.notLeader), .refused(.notCaughtUp), .refused(.changeInProgress), .refused(.transferring),
                .request(.notDone):
                await Task.yield()
            default: return error
            }
        }
    }

    func propose(_ number: UInt8, on id: NodeID) async -> Result<Int, RaftError> {
        let server = server(id)
        return await withCheckedContinuation { continuation in
            server.propose([number], CommandCompletion<CountingMachine> { continuation.resume(returning: $0) })
        }
    }

    /// Tries again until it is done.
    func count(_ number: UInt8, on id: NodeID) async -> Int {
        while true {
            switch await propose(number, on: id) {
            case .success(let count): return count
            case .failure(let error):
                precondition(error.isDefinitelyNotDone, "the outcome is not known: \(error)")
                await Task.yield()
            }
        }
    }

    func read(_ number: UInt8, on id: NodeID) async -> Int {
        let server = server(id)
        while true {
            let result = await withCheckedContinuation { continuation in
                server.read(QueryCompletion(number) { continuation.resume(returning: $0) })
            }
            if case .success(let count) = result { return count }
            await Task.yield()
        }
    }
}
