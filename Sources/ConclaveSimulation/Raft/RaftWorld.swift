// A cluster of unchanged Raft servers on simulated machines, networks and disks, with everything that watches it.

internal import Conclave
internal import ConclaveNet
internal import ConclaveRaft
internal import RaftCore
internal import RaftLog
internal import RaftScenario
internal import Synchronization

/// The machines of one run.
final class RaftWorld: Sendable {
    typealias Server = RaftServer<RegisterMachine>

    private struct Watched {
        var servers: [NodeID: Server] = [:]
        /// How often each was started.
        var starts: [NodeID: Int] = [:]
        var random: SimulationRandom
        var faults = 0
    }

    let simulation: Simulation
    let network: SimulatedNetwork
    let ids: [NodeID]
    private let disks: [NodeID: MemoryDisk]
    private let machines = Mutex<[NodeID: SimulatedMachine]>([:])
    private let watched: Mutex<Watched>

    private let wrapDisk: @Sendable (any Disk) -> any Disk
    private let leaseDriftPercent: Int?
    let watch: RaftWatch

    init(_ simulation: Simulation, _ options: RaftRunOptions) throws {
        self.simulation = simulation
        wrapDisk = options.wrapDisk
        leaseDriftPercent = options.leaseDriftPercent
        watch = RaftWatch(meddling: options.meddling) { [weak simulation] in simulation?.fail($0) }
        // Raft's own messages must stand it; a command without a session that is passed on twice would be carried out twice.
        network = SimulatedNetwork(simulation) { frame in
            guard case .raft = try? frame.withUnsafeBytes({ try WireCodec.decode($0) }) else { return false }
            return true
        }
        ids = (1...options.nodes).map { NodeID(UInt64($0)) }
        disks = Dictionary(uniqueKeysWithValues: ids.map { ($0, MemoryDisk(location: "disk of \($0)")) })
        watched = Mutex(Watched(random: simulation.makeRandom()))
        for (place, id) in ids.enumerated() {
            let clock = place < options.clocksPerMille.count ? options.clocksPerMille[place] : 1_000
            let machine = try simulation.machine("server-\(id.rawValue)", clockPerMille: clock) { [unowned self] in
                try boot(id, $0)
            }
            machines.withLock { $0[id] = machine }
        }
    }

    // MARK: Servers

    private func boot(_ id: NodeID, _ machine: SimulatedMachine) throws {
        guard let disk = disks[id] else { preconditionFailure("no disk for server \(id)") }
        var logOptions = WriteAheadLog.Options()
        logOptions.segmentSizeBytes = 1 << 20
        logOptions.zeroAheadBytes = 0
        let (log, recovered) = try WriteAheadLog.open(
            disk: wrapDisk(disk),
            identity: LogIdentity(cluster: RaftLog.ClusterID(high: 1, low: 2), node: id, incarnation: id.rawValue),
            ifMissing: .create,
            options: logOptions
        )
        let (seed, process) = watched.withLock { ($0.random.next(), $0.random.next()) }
        var configuration = RaftServerConfiguration(
            id: id,
            founders: watch.meddling.beginning(id, Configuration(voters: ids)),
            seed: seed,
            process: process
        )
        configuration.options.timing.leaseDriftPercent = leaseDriftPercent
        configuration.options.requestTimeout = .seconds(2)
        configuration.options.snapshotPolicy.entries = 40
        configuration.options.logTail.entries = 10
        configuration.onEvent = { [weak self] event in self?.heard(event, of: id) }
        let start = watched.withLock { watched in
            watched.starts[id, default: 0] += 1
            return watched.starts[id] ?? 0
        }
        let server = try Server(
            configuration,
            machine: RegisterMachine { [weak watch] command, place in watch?.applied(command, at: place, by: id) },
            log: log,
            recovered: recovered,
            transport: WatchedTransport(network.transport(of: PeerID(id.rawValue), on: machine), watch),
            in: machine.system,
            probe: watch.probe(of: id),
            onFailure: { [weak self] in self?.failed(id, start: start, $0) }
        )
        watched.withLock { $0.servers[id] = server }
    }

    /// A server has ended by itself, for example because its disk failed. As a launcher would, this starts it again half a second
    /// later, unless its machine has crashed meanwhile.
    private func failed(_ id: NodeID, start: Int, _ reason: ExitReason) {
        guard isRunning(id, start: start) else { return }
        simulation.note("\(id) ended: \(reason)")
        simulation.world.at(simulation.world.now + 500_000_000) { [weak self] in
            guard let self, isRunning(id, start: start) else { return }
            crash(id, losesPower: false, isFault: false)
            restart(id)
        }
    }

    private func isRunning(_ id: NodeID, start: Int) -> Bool {
        watched.withLock { $0.starts[id] == start && $0.servers[id] != nil }
    }

    func server(_ id: NodeID) -> Server? {
        guard machines.withLock({ $0[id] })?.isUp == true else { return nil }
        return watched.withLock { $0.servers[id] }
    }

    // MARK: Faults

    /// The end of a server, by a power cut that leaves any part of what was not synced, or of its process only.
    func crash(_ id: NodeID, losesPower: Bool, isFault: Bool = true) {
        guard let machine = machines.withLock({ $0[id] }), machine.isUp, let disk = disks[id] else { return }
        if isFault { countFault() }
        let server = watched.withLock { $0.servers.removeValue(forKey: id) }
        network.closeConnections(of: PeerID(id.rawValue))
        machine.crash()
        watch.ended(id)
        _ = consume server
        disk.setFaults(nil)
        if losesPower {
            disk.crash { _ in watched.withLock { Bool.random(using: &$0.random) } }
        } else {
            disk.kill()
        }
    }

    /// Starts a server again that crashed. One that is up is left alone.
    func restart(_ id: NodeID) {
        guard let machine = machines.withLock({ $0[id] }), !machine.isUp else { return }
        do { try machine.restart() } catch { simulation.fail("server \(id) does not start again: \(error)") }
    }

    func pause(_ id: NodeID, for duration: Duration) {
        countFault()
        machines.withLock { $0[id] }?.pause(for: duration)
    }

    /// The next sync of the server's disk fails; the server must end rather than try again.
    func failNextSync(of id: NodeID) {
        guard machines.withLock({ $0[id] })?.isUp == true else { return }
        countFault()
        let hasFailed = Mutex(false)
        disks[id]?.setFaults { operation, _, _ in
            guard operation == .sync else { return nil }
            return hasFailed.withLock { hasFailed in
                defer { hasFailed = true }
                return hasFailed ? nil : .system(code: 5, message: "Input/output error")
            }
        }
    }

    private func countFault() { watched.withLock { $0.faults += 1 } }

    // MARK: Watching

    private func heard(_ event: RaftEvent, of id: NodeID) { simulation.note("\(id) \(event)") }

    var counts: (commits: Int, elections: Int, faults: Int) {
        let counts = watch.counts
        return (counts.commits, counts.elections, watched.withLock { $0.faults } + network.faultCount)
    }
}
