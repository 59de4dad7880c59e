// A cluster of unchanged Raft servers on simulated machines, networks and disks, with everything that watches it.

internal import Conclave
internal import ConclaveNet
internal import ConclaveRaft
internal import RaftCore
internal import RaftLog
internal import Synchronization

/// The machines of one run, and the servers on them.
final class RaftWorld: Sendable {
    typealias Server = RaftServer<RegisterMachine>
    typealias Resident = SimulatedServer<RegisterMachine>

    struct State {
        var residents: [NodeID: Resident] = [:]
        /// Residents that are members no more, and do not start again.
        var retired: Set<NodeID> = []
        /// Who lives in each place of a fault plan, the first place first.
        var places: [NodeID] = []
        /// Servers that an operator has added, before they take a place.
        var newcomers: [NodeID] = []
        var lastID: UInt64
        /// What operators are yet to do, in order.
        var orders: [Order] = []
        /// Places whose servers have lost something that they had acknowledged: as many as a cluster can stand, and no more ever.
        var losers: Set<Int> = []
        /// Servers whose disks are damaged so much that they must refuse to start.
        var refusing: Set<NodeID> = []
        var faults = 0
        var replacements = 0
        /// Changes of several members at once, and votes taken and given back.
        var swaps = 0
        var demotions = 0
        var repairs = 0
        var misdirections = 0
        var rottenSnapshots = 0
        /// Those that a leader found when it was about to send them.
        var replacedSnapshots = 0
    }

    let site: ClusterSite
    private let leaseDriftPercent: Int?
    private let state: Mutex<State>

    init(_ simulation: Simulation, _ options: RaftRunOptions) throws {
        site = ClusterSite(simulation, meddling: options.meddling, wrapDisk: options.wrapDisk)
        leaseDriftPercent = options.leaseDriftPercent
        let ids = (1...options.nodes).map { NodeID(UInt64($0)) }
        let founders = Configuration(
            voters: ids,
            records: ids.map { MemberRecord($0, peerAddress: Self.address(of: $0)) }
        )
        state = Mutex(State(places: ids, lastID: UInt64(options.nodes)))
        for (place, id) in ids.enumerated() {
            let clock = place < options.clocksPerMille.count ? options.clocksPerMille[place] : 1_000
            try settle(id, founders: founders, clockPerMille: clock)
        }
    }

    var simulation: Simulation { site.simulation }
    var network: SimulatedNetwork { site.network }
    var watch: RaftWatch { site.watch }

    /// Change, or look at, what is known. Short, and without calling a server.
    func withState<Result: Sendable>(_ body: (inout State) -> sending Result) -> Result { state.withLock(body) }

    /// Stands in a member's record; the network finds everybody by number.
    static func address(of id: NodeID) -> String { "127.0.0.1:\(10_000 + id.rawValue % 50_000)" }

    // MARK: Servers

    /// A new machine with an empty disk, and a server on it.
    func settle(_ id: NodeID, founders: Configuration, clockPerMille: UInt64 = 1_000) throws {
        let incarnation = site.draw { $0.next() }
        let resident = try Resident(
            id,
            incarnation: incarnation,
            founders: founders,
            at: site,
            on: "server-\(id.rawValue)",
            clockPerMille: clockPerMille,
            configure: { [weak self, leaseDriftPercent] configuration, incarnation in
                configuration.own = MemberRecord(id, peerAddress: Self.address(of: id), incarnation: incarnation)
                configuration.options.timing.leaseDriftPercent = leaseDriftPercent
                configuration.options.snapshotPolicy.entries = 40
                configuration.options.logTail.entries = 10
                configuration.onEvent = { [weak self] in self?.count($0) }
            },
            makeMachine: { [watch] in RegisterMachine { watch.applied($0, by: id) } },
            onRefusal: { [weak self] in self?.refusesToStart(id, $0) }
        )
        withState { $0.residents[id] = resident }
    }

    func resident(_ id: NodeID) -> Resident? { withState { $0.residents[id] } }

    /// All servers that belong to the cluster, or are about to.
    var ids: [NodeID] { withState { $0.places + $0.newcomers } }

    /// A server that can be asked.
    func server(_ id: NodeID) -> Server? { resident(id)?.running }

    // MARK: Ends and starts

    /// The end of a server, by a power cut that leaves any part of what was not synced, or of its process only.
    func crash(_ id: NodeID, losesPower: Bool, isFault: Bool = true) {
        guard let resident = resident(id), resident.isUp else { return }
        if isFault { countFault() }
        if losesPower { resident.cutPower() } else { resident.kill() }
    }

    /// Starts a server again that crashed, as soon as its disk lets it. One that is up is left alone.
    func restart(_ id: NodeID) {
        guard let resident = resident(id), !withState({ $0.retired.contains(id) }) else { return }
        resident.launch()
    }

    func countFault() { withState { $0.faults += 1 } }

    private func count(_ event: RaftEvent) {
        withState { state in
            switch event {
            case .quarantineOver: state.repairs += 1
            case .snapshotDamaged: state.replacedSnapshots += 1
            default: break
            }
        }
    }

    // MARK: Watching

    /// Servers whose logs are damaged and not whole again yet.
    var quarantined: [NodeID] { ids.filter { server($0)?.status.current.isQuarantined == true } }

    var replacements: Int { withState { $0.replacements } }
    var swaps: Int { withState { $0.swaps } }
    var demotions: Int { withState { $0.demotions } }
    var repairs: Int { withState { $0.repairs } }
    var rottenSnapshots: Int { withState { $0.rottenSnapshots } }
    var replacedSnapshots: Int { withState { $0.replacedSnapshots } }
    var misdirections: Int { withState { $0.misdirections } }

    var counts: (commits: Int, elections: Int, faults: Int) {
        let counts = watch.counts
        return (counts.commits, counts.elections, withState { $0.faults } + network.faultCount)
    }
}
