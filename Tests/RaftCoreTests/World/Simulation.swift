// One seeded history: faults first, then peace.

import PlantedBugs
import RaftScenario

@testable import RaftCore

/// Draws events from a seed and lets a world live through them.
struct Simulation {
    /// How many ticks of peace are enough for a leader, a commit everywhere, and an answer to every read. Stuck campaigns,
    /// a leader at a higher term, backtracking, a snapshot: election timeouts of at most 12 ticks, for rivals that have little
    /// chance to part.
    static let ticksToRecover = 250
    /// Servers beyond the first voters, that may be added.
    static let spares = 2

    private(set) var world: World
    private var random: SplitMix64
    private let rates: FaultMixture
    /// Fewer voters are never left over.
    private let fewestVoters: Int
    private let isBugPlanted: Bool
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
            committedPerOutput: 1 + upTo(10),
            uncommittedBytes: 20 + upTo(400),
            snapshotChunkBytes: 1 + upTo(20),
            promotionLagEntries: 5,
            keptForSnapshots: LogTail(entries: 1 + upTo(40), bytes: 300)
        )
        // Short timeouts, for more elections; sometimes with little chance in them, for more rivals.
        let timing = RaftTiming(
            heartbeatTicks: 2,
            electionTicks: 6..<9 + upTo(2) * upTo(4),
            disconnectGraceTicks: 1..<2 + upTo(3),
            retryTicks: 2..<4 + upTo(4)
        )
        random = draws
        isBugPlanted = bug != nil
        // A lone survivor of two whose disk is damaged could not be told from one that lies.
        fewestVoters = min(servers, 3)
        world = World(
            servers: servers + Self.spares,
            configuration: Configuration(voters: (1...servers).map { NodeID(UInt64($0)) }),
            seed: seed,
            timing: timing,
            limits: limits,
            meddling: bug?.meddling ?? Meddling()
        )
        clockRates = Array(repeating: 8, count: servers + Self.spares)
    }

    /// The faulty part; throws what the checker found.
    mutating func runFaults(steps: Int) throws(Violation) {
        for _ in 0..<steps { try step() }
    }

    /// The faults end. Returns how many ticks of peace the cluster took to lead, commit and answer everywhere, or nil.
    mutating func runPeace() throws(Violation) -> Int? {
        world.holdsOutput = false
        world.healNetwork()
        for id in world.ids {
            world[id].isDiskStalled = false
            if world[id].core == nil { world.start(id) }
        }
        var proposed: LogIndex?
        var askedTerm: Term?
        for tick in 0..<Self.ticksToRecover {
            try world.pass(ticks: 1)
            if let proposed, isWell(proposed) { return tick }
            // A leader left over from the faults may fall before it commits: then the next one is asked.
            guard let leader = world.leader, world.core(leader).term != askedTerm else { continue }
            guard case .appended(let index, let term) = try world.propose(leader) else { continue }
            (proposed, askedTerm) = (index, term)
            for id in members(of: leader) { try world.read(id) }
            try world.settle()
        }
        return nil
    }

    /// Every member has applied the entry, no change is half done, no read waits.
    private func isWell(_ index: LogIndex) -> Bool {
        guard let leader = world.leader, !world.core(leader).configuration.isJoint else { return false }
        return members(of: leader).allSatisfy { world[$0].machine.index >= index } && world.checker.waitingReads == 0
    }

    private func members(of leader: NodeID) -> [NodeID] { world.core(leader).configuration.members }

    // MARK: - Events

    private mutating func below(_ limit: Int) -> Int { Int(random.next() % UInt64(limit)) }

    private mutating func happens(percent: Int) -> Bool { below(100) < percent }

    private mutating func anyone() -> NodeID { world.ids[below(world.ids.count)] }

    private mutating func step() throws(Violation) {
        if below(1000) < rates.crash { try world.crash(anyone(), noticed: happens(percent: 50)) }
        if below(1000) < rates.repair { repair() }
        if below(1000) < rates.reboot { try reboot(anyone()) }
        if below(1000) < rates.partition { try cutLinks() }
        if below(1000) < rates.change { try changeMembership() }
        if below(1000) < rates.snapshot {
            try world.takeSnapshot(anyone(), keeping: LogTail(entries: below(4), bytes: 60))
        }
        if below(1000) < rates.transfer, let leader = someLeader() { try world.transfer(leader, to: anyone()) }
        if below(1000) < rates.damage { try damageDisk() }
        if below(1000) < rates.stall {
            let id = anyone()
            world[id].isDiskStalled.toggle()
        }
        if below(1000) < rates.straggler, !delivered.isEmpty { try world.deliver(delivered[below(delivered.count)]) }
        if below(1000) < rates.clock { clockRates[below(clockRates.count)] = happens(percent: 60) ? 8 : below(8) }
        // A planted bug is to meet the checker before it meets a precondition of the core.
        world.holdsOutput = !isBugPlanted && happens(percent: rates.batching)
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
        let votes = world.network.dropFirst(sentBefore).contains { $0.kind == .voteResponse(granted: true) }
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

    /// Some leader is asked for a change that makes sense there, of one server or of two.
    private mutating func changeMembership() throws(Violation) {
        guard let leader = someLeader() else { return }
        let configuration = world.core(leader).configuration
        var voters = configuration.voters.count
        var steps: [ConfigurationStep] = []
        for _ in 0...below(3) {
            let id = anyone()
            guard !steps.contains(where: { $0.id == id }) else { continue }
            if configuration.learners.contains(id) {
                steps.append(happens(percent: 80) ? .promote(id) : .remove(id))
            } else if !configuration.voters.contains(id) {
                steps.append(.addLearner(id))
            } else if voters > fewestVoters {
                steps.append(happens(percent: 40) ? .demote(id) : .remove(id))
                voters -= 1
            }
        }
        guard !steps.isEmpty else { return }
        try world.change(leader, steps)
    }

    /// A crash, and some of the last entries cannot be read any more. One disk at a time.
    private mutating func damageDisk() throws(Violation) {
        let isDamaged = world.servers.contains { $0.disk.lost != nil || $0.core?.isQuarantined == true }
        let id = anyone()
        guard !isDamaged, fewestVoters == 3, world[id].core != nil, let last = world[id].disk.entries.last else {
            return
        }
        try world.crash(id)
        world.damage(id, from: LogIndex(last.index.rawValue - min(UInt64(below(4)), last.index.rawValue - 1)))
        world.start(id)
    }

    /// One dead server restarts; then, as likely as not, all links and clocks are well again.
    private mutating func repair() {
        if let down = world.ids.first(where: { world[$0].core == nil }) { world.start(down) }
        guard happens(percent: 50) else { return }
        for id in world.ids { world[id].isDiskStalled = false }
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
