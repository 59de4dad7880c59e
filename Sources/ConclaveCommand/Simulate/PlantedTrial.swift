import ConclaveSimulation
import PlantedBugs
import RaftCore

/// A planted bug, in how many seeds it must be caught, and in what kind of run.
struct PlantedTrial: Sendable {
    /// A scenario longer than this is nothing that a person reads.
    static let longestScenario = 60
    /// Runs to make a scenario small.
    private static let shrinkingBudget = 600

    let bug: PlantedBug
    /// At most so many seeds, the first of which is 0.
    var seedBound: UInt64 = 300
    /// How far each seed is behind the one before.
    private var seedStep: UInt64 = 1
    private var options = RaftRunOptions()
    /// Which faults, and how often; nil: what the seed draws.
    private var knobs: FaultKnobs?
    /// So many of a thousand messages come once more, much later, where there are `knobs`.
    private var stragglersPerMille = 0

    /// How it was caught.
    struct Catch: Sendable {
        let failure: RaftRunFailure
        /// The least that it takes, played again.
        let scenario: ClusterScenario
        let isReplayed: Bool
        /// How many seeds it took.
        let seeds: UInt64
        /// Lines of the scenario.
        var lines: Int { scenario.description.split(separator: "\n").count }
        /// Whether a short scenario shows it.
        var isShort: Bool { isReplayed && lines <= PlantedTrial.longestScenario }
    }

    /// Bugs that only bare cores show, by a script or by many more messages.
    private static let forBareCores: Set<PlantedBug> = [
        .asksForVotesBeforeDisk, .forgetsVote, .countsItselfWhenRemoved,
    ]

    /// The bugs that the faults of a cluster bring to light.
    static let all: [PlantedTrial] = PlantedBug.allCases.filter { !forBareCores.contains($0) }.map { PlantedTrial($0) }

    init(_ bug: PlantedBug) {
        self.bug = bug
        options.meddling = bug.meddling
        options.faultPhase = .seconds(20)
        switch bug {
        case .changesTooEarly:
            // Leaders that come and go while operators replace servers.
            knobs = Self.knobs(every: 100...1_000, [.replace: 4, .isolate: 4, .cut: 4, .heal: 3])
            stragglersPerMille = 300
        case .trustsLateCompletions:
            // Leaders that are deposed with writes under way.
            seedStep = RaftSimulation.oneMessageSeeds
            knobs = Self.knobs(every: 50...600, [.slowDisk: 3, .isolate: 5, .heal: 6], slowDisk: 0...500)
        case .countsOldAcknowledgements:
            // Leaders with slow disks that lose their power, and with it what others have acknowledged; and that lead again, with many
            // writes to come, when they hear of that once more.
            seedStep = RaftSimulation.oneMessageSeeds
            knobs = Self.knobs(
                every: 100...600,
                [.slowDisk: 5, .powerCut: 4, .kill: 2, .restart: 7],
                slowDisk: 0...250
            )
            stragglersPerMille = 1_000
            options.clients = 8
            options.faultPhase = .seconds(60)
        case .confirmsAnyRound:
            // Leaders that nobody hears, and that hear one other server, and what it said long ago.
            seedStep = RaftSimulation.oneMessageSeeds
            knobs = Self.knobs(every: 100...600, [.cut: 6, .heal: 2])
            stragglersPerMille = 1_000
        case .ignoresOutgoingVoters:
            // Changes of two members at once, while some are slower than others.
            knobs = Self.knobs(every: 100...1_500, [.swap: 4, .slowLink: 3, .isolate: 1, .heal: 1])
        default: break
        }
    }

    private static func knobs(
        every milliseconds: ClosedRange<Int64>,
        _ weights: [FaultKind: Int],
        slowDisk: ClosedRange<Int64>? = nil
    ) -> FaultKnobs {
        func duration(_ range: ClosedRange<Int64>) -> ClosedRange<Duration> {
            .milliseconds(range.lowerBound) ... .milliseconds(range.upperBound)
        }
        var knobs = FaultKnobs()
        knobs.interval = duration(milliseconds)
        knobs.weights = weights
        if let slowDisk { knobs.slowDisk = duration(slowDisk) }
        return knobs
    }

    /// What came of a trial.
    enum Outcome: Sendable {
        case caught(Catch)
        /// All seeds held.
        case missed
        /// Somebody did not want to wait until it was caught.
        case stopped
    }

    /// How far a trial is.
    enum Step: Sendable {
        case runs(seed: UInt64)
        /// It is caught; so many faults are left of the scenario.
        case shrinks(faults: Int)
    }

    /// Runs seeds until one fails, and makes that small.
    ///
    /// - Parameters:
    ///   - goesOn: asked before each run; false: the trial ends, with the smallest scenario found until then where it is caught.
    ///   - onStep: hears of each run.
    func run(goesOn: @escaping () -> Bool = { true }, onStep: @escaping (Step) -> Void = { _ in }) -> Outcome {
        for number in 0..<seedBound {
            let seed = number * seedStep
            guard goesOn() else { return .stopped }
            onStep(.runs(seed: seed))
            let options = options(seed)
            do throws(RaftRunFailure) { _ = try RaftSimulation.run(seed: seed, options) } catch {
                // A simulation that cannot be judged has caught nothing.
                if error.kind != .broken { return .caught(shrink(error, options, number + 1, goesOn, onStep)) }
            }
        }
        return .missed
    }

    private func options(_ seed: UInt64) -> RaftRunOptions {
        guard let knobs else { return options }
        var options = options
        var random = SimulationRandom(seed: ~seed)
        let nodes = (1...options.nodes).map { NodeID(UInt64($0)) }
        var plan = FaultPlan(knobs, nodes: nodes, until: options.faultPhase, using: &random)
        var network = NetworkFaults()
        network.stragglersPerMille = stragglersPerMille
        plan.steps.insert(FaultPlan.Step(time: .zero, fault: .network(network)), at: 0)
        options.plan = plan
        return options
    }

    private func shrink(
        _ failure: RaftRunFailure,
        _ options: RaftRunOptions,
        _ seeds: UInt64,
        _ goesOn: @escaping () -> Bool,
        _ onStep: @escaping (Step) -> Void
    ) -> Catch {
        let scenario = ClusterScenario.shrunk(
            from: failure,
            options,
            planted: bug.rawValue,
            budget: Self.shrinkingBudget,
            onTry: { onStep(.shrinks(faults: $0)) },
            goesOn: goesOn
        )
        // From the text, as whoever reads it would.
        let read = try? ClusterScenario(text: scenario.description)
        return Catch(failure: failure, scenario: scenario, isReplayed: read?.isConfirmed == true, seeds: seeds)
    }
}
