// Carries out the commands of a scenario. The README beside the scenarios lists them.

import RaftCore

/// A world, led through commands.
struct ScenarioRunner {
    private var world: World?
    private let meddling: Meddling
    /// What `settle`, `tick` and `pass` lose.
    private var losses: [MessageFilter] = []

    init(meddling: Meddling) { self.meddling = meddling }

    /// Runs one command. Returns its output: first what it says itself, then what the servers announced.
    mutating func run(_ command: String) throws(ScenarioError) -> [String] {
        var words = ScenarioWords(command)
        let verb = try words.take()
        if verb == "cluster" {
            try start(&words)
            return []
        }
        guard var world else { throw words.failure("a scenario begins with a cluster") }
        var output: [String]
        do {
            output = try carryOut(verb, &words, &world)
        } catch let error as ScenarioError {
            throw error
        } catch {
            // A violation is what some scenarios are about.
            output = ["VIOLATION \(error)"]
        }
        guard words.isEmpty else { throw words.failure("\(words.takeRest()) is one word too many") }
        output += news(&world)
        self.world = world
        return output
    }

    /// `cluster 3 [voters 1 2] [learners 3] [seed=7 entries=1 …]`.
    private mutating func start(_ words: inout ScenarioWords) throws(ScenarioError) {
        let count = try words.takeNumber()
        let all = (1...max(count, 1)).map { NodeID(UInt64($0)) }
        let voters = words.take("voters") ? words.takeIDs() : all
        let learners = words.take("learners") ? words.takeIDs() : []
        var options = try words.takeOptions()
        var limits = RaftLimits()
        limits.entriesPerMessage = options.removeValue(forKey: "entries") ?? limits.entriesPerMessage
        limits.inflightMessages = options.removeValue(forKey: "inflight") ?? limits.inflightMessages
        limits.snapshotChunkBytes = options.removeValue(forKey: "chunk") ?? limits.snapshotChunkBytes
        limits.uncommittedBytes = options.removeValue(forKey: "uncommitted") ?? limits.uncommittedBytes
        limits.promotionLagEntries = options.removeValue(forKey: "lag") ?? limits.promotionLagEntries
        var timing = RaftTiming()
        timing.leaseDriftPercent = options.removeValue(forKey: "lease")
        let seed = options.removeValue(forKey: "seed") ?? 1
        if let unknown = options.keys.sorted().first { throw words.failure("there is no option \(unknown)") }
        world = World(
            servers: count,
            configuration: Configuration(voters: voters, learners: learners),
            seed: UInt64(seed),
            timing: timing,
            limits: limits,
            meddling: meddling
        )
    }

    private mutating func carryOut(
        _ verb: String,
        _ words: inout ScenarioWords,
        _ world: inout World
    ) throws -> [String] {
        switch verb {
        case "tick": try world.tick(words.takeID(), words.takeNumberIfAny() ?? 1)
        case "pass": try pass(words.takeNumberIfAny() ?? 1, &world)
        case "settle": try settle(&world)
        case "campaign": try campaign(words.takeID(), &world)
        case "elect": try elect(&words, &world)
        case "propose": return try propose(&words, &world)
        case "change": return try change(&words, &world)
        case "transfer": return try transfer(&words, &world)
        case "read": return ["read \(try world.read(words.takeID()))"]
        case "deliver", "drop", "duplicate": return try handle(verb, &words, &world)
        case "reorder": world.network.reverse()
        case "lose": losses.append(try words.takeFilter())
        case "cut": try cut(&words, &world)
        case "heal":
            world.healNetwork()
            losses = []
        case "close": try close(&words, &world)
        case "sync": try world.sync(words.takeID(), outputs: words.takeNumberIfAny() ?? .max)
        case "stall", "unstall": world[try words.takeID()].isDiskStalled = verb == "stall"
        case "crash": try crash(&words, &world)
        case "restart": try restart(&words, &world)
        case "damage": try damage(&words, &world)
        case "snapshot": return try snapshot(&words, &world)
        case "status": return world.servers.map(ScenarioPrinter.status)
        case "log": return world.servers.map(ScenarioPrinter.log)
        case "network": return world.network.map(ScenarioPrinter.line)
        case "expect": try expect(&words, world)
        default: throw words.failure("there is no command \(verb)")
        }
        return []
    }

