// Runs one seed: clients and faults, then healing and progress, then the judge.

internal import Conclave
internal import ConclaveNet
internal import ConclaveRaft
internal import RaftCore

/// A simulated cluster under faults, judged by its safety checkers and by its clients' history.
package struct RaftSimulation: Sendable {
    private let seed: UInt64
    private let options: RaftRunOptions
    private let simulation: Simulation
    private let world: RaftWorld
    /// What goes wrong.
    private let plan: FaultPlan
    private let recorder = HistoryRecorder<RegisterModel>()

    /// Runs a seed.
    ///
    /// - Throws: `RaftRunFailure`.
    package static func run(
        seed: UInt64,
        _ options: RaftRunOptions = RaftRunOptions()
    ) throws(RaftRunFailure) -> RaftRunReport {
        var configuration = Simulation.Configuration()
        configuration.traceCapacity = options.traceCapacity
        configuration.messagesPerBatch = seed % 4 == 0 ? 1 : 16
        let simulation = Simulation(seed: seed, configuration)
        do {
            return try RaftSimulation(seed, options, simulation).run()
        } catch let failure as RaftRunFailure {
            throw failure
        } catch {
            var (kind, complaint) = (RaftRunFailure.Kind.broken, "\(error)")
            if case SimulationError.violation(let violation) = error { (kind, complaint) = (.correctness, violation) }
            throw RaftRunFailure(kind: kind, seed: seed, complaint: complaint, trace: "\(simulation.trace)")
        }
    }

    private init(_ seed: UInt64, _ options: RaftRunOptions, _ simulation: Simulation) throws {
        self.seed = seed
        self.options = options
        self.simulation = simulation
        world = try RaftWorld(simulation, options)
        plan = options.plan ?? Self.plan(seed: seed, options)
    }

    /// The faults of a seed.
    package static func plan(seed: UInt64, _ options: RaftRunOptions) -> FaultPlan {
        // Other chance than the world's, so that the world is the same under a plan that was cut short.
        var random = SimulationRandom(seed: ~seed)
        let nodes = (1...options.nodes).map { NodeID(UInt64($0)) }
        return FaultPlan(options.profile, nodes: nodes, until: options.faultPhase, using: &random)
    }

    private func run() throws -> RaftRunReport {
        let clientRandoms = (0..<options.clients).map { _ in simulation.makeRandom() }
        let end = simulation.time + options.faultPhase
        try simulation.run {
            await withTaskGroup { group in
                for (client, random) in clientRandoms.enumerated() {
                    group.addTask { await work(as: client, random, until: end) }
                }
                group.addTask { await injectFaults() }
                if let pause = options.transfersWithin {
                    let random = simulation.makeRandom()
                    group.addTask { await handOver(random, within: pause, until: end) }
                }
            }
        }
        try checkLiveness()
        try judge()
        let history = recorder.history.operations
        let counts = world.counts
        return RaftRunReport(
            seed: seed,
            signature: simulation.signature,
            virtualTime: simulation.time,
            operations: history.count,
            answered: history.count { $0.returned != nil },
            commits: counts.commits,
            elections: counts.elections,
            faults: counts.faults
        )
    }

    private func failure(
        _ kind: RaftRunFailure.Kind,
        _ complaint: String,
        timeline: String? = nil
    ) -> RaftRunFailure {
        RaftRunFailure(
            kind: kind,
            seed: seed,
            complaint: complaint,
            trace: "\(simulation.trace)",
            timeline: timeline
        )
    }

    // MARK: Clients

    private func work(as client: Int, _ random: SimulationRandom, until end: Duration) async {
        var random = random
        var number = 0
        while simulation.time < end {
            await simulation.sleep(for: .milliseconds(Int64.random(in: 1...60, using: &random)))
            guard let server = world.server(world.ids.randomElement(using: &random) ?? world.ids[0]) else { continue }
            number += 1
            let key = "key-\(Int.random(in: 0..<options.keys, using: &random))"
            let call: RegisterModel.Call =
                switch Int.random(in: 0..<10, using: &random) {
                case 0..<5: .read
                case 5..<9: .write("\(client)-\(number)")
                default: .compareAndSet(expected: nil, new: "\(client)-\(number)")
                }
            _ = await perform(call, key: key, client: client, on: server)
        }
    }

    /// Has some server lead after the other, or tries to.
    private func handOver(_ random: SimulationRandom, within pause: Duration, until end: Duration) async {
        var random = random
        while simulation.time < end {
            await simulation.sleep(for: .nanoseconds(Int64.random(in: 1...Int64(pause.nanoseconds), using: &random)))
            let target = world.ids.randomElement(using: &random)
            guard let server = world.server(world.ids.randomElement(using: &random) ?? world.ids[0]) else { continue }
            await withCheckedContinuation { continuation in
                server.administrate(.transferLeadership(to: target), AdminCompletion { _ in continuation.resume() })
            }
        }
    }

    /// One call, recorded. True: it was answered.
    private func perform(
        _ call: RegisterModel.Call,
        key: String,
        client: Int,
        on server: RaftWorld.Server
    ) async -> Bool {
        let open = recorder.invoke(client: client, key: key, call, at: now)
        let floor = world.watch.floor(of: key)
        let result: Result<RegisterModel.Answer, RaftError> = await withCheckedContinuation { continuation in
            if call == .read {
                server.read(QueryCompletion<RegisterMachine>(key) { continuation.resume(returning: $0) })
            } else {
                server.propose(
                    RegisterMachine.command(call, key: key),
                    CommandCompletion<RegisterMachine> { continuation.resume(returning: $0) }
                )
            }
        }
        switch result {
        case .success(let answer):
            recorder.answered(open, answer, at: now)
            world.watch.answered(answer, to: call, of: key, floor: floor)
            return true
        case .failure(.unknown) where call != .read: return false
        case .failure:
            recorder.failed(open, at: now)
            return false
        }
    }

    private var now: UInt64 { simulation.time.nanoseconds }

    // MARK: Faults

    /// Carries out the plan. What it asks for and cannot be, as the crash of a server that is down, is left out.
    private func injectFaults() async {
        for step in plan.steps {
            let wait = step.time - simulation.time
            if wait > .zero { await simulation.sleep(for: wait) }
            inject(step.fault)
        }
    }

    private func inject(_ fault: Fault) {
        switch fault {
        case .network(let faults): world.network.setFaults(faults)
        case .cut(let from, let to): world.network.cut(from: PeerID(from.rawValue), to: PeerID(to.rawValue))
        case .isolate(let id):
            for other in world.ids where other != id {
                world.network.cut(from: PeerID(id.rawValue), to: PeerID(other.rawValue))
                world.network.cut(from: PeerID(other.rawValue), to: PeerID(id.rawValue))
            }
        case .heal: world.network.healLinks()
        case .pause(let id, let duration): world.pause(id, for: duration)
        case .failSync(let id): world.failNextSync(of: id)
        case .kill(let id): world.crash(id, losesPower: false)
        case .powerCut(let id): world.crash(id, losesPower: true)
        case .restart(let id): world.restart(id)
        }
    }

    // MARK: Judging

    /// All faults heal: a write must be acknowledged within the bound.
    private func checkLiveness() throws {
        world.network.setFaults(NetworkFaults())
        world.network.healLinks()
        for id in world.ids {
            // One whose disk failed is up without a server.
            world.crash(id, losesPower: false, isFault: false)
            world.restart(id)
        }
        let end = simulation.time + options.livenessBound
        let isLive = try simulation.run {
            var number = 0
            while simulation.time < end {
                for id in world.ids {
                    guard let server = world.server(id) else { continue }
                    number += 1
                    if await perform(.write("alive-\(number)"), key: "key-0", client: -1, on: server) { return true }
                    await simulation.sleep(for: .milliseconds(20))
                }
            }
            return false
        }
        if !isLive {
            throw failure(
                .liveness,
                "no write was acknowledged within \(options.livenessBound) after the faults healed"
            )
        }
    }

    private func judge() throws {
        switch LinearizabilityChecker(RegisterModel()).check(recorder.history) {
        case .linearizable: break
        case .violation(let violation):
            throw failure(.correctness, "\(violation)", timeline: violation.timelineHTML)
        case .undecided(let keys):
            throw failure(.broken, "the linearizability check of \(keys) reached its limit: nothing is shown")
        }
    }
}
