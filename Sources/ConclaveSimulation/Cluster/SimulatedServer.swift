// An unchanged Raft server on a simulated machine, and the launcher that starts it again.

internal import Conclave
internal import ConclaveNet
internal import ConclaveRaft
internal import RaftCore
internal import RaftLog
internal import RaftScenario
internal import Synchronization

/// A server, from its founding or its addition on, and all that is its own.
final class SimulatedServer<Machine: StateMachine>: Sendable {
    private struct State {
        var incarnation: UInt64
        var disk: MemoryDisk
        var machine: SimulatedMachine?
        var server: RaftServer<Machine>?
        /// How often it was started.
        var starts = 0
        /// When that was last tried, in nanoseconds.
        var startedAt: UInt64 = 0
        /// How long the launcher waits when it ends by itself, in nanoseconds.
        var wait = SimulatedServer.shortestWait
    }

    /// As a launcher does, the one of a simulated server waits twice as long each time, until the server has lived for a while.
    private static var shortestWait: UInt64 { 500_000_000 }
    private static var longestWait: UInt64 { 4_000_000_000 }
    private static var quietTime: UInt64 { 10_000_000_000 }

    let id: NodeID
    /// What its disk refuses to do.
    let trouble = DiskTrouble()
    private let site: ClusterSite
    private let founders: Configuration
    private let configure: @Sendable (inout RaftServerConfiguration, _ incarnation: UInt64) -> Void
    private let makeMachine: @Sendable () -> Machine
    private let onRefusal: (@Sendable (any Error) -> Void)?
    private let state: Mutex<State>

    /// Starts a server on a new machine with an empty disk.
    ///
    /// - Parameters:
    ///   - name: of the machine.
    ///   - founders: what it is told, at each start, that the cluster began with.
    ///   - configure: changes what one start of the server is given. Events are noted without it.
    ///   - makeMachine: a state machine that has applied nothing, for one start of the server.
    ///   - onRefusal: hears what keeps it from starting again, unless trying later helps. Nil: that fails the simulation.
    /// - Throws: what starting it throws.
    init(
        _ id: NodeID,
        incarnation: UInt64,
        founders: Configuration,
        at site: ClusterSite,
        on name: String,
        clockPerMille: UInt64 = 1_000,
        configure: @escaping @Sendable (inout RaftServerConfiguration, _ incarnation: UInt64) -> Void,
        makeMachine: @escaping @Sendable () -> Machine,
        onRefusal: (@Sendable (any Error) -> Void)? = nil
    ) throws {
        self.id = id
        self.founders = founders
        self.site = site
        self.configure = configure
        self.makeMachine = makeMachine
        self.onRefusal = onRefusal
        state = Mutex(State(incarnation: incarnation, disk: MemoryDisk(location: "disk of \(id)")))
        let machine = try site.simulation.machine(name, clockPerMille: clockPerMille) { [unowned self] in try boot($0) }
        state.withLock { $0.machine = machine }
    }

    private func boot(_ machine: SimulatedMachine) throws {
        let now = site.simulation.world.now
        state.withLock { $0.startedAt = now }
        let disk = disk
        disk.setFaults(trouble.rule)
        let (log, recovered) = try openLog(on: site.wrapDisk(disk))
        let (seed, process) = site.draw { ($0.next(), $0.next()) }
        let start = state.withLock { state in
            state.starts += 1
            return state.starts
        }
        let server = try RaftServer(
            configuration(seed: seed, process: process, recovered.identity.incarnation),
            machine: makeMachine(),
            log: log,
            recovered: recovered,
            transport: WatchedTransport(
                of: id,
                site.network.transport(of: peer, incarnation: recovered.identity.incarnation, on: machine),
                site.watch
            ),
            in: machine.system,
            probe: site.watch.probe(of: id),
            onFailure: { [weak self] in self?.failed(start: start, $0) }
        )
        state.withLock { $0.server = server }
    }

    private func configuration(seed: UInt64, process: UInt64, _ incarnation: UInt64) -> RaftServerConfiguration {
        var configuration = RaftServerConfiguration(
            id: id,
            founders: site.watch.meddling.beginning(id, founders),
            seed: seed,
            process: process
        )
        configuration.options.requestTimeout = .seconds(2)
        configure(&configuration, incarnation)
        let tell = configuration.onEvent
        configuration.onEvent = { [weak simulation = site.simulation, id] event in
            simulation?.note("\(id) \(ScenarioPrinter.text(event))")
            tell(event)
        }
        return configuration
    }