    // MARK: Output

    private func news(_ world: inout World) -> [String] {
        var lines = world.announcements.map { "\($0.id) \(ScenarioPrinter.text($0.event))" }
        for outcome in world.readOutcomes {
            let result = outcome.index.map { "may be answered at \($0)" } ?? "failed"
            lines.append("\(outcome.id) read \(outcome.read) \(result)")
        }
        world.announcements = []
        world.readOutcomes = []
        return lines
    }

    // MARK: Time

    private func isLost(_ message: RaftMessage) -> Bool { losses.contains { $0.fits(message) } }

    private func settle(_ world: inout World) throws { try world.settle(losing: isLost) }

    private func pass(_ ticks: Int, _ world: inout World) throws {
        for _ in 0..<ticks {
            for id in world.ids { try world.tick(id) }
            try settle(&world)
        }
    }

    /// Lets one server's time pass, without delivering anything, until it asks for pre-votes.
    private func campaign(_ id: NodeID, _ world: inout World) throws {
        var ticks = 0
        repeat {
            try world.tick(id)
            ticks += 1
        } while !asksForPreVotes(id, world) && ticks < 200
    }

    private func asksForPreVotes(_ id: NodeID, _ world: World) -> Bool {
        world.announcements.contains { $0.id == id && isCampaign($0.event) }
    }

    private func isCampaign(_ event: RaftEvent) -> Bool {
        if case .roleChanged(let role, _) = event { role == .preCandidate || role == .candidate } else { false }
    }

    private func elect(_ words: inout ScenarioWords, _ world: inout World) throws {
        let id = try words.takeID()
        for _ in 0..<400 where world[id].core?.role != .leader {
            try world.tick(id)
            try settle(&world)
        }
        guard world[id].core?.role == .leader else { throw words.failure("\(id) was not elected") }
    }

    // MARK: Clients

    private func propose(_ words: inout ScenarioWords, _ world: inout World) throws -> [String] {
        let id = try words.takeID()
        switch try world.propose(id, Array(words.takeRest().utf8)) {
        case .appended(let index, let term):
            return ["appended \(ScenarioPrinter.text(LogPosition(index: index, term: term)))"]
        case .notLeader(let leader): return ["not the leader\(leader.map { ", that is \($0)" } ?? "")"]
        case .refused(let refusal): return ["refused: \(refusal)"]
        }
    }

    private func change(_ words: inout ScenarioWords, _ world: inout World) throws -> [String] {
        let id = try words.takeID()
        var steps: [ConfigurationStep] = []
        while !words.isEmpty {
            let verb = try words.take()
            let member = try words.takeID()
            switch verb {
            case "add": steps.append(.addLearner(member))
            case "promote": steps.append(.promote(member))
            case "demote": steps.append(.demote(member))
            case "remove": steps.append(.remove(member))
            default: throw words.failure("there is no change \(verb)")
            }
        }
        switch try world.change(id, steps) {
        case .appended(let index, let term):
            return ["appended \(ScenarioPrinter.text(LogPosition(index: index, term: term)))"]
        case .notLeader: return ["not the leader"]
        case .refused(let refusal): return ["refused: \(refusal)"]
        }
    }

    private func transfer(_ words: inout ScenarioWords, _ world: inout World) throws -> [String] {
        let id = try words.takeID()
        guard words.take("to") else { throw words.failure("to whom?") }
        switch try world.transfer(id, to: try words.takeID()) {
        case .started: return []
        case let outcome: return ["refused: \(outcome)"]
        }
    }

    // MARK: Messages

