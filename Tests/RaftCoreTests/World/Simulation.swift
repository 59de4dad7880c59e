// One seeded history: faults first, then peace.

@testable import RaftCore

/// Draws events from a seed and lets a world live through them.
struct Simulation {
    /// How many ticks of peace are enough for a leader, a commit everywhere, and an answer to every read. Stuck campaigns,
    /// a leader at a higher term, backtracking: ten election timeouts of at most 12 ticks, for rivals that have little chance to part.
    static let ticksToRecover = 120

    private(set) var world: World
    private var random: SplitMix64
    private let rates: FaultMixture
    private var clockRates: [Int]
    /// Some of the messages delivered so far.
    private var delivered: [RaftMessage] = []

    init(seed: UInt64, servers: Int, bug: PlantedBug? = nil) {
        var draws = SplitMix64(seed: seed)
        func upTo(_ limit: UInt64) -> Int { Int(draws.next() % limit) }
        rates = FaultMixture(drawnBy: upTo)
        // Small messages and windows, so that their bounds are met.
        let limits = RaftLimits(
            entriesPerMessage: 1 + upTo(8),
            bytesPerMessage: 1 + upTo(40),
            inflightMessages: 1 + upTo(4),
            inflightBytes: 1 + upTo(200),
            committedPerOutput: 1 + upTo(10)
        )
        // Short timeouts, for more elections; sometimes with little chance in them, for more rivals.
        let timing = RaftTiming(
            heartbeatTicks: 2,
            electionTicks: 6..<9 + upTo(2) * upTo(4),
            disconnectGraceTicks: 1..<2 + upTo(3),
            retryTicks: 2..<4 + upTo(4)
        )
        random = draws
        world = World(servers: servers, seed: seed, timing: timing, limits: limits, bug: bug)
        clockRates = Array(repeating: 8, count: servers)
    }

    /// The faulty part; throws what the checker found.
    mutating func runFaults(steps: Int) throws(Violation) {
        for _ in 0..<steps { try step() }
    }

    /// The faults end. Returns how many ticks of peace the cluster took to lead, commit and answer everywhere, or nil.
    mutating func runPeace() throws(Violation) -> Int? {
        world.holdsOutput = false
        world.healNetwork()
        for id in world.ids where world[id].core == nil { world.start(id) }
        var proposed: LogIndex?
        var askedTerm: Term?
        for tick in 0..<Self.ticksToRecover {
            try world.pass(ticks: 1)
            if let proposed, isEverywhere(proposed), world.checker.waitingReads == 0 { return tick }
            // A leader left over from the faults may fall before it commits: then the next one is asked.
            guard let leader = world.leader, world.core(leader).term != askedTerm else { continue }
            askedTerm = world.core(leader).term
            for id in world.ids { try world.read(id) }
            if case .appended(let index, _) = try world.propose(leader) { proposed = index }
            try world.settle()
        }
        return nil
    }

    private func isEverywhere(_ index: LogIndex) -> Bool {
        world.servers.allSatisfy { ($0.applied.last?.index ?? .zero) >= index }
    }

    // MARK: - Events

    private mutating func below(_ limit: Int) -> Int { Int(random.next() % UInt64(limit)) }

    private mutating func happens(percent: Int) -> Bool { below(100) < percent }

    private mutating func anyone() -> NodeID { world.ids[below(world.ids.count)] }

    private mutating func step() throws(Violation) {
        if below(1000) < rates.crash { try world.crash(anyone(), noticed: happens(percent: 50)) }
        if below(1000) < rates.repair { repair() }
        if below(1000) < rates.reboot { try reboot(anyone()) }
        if below(1000) < rates.partition { try cutLinks() }
        if below(1000) < rates.straggler, !delivered.isEmpty { try world.deliver(delivered[below(delivered.count)]) }
        if below(1000) < rates.clock { clockRates[below(clockRates.count)] = happens(percent: 60) ? 8 : below(8) }
        // A planted bug is to meet the checker before it meets a precondition of the core.
        world.holdsOutput = world.bug == nil && happens(percent: rates.batching)
        let id = anyone()
        switch below(100) {
        case ..<rates.ticks: try tick(happens(percent: rates.lockstep) ? world.ids : [id])
        case ..<75: for _ in 0...below(3) { try deliverOne() }
        case ..<90: try sync(id)
        case ..<95: try proposeSome(at: happens(percent: 70) ? world.leader ?? id : id)
        case ..<98: try world.read(happens(percent: 50) ? someLeader() ?? id : id)
        default: try loseConnection(of: id)
        }
    }