    private func openLog(on disk: any Disk) throws -> (WriteAheadLog, Recovered) {
        var options = WriteAheadLog.Options()
        options.segmentSizeBytes = 1 << 18
        options.zeroAheadBytes = 0
        return try WriteAheadLog.open(
            disk: disk,
            identity: LogIdentity(cluster: ClusterID(high: 1, low: 2), node: id, incarnation: incarnation),
            ifMissing: .create,
            ifDamaged: .quarantine,
            options: options
        )
    }

    // MARK: The launcher

    /// It has ended by itself, for example because its disk failed. As a launcher would, this starts it again half a second later, or more
    /// where that happens again and again, unless its machine has crashed meanwhile.
    private func failed(start: Int, _ reason: ExitReason) {
        guard state.withLock({ $0.starts == start && $0.server != nil }) else { return }
        site.simulation.note("\(id) ended: \(reason)")
        launchLater(start: start)
    }

    private func launchLater(start: Int) {
        let now = site.simulation.world.now
        let wait = state.withLock { state in
            if now - state.startedAt >= Self.quietTime { state.wait = Self.shortestWait }
            defer { state.wait = min(2 * state.wait, Self.longestWait) }
            return state.wait
        }
        site.simulation.world.at(now + wait) { [weak self] in
            guard let self, isUp, state.withLock({ $0.starts == start }) else { return }
            kill()
            launch()
        }
    }

    /// Starts it from its disk, unless it is up. If it cannot start for want of space, or because its disk fails, this is tried again
    /// later.
    func launch() {
        do { try restart() } catch {
            switch error {
            case LogError.io, LogError.diskFull, LogError.failed:
                site.simulation.note("\(id) does not start: \(error)")
                launchLater(start: state.withLock { $0.starts })
            default:
                guard let onRefusal else {
                    return site.simulation.fail("server \(id) does not start again: \(error)")
                }
                onRefusal(error)
            }
        }
    }

    /// Starts it from its disk, unless it is up.
    ///
    /// - Throws: what starting it throws.
    func restart() throws {
        guard let machine, !machine.isUp else { return }
        try machine.restart()
    }

    // MARK: Its ends

    /// Its process ends; what it wrote is still there. Nothing if it is down.
    func kill() { end()?.kill() }

    /// Its machine loses its power, and with it any part of what was not synced. Nothing if it is down.
    func cutPower() {
        end()?.crash { _ in site.draw { Bool.random(using: &$0) } }
    }

    private func end() -> MemoryDisk? {
        guard let machine, machine.isUp else { return nil }
        // Until its machine is down: nothing of it may go by itself before.
        let server = state.withLock { $0.server.take() }
        site.network.closeConnections(of: peer)
        machine.crash()
        site.watch.ended(id)
        _ = consume server
        trouble.forgetFailures()
        return disk
    }

    /// It has another disk, an empty one: one that is down, before its next start. As another incarnation it is a stranger to the others.
    func wipe() {
        let incarnation = site.draw { $0.next() }
        state.withLock {
            $0.disk = MemoryDisk(location: "new disk of \(id)")
            $0.incarnation = incarnation
        }
        site.network.forget(peer)
        site.watch.wiped(id)
    }
}

// MARK: - Looking at it

extension SimulatedServer {
    private var peer: PeerID { PeerID(id.rawValue) }

    var incarnation: UInt64 { state.withLock { $0.incarnation } }
    var disk: MemoryDisk { state.withLock { $0.disk } }
    /// Nil until it has started for the first time.
    var machine: SimulatedMachine? { state.withLock { $0.machine } }
    var isUp: Bool { machine?.isUp == true }

    /// The server if it can be asked.
    var running: RaftServer<Machine>? { isUp ? state.withLock { $0.server } : nil }

    /// What it would find on a disk; nil where it would refuse to start. The disk is left as it is.
    func recovery(of disk: MemoryDisk) -> Recovered? {
        do {
            let (log, recovered) = try openLog(on: disk.copy())
            if let snapshot = recovered.snapshot { try log.snapshotFiles.read(snapshot).verify() }
            return recovered
        } catch {
            return nil
        }
    }
}