    /// `deliver`, `drop` or `duplicate`, then which of the messages under way now.
    private func handle(_ verb: String, _ words: inout ScenarioWords, _ world: inout World) throws -> [String] {
        let filter = try words.takeFilter()
        let chosen = world.network.filter(filter.fits)
        if verb != "duplicate" { world.network.removeAll(where: filter.fits) }
        switch verb {
        case "deliver": for message in chosen { try world.deliver(message) }
        case "duplicate": world.network += chosen
        default: break
        }
        return chosen.map(ScenarioPrinter.line)
    }

    /// `cut 1->2`, `cut 1` from all others, or `cut 1 2 | 3 4 5`.
    private func cut(_ words: inout ScenarioWords, _ world: inout World) throws {
        let side = words.takeIDs()
        if side.isEmpty {
            let filter = try words.takeFilter()
            for from in world.ids where filter.from ?? from == from {
                for to in world.ids where filter.to ?? to == to { world.setLink(from, to, cut: true) }
            }
            return
        }
        let other = words.take("|") ? words.takeIDs() : world.ids.filter { !side.contains($0) }
        for from in side {
            for to in other {
                world.setLink(from, to, cut: true)
                world.setLink(to, from, cut: true)
            }
        }
    }

    private func close(_ words: inout ScenarioWords, _ world: inout World) throws {
        let (one, other) = (try words.takeID(), try words.takeID())
        try world.act(one) { $0.peerDisconnected(other) }
        try world.act(other) { $0.peerDisconnected(one) }
    }

    // MARK: Servers

    private func crash(_ words: inout ScenarioWords, _ world: inout World) throws {
        let id = try words.takeID()
        try world.crash(id, noticed: words.take("noticed"))
    }

    /// `restart 3`, after a crash, or `restart 3 empty`: another server in its place.
    private func restart(_ words: inout ScenarioWords, _ world: inout World) throws {
        let id = try words.takeID()
        if world[id].core != nil { try world.crash(id) }
        if words.take("empty") { world.wipe(id) }
        world.start(id)
    }

    /// `damage 3 from 7`: a server that is down loses its entries from index 7 on, and knows it.
    private func damage(_ words: inout ScenarioWords, _ world: inout World) throws {
        let id = try words.takeID()
        guard words.take("from") else { throw words.failure("from which index on?") }
        let index = LogIndex(UInt64(try words.takeNumber()))
        guard world[id].core == nil else { throw words.failure("\(id) is running") }
        world.damage(id, from: index)
    }

    private func snapshot(_ words: inout ScenarioWords, _ world: inout World) throws -> [String] {
        let id = try words.takeID()
        let kept = words.take("keep") ? try words.takeNumber() : 0
        let last = try world.takeSnapshot(id, keeping: LogTail(entries: kept))
        return [last.map { "snapshot at \(ScenarioPrinter.text($0))" } ?? "nothing new"]
    }

    // MARK: Expectations

    /// `expect leader 1`, `expect no leader`, `expect 2 commit 7`, `expect 2 last 7`, `expect 2 follower`, `expect committed 7`.
    private func expect(_ words: inout ScenarioWords, _ world: World) throws(ScenarioError) {
        let found: String
        let wanted: String
        if words.take("no") {
            guard words.take("leader") else { throw words.failure("no what?") }
            (found, wanted) = (world.leader.map { "leader \($0)" } ?? "no leader", "no leader")
        } else if words.take("leader") {
            let id = try words.takeID()
            (found, wanted) = (world.leader.map { "leader \($0)" } ?? "no leader", "leader \(id)")
        } else if words.take("committed") {
            let count = try words.takeNumber()
            (found, wanted) = ("\(world.checker.committed.count) committed", "\(count) committed")
        } else {
            let id = try words.takeID()
            guard let core = world[id].core else { throw words.failure("\(id) is down") }
            let what = try words.take()
            switch what {
            case "commit": (found, wanted) = ("\(core.commitIndex)", "\(LogIndex(UInt64(try words.takeNumber())))")
            case "last": (found, wanted) = ("\(core.lastIndex)", "\(LogIndex(UInt64(try words.takeNumber())))")
            default: (found, wanted) = (ScenarioPrinter.text(core.role), what)
            }
        }
        if found != wanted { throw words.failure("found \(found)") }
    }
}