    /// One of those who think they lead.
    private mutating func someLeader() -> NodeID? {
        let leaders = world.ids.filter { world[$0].core?.role == .leader }
        return leaders.isEmpty ? nil : leaders[below(leaders.count)]
    }

    private mutating func tick(_ ids: [NodeID]) throws(Violation) {
        for id in ids where below(8) < clockRates[Int(id.rawValue) - 1] { try world.tick(id) }
    }

    private mutating func sync(_ id: NodeID) throws(Violation) {
        let sentBefore = world.network.count
        try world.sync(id, outputs: happens(percent: 50) ? .max : 1 + below(2))
        // The moment at which a forgotten vote matters.
        let votes = world.network[sentBefore...].contains { $0.kind == .voteResponse(granted: true) }
        if votes && happens(percent: rates.rebootAfterVote) { try reboot(id) }
    }

    private mutating func deliverOne() throws(Violation) {
        guard !world.network.isEmpty else { return }
        let place = happens(percent: rates.reorder) ? below(world.network.count) : 0
        let message = world.network[place]
        if !happens(percent: rates.duplicate) { world.network.remove(at: place) }
        if happens(percent: rates.drop) { return }
        if delivered.count < rates.memory {
            delivered.append(message)
        } else {
            delivered[below(rates.memory)] = message
        }
        try world.deliver(message)
        if happens(percent: rates.fastDisk) { try sync(message.to) }
    }

    private mutating func proposeSome(at id: NodeID) throws(Violation) {
        let payloads = (0...below(4)).map { _ in Array(repeating: UInt8(below(256)), count: below(20)) }
        let waiting = anyone()
        try world.act(id) { core in
            for payload in payloads { _ = core.propose(payload) }
            core.awaitCommit(of: core.lastIndex, for: waiting)
        }
    }

    /// One dead server restarts; then, as likely as not, all links and clocks are well again.
    private mutating func repair() {
        if let down = world.ids.first(where: { world[$0].core == nil }) { world.start(down) }
        guard happens(percent: 50) else { return }
        world.healNetwork()
        clockRates = clockRates.map { _ in 8 }
    }

    private mutating func reboot(_ id: NodeID) throws(Violation) {
        guard world[id].core != nil else { return }
        try world.crash(id)
        world.start(id)
    }

    /// Cuts off one server, cuts one direction of one link or of all, splits the cluster.
    private mutating func cutLinks() throws(Violation) {
        if happens(percent: rates.deafLeader) { return deafenLeader() }
        switch below(4) {
        case 0: world.isolate(anyone())
        case 1: if let leader = world.leader { world.isolate(leader) }
        case 2: world.setLink(anyone(), anyone(), cut: true)
        default:
            let side = below(1 << world.ids.count)
            for (i, from) in world.ids.enumerated() {
                for (j, to) in world.ids.enumerated() where (side >> i) & 1 != (side >> j) & 1 {
                    world.setLink(from, to, cut: true)
                }
            }
        }
    }

    /// A leader that nobody hears, that hears only one other, and whose clock stands still, long believes in itself.
    private mutating func deafenLeader() {
        guard let leader = world.leader else { return }
        world.isolate(leader)
        world.setLink(anyone(), leader, cut: false)
        clockRates[Int(leader.rawValue) - 1] = 0
    }

    /// A connection closes, for good reason or for none; what was under way on it is lost.
    private mutating func loseConnection(of id: NodeID) throws(Violation) {
        let other = anyone()
        guard other != id else { return }
        world.network.removeAll { ($0.from == id && $0.to == other) || ($0.from == other && $0.to == id) }
        try world.act(id) { $0.peerDisconnected(other) }
        try world.act(other) { $0.peerDisconnected(id) }
    }
}
