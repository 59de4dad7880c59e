// A cluster of unchanged Raft servers on simulated machines, networks and disks, with everything that watches it.

internal import Conclave
internal import ConclaveNet
internal import ConclaveRaft
internal import RaftCore
internal import RaftLog
internal import RaftScenario
internal import Synchronization

/// The machines of one run, and the servers on them.
final class RaftWorld: Sendable {
    typealias Server = RaftServer<RegisterMachine>

    /// A server, from its founding or its addition on, and all that is its own.
    struct Resident {
        let id: NodeID
        var incarnation: UInt64
        /// What it is told that the cluster began with.
        var founders: Configuration
        var disk: MemoryDisk
        let trouble = DiskTrouble()
        var machine: SimulatedMachine?
        var server: Server?
        /// How often it was started.
        var starts = 0
        /// It is no member any more, and does not start again.
        var isRetired = false
    }

    struct State {
        var residents: [NodeID: Resident] = [:]
        /// Who lives in each place of a fault plan, the first place first.
        var places: [NodeID] = []
        /// A server that an operator has added, before it takes a place.
        var newcomer: NodeID?
        var lastID: UInt64
        /// What operators are yet to do, in order.
        var orders: [Order] = []
        /// Places whose servers have lost something that they had acknowledged: as many as a cluster can stand, and no more ever.
        var losers: Set<Int> = []
        var random: SimulationRandom
        var faults = 0
        var replacements = 0
        var repairs = 0
    }

    let simulation: Simulation
    let network: SimulatedNetwork
    let watch: RaftWatch
    private let wrapDisk: @Sendable (any Disk) -> any Disk
    private let leaseDriftPercent: Int?
    private let state: Mutex<State>

    init(_ simulation: Simulation, _ options: RaftRunOptions) throws {
        self.simulation = simulation
        wrapDisk = options.wrapDisk
        leaseDriftPercent = options.leaseDriftPercent
        watch = RaftWatch(meddling: options.meddling) { [weak simulation] in simulation?.fail($0) }
        // Raft's own messages must stand it. A command that is passed on twice may be carried out and refused.
        network = SimulatedNetwork(simulation) { frame in
            if case .raft = try? frame.withUnsafeBytes({ try WireCodec.decode($0) }) { true } else { false }
        }
        let ids = (1...options.nodes).map { NodeID(UInt64($0)) }
        let founders = Configuration(
            voters: ids,
            records: ids.map { MemberRecord($0, peerAddress: Self.address(of: $0)) }
        )
        state = Mutex(State(places: ids, lastID: UInt64(options.nodes), random: simulation.makeRandom()))
        for (place, id) in ids.enumerated() {
            let clock = place < options.clocksPerMille.count ? options.clocksPerMille[place] : 1_000
            try settle(id, founders: founders, clockPerMille: clock)
        }
    }

    /// Change, or look at, what is known. Short, and without calling a server.
    func withState<Result: Sendable>(_ body: (inout State) -> sending Result) -> Result { state.withLock(body) }

    /// Stands in a member's record; the network finds everybody by number.
    static func address(of id: NodeID) -> String { "127.0.0.1:\(10_000 + id.rawValue % 50_000)" }

    // MARK: Servers

    /// A new machine with an empty disk, and a server on it.
    func settle(_ id: NodeID, founders: Configuration, clockPerMille: UInt64 = 1_000) throws {
        withState {
            $0.residents[id] = Resident(
                id: id,
                incarnation: $0.random.next(),
                founders: founders,
                disk: MemoryDisk(location: "disk of \(id)")
            )
        }
        let machine = try simulation.machine("server-\(id.rawValue)", clockPerMille: clockPerMille) { [unowned self] in
            try boot(id, $0)
        }
        withState { $0.residents[id]?.machine = machine }
    }

