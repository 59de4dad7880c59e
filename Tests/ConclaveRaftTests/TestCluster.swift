import Conclave
import ConclaveNet
import RaftCore
import RaftLog
import Synchronization

@testable import ConclaveRaft

/// Counts how often each number was applied.
struct CountingMachine: StateMachine {
    private(set) var counts: [UInt8: Int] = [:]

    mutating func apply(_ command: ArraySlice<UInt8>, wantsResponse: Bool) throws -> Int {
        guard let number = command.first else { throw CountingError.emptyCommand }
        counts[number, default: 0] += 1
        return counts[number, default: 0]
    }

    static func encode(_ response: Int) -> [UInt8] { Array("\(response)".utf8) }

    static func decode(response: [UInt8]) throws -> Int {
        guard let number = Int(String(decoding: response, as: UTF8.self)) else { throw CountingError.badResponse }
        return number
    }

    func writeSnapshot(_ write: (UnsafeRawBufferPointer) throws -> Void) throws {
        for (number, count) in counts {
            try withUnsafeBytes(of: UInt64(number).littleEndian) { try write($0) }
            try withUnsafeBytes(of: UInt64(count).littleEndian) { try write($0) }
        }
    }

    mutating func restoreSnapshot(_ read: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void) throws {
        var bytes: [UInt8] = []
        try read { bytes += $0 }
        for place in stride(from: 0, to: bytes.count, by: 16) {
            let count = bytes[place + 8..<place + 16].reversed().reduce(0) { $0 << 8 | Int($1) }
            counts[bytes[place]] = count
        }
    }

    /// 255 stands for a deletion.
    static func freesSpace(_ command: [UInt8]) -> Bool { command.first == 255 }

    func answer(_ query: UInt8) -> Int { counts[query, default: 0] }

    enum CountingError: Error { case emptyCommand, badResponse }
}

/// Facts that tests wait for. A condition is looked at again after each of them.
final class EventBoard: Sendable {
    struct Facts: Sendable {
        var leaders: [NodeID: NodeID] = [:]
        var roles: [NodeID: RaftRole] = [:]
        var repaired: Set<NodeID> = []
        var failures: [NodeID: Int] = [:]
        var configurations: [NodeID: Configuration] = [:]
        var standings: [NodeID: MemberStanding] = [:]
        /// Who was refused by another server for its data directory.
        var refused: Set<NodeID> = []
    }

    private struct State {
        var facts = Facts()
        var waiting: [(condition: @Sendable (Facts) -> Bool, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())

    func change(_ body: (inout Facts) -> Void) {
        let ready = state.withLock { state in
            body(&state.facts)
            let facts = state.facts
            let ready = state.waiting.filter { $0.condition(facts) }.map(\.continuation)
            state.waiting.removeAll { $0.condition(facts) }
            return ready
        }
        for continuation in ready { continuation.resume() }
    }

    var facts: Facts { state.withLock { $0.facts } }

    func wait(until condition: @escaping @Sendable (Facts) -> Bool) async {
        await withCheckedContinuation { continuation in
            let isTrue = state.withLock { state in
                if condition(state.facts) { return true }
                state.waiting.append((condition, continuation))
                return false
            }
            if isTrue { continuation.resume() }
        }
    }
}

/// Servers that talk through a `RaftNetwork` and write to a `MemoryDisk` each, every one in an actor system of its own.
final class TestCluster: Sendable {
    struct Node: Sendable {
        let system: ActorSystem
        let server: RaftServer<CountingMachine>
    }

    let network = RaftNetwork()
    let board = EventBoard()
    let ids: [NodeID]
    private let diskTable: Mutex<[NodeID: MemoryDisk]>
    private let options: ConsensusOptions
    /// Of the servers that do not go by the machine's own clock.
    private let clocks: [NodeID: any TimeSource]
    private let nodes = Mutex<[NodeID: Node]>([:])

    init(
        _ count: Int,
        requestTimeout: Duration = .seconds(20),
        clocks: [NodeID: any TimeSource] = [:],
        _ change: (inout ConsensusOptions) -> Void = { _ in }
    ) throws {
        self.clocks = clocks
        ids = (1...count).map { NodeID(UInt64($0)) }
        diskTable = Mutex(Dictionary(uniqueKeysWithValues: ids.map { ($0, MemoryDisk(location: "disk of \($0)")) }))
        var options = ConsensusOptions()
        options.tick = .milliseconds(5)
        options.requestTimeout = requestTimeout
        change(&options)
        self.options = options
        for id in ids { try start(id) }
    }

    var disks: [NodeID: MemoryDisk] { diskTable.withLock { $0 } }

    /// Flips a bit of a server that is not running, in the payload of the entry that holds these bytes: one before its last batch.
    func damage(_ id: NodeID, at command: [UInt8]) {
        guard let disk = disks[id], let names = try? disk.list() else { return }
        for name in names where name.hasPrefix("segment-") {
            guard let found = disk.contents(of: name)?.firstRange(of: command) else { continue }
            return disk.flipBit(of: name, byte: found.lowerBound, bit: 3)
        }
        preconditionFailure("\(id) has no such command")
    }

