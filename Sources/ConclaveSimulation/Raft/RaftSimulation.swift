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

    /// In seeds that are multiples of this, actors take one message a batch, so that more happens between any two.
    package static let oneMessageSeeds: UInt64 = 4

    /// Runs a seed, twice if the options say so.
    ///
    /// - Throws: `RaftRunFailure`.
    package static func run(
        seed: UInt64,
        _ options: RaftRunOptions = RaftRunOptions()
    ) throws(RaftRunFailure) -> RaftRunReport {
        let report = try runOnce(seed: seed, options)
        guard options.isRepeated else { return report }
        let again: UInt64?
        do { again = try runOnce(seed: seed, options).signature } catch { again = nil }
        if again == report.signature { return report }
        throw RaftRunFailure(
            kind: .broken,
            seed: seed,
            complaint: "\(SimulationError.notRepeatable)",
            time: report.virtualTime,
            trace: ""
        )
    }

    private static func runOnce(seed: UInt64, _ options: RaftRunOptions) throws(RaftRunFailure) -> RaftRunReport {
        var configuration = Simulation.Configuration()
        configuration.traceCapacity = options.traceCapacity
        configuration.messagesPerBatch = seed.isMultiple(of: oneMessageSeeds) ? 1 : 16
        let simulation = Simulation(seed: seed, configuration)
        do {
            return try RaftSimulation(seed, options, simulation).run()
        } catch let failure as RaftRunFailure {
            throw failure
        } catch {
            var (kind, complaint) = (RaftRunFailure.Kind.broken, "\(error)")
            if case SimulationError.violation(let violation) = error { (kind, complaint) = (.correctness, violation) }
            throw RaftRunFailure(
                kind: kind,
                seed: seed,
                complaint: complaint,
                time: simulation.time,
                trace: simulation.trace.withOlderNotes
            )
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
        var knobs = FaultKnobs(options.profile, using: &random)
        // A lease holds within a drift that is promised: what the clocks do then is the options'.
        if options.leaseDriftPercent != nil { (knobs.weights[.clockRate], knobs.weights[.clockJump]) = (0, 0) }
        return FaultPlan(knobs, nodes: nodes, until: options.faultPhase, using: &random)
    }

    private func run() throws -> RaftRunReport {
        do { return try live() } catch SimulationError.violation(let complaint) where options.traceCapacity > 0 {
            // Whoever asks for a trace wants to see what the clients saw until then.
            var timeline: String?
            if case .violation(let violation) = verdict { timeline = violation.timelineHTML }
            throw failure(.correctness, complaint, timeline: timeline)
        }
    }

    /// Clients, faults, healing, and judging.
    private func live() throws -> RaftRunReport {
        let clientRandoms = (0..<options.clients).map { _ in simulation.makeRandom() }
        let operatorRandom = simulation.makeRandom()
        let end = simulation.time + options.faultPhase
        try simulation.run(deadline: options.faultPhase + .seconds(600)) {
            await withTaskGroup { group in
                for (client, random) in clientRandoms.enumerated() {
                    group.addTask { await work(as: client, random, until: end) }
                }
                group.addTask { await injectFaults() }
                group.addTask {
                    var random = operatorRandom
                    while simulation.time < end {
                        await simulation.sleep(for: .milliseconds(Int64.random(in: 50...500, using: &random)))
                        await world.workOnOrders(&random)
                    }
                }
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
            faults: counts.faults,
            refusals: world.network.refusalCount,
            replacements: world.replacements,
            swaps: world.swaps,
            demotions: world.demotions,
            repairs: world.repairs,
            misdirections: world.misdirections,
            rottenSnapshots: world.rottenSnapshots,
            replacedSnapshots: world.replacedSnapshots
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
            time: simulation.time,
            trace: simulation.trace.withOlderNotes,
            timeline: timeline
        )
    }

    // MARK: Clients

    /// Every second client's commands belong to a session.
    private func work(as client: Int, _ random: SimulationRandom, until end: Duration) async {
        var random = random
        var number = 0
        var session: ClientSession?
        while simulation.time < end {
            await simulation.sleep(for: .milliseconds(Int64.random(in: 1...60, using: &random)))
            guard let server = world.server(world.ids.randomElement(using: &random) ?? NodeID(1)) else { continue }
            if client % 2 == 1, session == nil {
                session = await ClientSession.register(at: server)
                if session == nil { continue }
            }
            number += 1
            let key = "key-\(Int.random(in: 0..<options.keys, using: &random))"
            let call: RegisterModel.Call =
                switch Int.random(in: 0..<10, using: &random) {
                case 0..<5: .read
                case 5..<9: .write("\(client)-\(number)")
                default: .compareAndSet(expected: nil, new: "\(client)-\(number)")
                }
            if call != .read, var open = session {
                session = await perform(call, key: key, client: client, in: &open, &random, until: end) ? open : nil
            } else {
                _ = await perform(call, key: key, client: client, on: server)
            }
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

    /// One command of a session, recorded as one call however often it is tried, on any servers. False: the session is of no use any
    /// more.
    private func perform(
        _ call: RegisterModel.Call,
        key: String,
        client: Int,
        in session: inout ClientSession,
        _ random: inout SimulationRandom,
        until end: Duration
    ) async -> Bool {
        let command = RegisterMachine.command(call, key: key)
        let label = session.next()
        let open = recorder.invoke(client: client, key: key, call, at: now)
        let floor = world.watch.floor(of: key)
        while simulation.time < end {
            if let server = world.server(world.ids.randomElement(using: &random) ?? NodeID(1)) {
                let result: Result<RegisterModel.Answer, RaftError> = await withCheckedContinuation { continuation in
                    server.propose(
                        label,
                        command,
                        CommandCompletion<RegisterMachine> { continuation.resume(returning: $0) }
                    )
                }
                switch result {
                case .success(let answer):
                    recorder.answered(open, answer, at: now)
                    world.watch.answered(answer, to: call, of: key, floor: floor)
                    session.answered(label)
                    return true
                // Earlier tries may have been carried out.
                case .failure(.session(.unknownSession)): return false
                case .failure(.session(let refusal)):
                    simulation.fail("sessions: \(label) was refused with \(refusal)")
                    return false
                case .failure: break
                }
            }
            await simulation.sleep(for: .milliseconds(Int64.random(in: 1...100, using: &random)))
        }
        return false
    }

    private var now: UInt64 { simulation.time.nanoseconds }

    // MARK: Faults

    /// Carries out the plan.
    private func injectFaults() async {
        for step in plan.steps {
            let wait = step.time - simulation.time
            if wait > .zero { await simulation.sleep(for: wait) }
            world.inject(step.fault)
        }
    }

    // MARK: Judging

    /// All faults heal: within the bound a write must be acknowledged, damaged logs must be whole again, and operators must have done what
    /// they were to do.
    private func checkLiveness() throws {
        world.heal()
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
                // Perhaps all of them are about to be started again.
                await simulation.sleep(for: .milliseconds(20))
            }
            return false
        }
        if !isLive {
            throw failure(
                .liveness,
                "no write was acknowledged within \(options.livenessBound) after the faults healed"
            )
        }
        let random = simulation.makeRandom()
        let settled = simulation.time + options.settlingBound
        try simulation.run {
            var random = random
            while simulation.time < settled, !world.isInOrder || !world.quarantined.isEmpty {
                await world.workOnOrders(&random)
                await simulation.sleep(for: .milliseconds(100))
            }
        }
        if !world.isInOrder {
            throw failure(.liveness, "operators were not done within \(options.settlingBound) after the faults healed")
        }
        if let server = world.quarantined.first {
            throw failure(.liveness, "server \(server) was not repaired within \(options.settlingBound)")
        }
        try checkCatchingUp()
    }

    /// One that is left behind for good is not healed, however well the others do (rule P17).
    private func checkCatchingUp() throws {
        let servers = world.ids
        let goal = servers.compactMap { world.server($0)?.status.current.commitIndex }.max() ?? .zero
        @Sendable func isBehind(_ id: NodeID) -> Bool {
            world.server(id).map { $0.status.current.appliedIndex < goal } ?? true
        }
        let end = simulation.time + options.livenessBound
        try simulation.run {
            while simulation.time < end, servers.contains(where: isBehind) {
                await simulation.sleep(for: .milliseconds(50))
            }
        }
        guard let server = servers.first(where: isBehind) else { return }
        throw failure(.liveness, "server \(server) did not catch up within \(options.livenessBound)")
    }

    /// What is to be said of the clients' history up to now.
    private var verdict: LinearizabilityVerdict<RegisterModel> {
        LinearizabilityChecker(RegisterModel()).check(recorder.history)
    }

    private func judge() throws {
        switch verdict {
        case .linearizable: break
        case .violation(let violation):
            throw failure(.correctness, "\(violation)", timeline: violation.timelineHTML)
        case .undecided(let keys):
            throw failure(.broken, "the linearizability check of \(keys) reached its limit: nothing is shown")
        }
    }
}