    private func boot(_ id: NodeID, _ machine: SimulatedMachine) throws {
        guard let resident = resident(id) else { preconditionFailure("nobody is server \(id)") }
        resident.disk.setFaults(resident.trouble.rule)
        var logOptions = WriteAheadLog.Options()
        logOptions.segmentSizeBytes = 1 << 18
        logOptions.zeroAheadBytes = 0
        let (log, recovered) = try WriteAheadLog.open(
            disk: wrapDisk(resident.disk),
            identity: Self.identity(id, resident.incarnation),
            ifMissing: .create,
            ifDamaged: .quarantine,
            options: logOptions
        )
        let (seed, process) = withState { ($0.random.next(), $0.random.next()) }
        var configuration = RaftServerConfiguration(
            id: id,
            founders: watch.meddling.beginning(id, resident.founders),
            seed: seed,
            process: process
        )
        configuration.own = MemberRecord(
            id,
            peerAddress: Self.address(of: id),
            incarnation: recovered.identity.incarnation
        )
        configuration.options.timing.leaseDriftPercent = leaseDriftPercent
        configuration.options.requestTimeout = .seconds(2)
        configuration.options.snapshotPolicy.entries = 40
        configuration.options.logTail.entries = 10
        configuration.onEvent = { [weak self] event in self?.heard(event, of: id) }
        let start = withState { state in
            state.residents[id]?.starts += 1
            return state.residents[id]?.starts ?? 0
        }
        let way = network.transport(
            of: PeerID(id.rawValue),
            incarnation: recovered.identity.incarnation,
            on: machine
        )
        let server = try Server(
            configuration,
            machine: RegisterMachine { [weak watch] in watch?.applied($0, by: id) },
            log: log,
            recovered: recovered,
            transport: WatchedTransport(of: id, way, watch),
            in: machine.system,
            probe: watch.probe(of: id),
            onFailure: { [weak self] in self?.failed(id, start: start, $0) }
        )
        withState { $0.residents[id]?.server = server }
    }

    static func identity(_ id: NodeID, _ incarnation: UInt64) -> LogIdentity {
        LogIdentity(cluster: ClusterID(high: 1, low: 2), node: id, incarnation: incarnation)
    }

    /// A server has ended by itself, for example because its disk failed. As a launcher would, this starts it again half a second
    /// later, unless its machine has crashed meanwhile.
    private func failed(_ id: NodeID, start: Int, _ reason: ExitReason) {
        guard resident(id)?.starts == start, resident(id)?.server != nil else { return }
        simulation.note("\(id) ended: \(reason)")
        startAgainLater(id, start: start)
    }

    private func startAgainLater(_ id: NodeID, start: Int) {
        simulation.world.at(simulation.world.now + 500_000_000) { [weak self] in
            guard let self, let resident = resident(id), resident.starts == start, resident.machine?.isUp == true else {
                return
            }
            crash(id, losesPower: false, isFault: false)
            restart(id)
        }
    }

    func resident(_ id: NodeID) -> Resident? { withState { $0.residents[id] } }

    /// All servers that belong to the cluster, or are about to.
    var ids: [NodeID] { withState { $0.places + ($0.newcomer.map { [$0] } ?? []) } }

    /// A server that can be asked.
    func server(_ id: NodeID) -> Server? {
        guard let resident = resident(id), resident.machine?.isUp == true else { return nil }
        return resident.server
    }

    // MARK: Ends and starts

    /// The end of a server, by a power cut that leaves any part of what was not synced, or of its process only.
    func crash(_ id: NodeID, losesPower: Bool, isFault: Bool = true) {
        guard let resident = resident(id), let machine = resident.machine, machine.isUp else { return }
        if isFault { countFault() }
        let server = withState { $0.residents[id]?.server.take() }
        network.closeConnections(of: PeerID(id.rawValue))
        machine.crash()
        watch.ended(id)
        _ = consume server
        resident.trouble.forgetFailures()
        if losesPower {
            resident.disk.crash { _ in withState { Bool.random(using: &$0.random) } }
        } else {
            resident.disk.kill()
        }
    }

    /// Starts a server again that crashed. One that is up is left alone. One that cannot start for want of space, or because its disk fails,
    /// is tried again half a second later.
    func restart(_ id: NodeID) {
        guard let resident = resident(id), let machine = resident.machine, !machine.isUp, !resident.isRetired else {
            return
        }
        do { try machine.restart() } catch {
            switch error {
            case LogError.io, LogError.diskFull, LogError.failed:
                simulation.note("\(id) does not start: \(error)")
                startAgainLater(id, start: resident.starts)
            default: simulation.fail("server \(id) does not start again: \(error)")
            }
        }
    }

    func countFault() { withState { $0.faults += 1 } }

    // MARK: Watching

    private func heard(_ event: RaftEvent, of id: NodeID) {
        simulation.note("\(id) \(event)")
        if case .quarantineOver = event { withState { $0.repairs += 1 } }
    }

    /// Servers whose logs are damaged and not whole again yet.
    var quarantined: [NodeID] { ids.filter { server($0)?.status.current.isQuarantined == true } }

    var replacements: Int { withState { $0.replacements } }
    var repairs: Int { withState { $0.repairs } }

    var counts: (commits: Int, elections: Int, faults: Int) {
        let counts = watch.counts
        return (counts.commits, counts.elections, withState { $0.faults } + network.faultCount)
    }
}