    /// Gives a server that is not running an empty disk.
    func wipe(_ id: NodeID) { diskTable.withLock { $0[id] = MemoryDisk(location: "disk of \(id)") } }

    /// - Parameter founders: what it is told that the cluster began with; nil: that it began with all.
    func start(_ id: NodeID, founders: Configuration? = nil) throws {
        guard let disk = disks[id] else { preconditionFailure("no server \(id)") }
        var logOptions = WriteAheadLog.Options()
        logOptions.segmentSizeBytes = 1 << 20
        logOptions.zeroAheadBytes = 0
        let identity = LogIdentity(cluster: ClusterID(high: 1, low: 2), node: id, incarnation: 3)
        let (log, recovered) = try WriteAheadLog.open(
            disk: disk,
            identity: identity,
            ifMissing: .create,
            ifDamaged: .quarantine,
            options: logOptions
        )
        var configuration = RaftServerConfiguration(
            id: id,
            founders: founders ?? Configuration(voters: ids),
            seed: UInt64.random(in: .min ... .max),
            process: UInt64.random(in: .min ... .max)
        )
        configuration.options = options
        let board = board
        configuration.onEvent = { event in
            board.change { facts in
                switch event {
                case .leaderChanged(let leader, _): facts.leaders[id] = leader
                case .roleChanged(let role, _): facts.roles[id] = role
                case .quarantineOver: facts.repaired.insert(id)
                case .configurationChanged, .transferAborted, .diskStalled, .snapshotDamaged: break
                }
            }
        }
        let system =
            if let clock = clocks[id] {
                ActorSystem("\(id)", scheduler: DispatchScheduler(workerCount: 2), time: clock)
            } else {
                ActorSystem("\(id)", workers: 2)
            }
        let server = try RaftServer(
            configuration,
            machine: CountingMachine(),
            log: log,
            recovered: recovered,
            transport: network.transport(of: Handshake(cluster: 1, node: PeerID(id.rawValue), incarnation: 3)),
            in: system,
            onFailure: { _ in board.change { $0.failures[id, default: 0] += 1 } }
        )
        nodes.withLock { $0[id] = Node(system: system, server: server) }
    }

    func stop(_ id: NodeID) async {
        guard let node = nodes.withLock({ $0.removeValue(forKey: id) }) else { return }
        await node.system.shutdown()
        board.change {
            $0.leaders[id] = nil
            $0.roles[id] = nil
        }
    }

    func shutdown() async { for id in ids { await stop(id) } }

    func server(_ id: NodeID) -> RaftServer<CountingMachine> {
        guard let node = nodes.withLock({ $0[id] }) else { preconditionFailure("\(id) is not running") }
        return node.server
    }

    /// Waits until all of `ids` follow one of them.
    func leader(among ids: [NodeID]? = nil) async -> NodeID {
        let ids = ids ?? self.ids
        await board.wait { Self.leader($0, ids) != nil }
        guard let leader = Self.leader(board.facts, ids) else { return await self.leader(among: ids) }
        return leader
    }

    private static func leader(_ facts: EventBoard.Facts, _ ids: [NodeID]) -> NodeID? {
        guard let leader = facts.leaders[ids[0]], ids.contains(leader), facts.roles[leader] == .leader else {
            return nil
        }
        return ids.allSatisfy { facts.leaders[$0] == leader } ? leader : nil
    }

    func propose(_ number: UInt8, on id: NodeID) async -> Result<Int, RaftError> {
        await propose([number], on: id)
    }

    func propose(_ command: [UInt8], on id: NodeID) async -> Result<Int, RaftError> {
        let server = server(id)
        return await withCheckedContinuation { continuation in
            server.propose(command, CommandCompletion<CountingMachine> { continuation.resume(returning: $0) })
        }
    }

    func propose(_ label: SessionCommand, _ number: UInt8, on id: NodeID) async -> Result<Int, RaftError> {
        let server = server(id)
        return await withCheckedContinuation { continuation in
            server.propose(
                label,
                [number],
                CommandCompletion<CountingMachine> { continuation.resume(returning: $0) }
            )
        }
    }

    /// Registers a session, on one server after the other until it is done.
    func registerSession() async -> SessionID {
        var tries = 0
        while true {
            let server = server(ids[tries % ids.count])
            let result = await withCheckedContinuation { continuation in
                server.registerSession(SessionCompletion { continuation.resume(returning: $0) })
            }
            if case .success(let session) = result { return session }
            tries += 1
            await Task.yield()
        }
    }

    func read(_ number: UInt8, on id: NodeID) async -> Result<Int, RaftError> {
        let server = server(id)
        return await withCheckedContinuation { continuation in
            server.read(QueryCompletion(number) { continuation.resume(returning: $0) })
        }
    }

    /// Tries again for as long as the answer is that nothing was done.
    func insist(_ attempt: @Sendable () async -> Result<Int, RaftError>) async -> Result<Int, RaftError> {
        while true {
            let result = await attempt()
            guard result == .failure(.noLeader) else { return result }
            await Task.yield()
        }
    }
}
