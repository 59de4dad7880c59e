// A run of a cluster as a scenario: a text file that people read, change and play again.

internal import Conclave
internal import RaftScenario

/// The world of one seed, the faults in it, and what comes of that, in the format of the scenarios among bare cores (`Scenario`).
///
///     # committed on a quorum: server n1 committed i7 of t2, …
///     > cluster 3 seed=17 milliseconds=4200
///     > at 1250 power-cut 2
///     > at 1300 restart 2
///     > run
///     committed on a quorum: server n1 committed i7 of t2, …
///
/// What happens between the faults follows from the seed. A scenario among bare cores says each message itself; one of a cluster
/// cannot, since it is about logs, disks and transports too.
package struct ClusterScenario: Hashable, Sendable {
    package var seed: UInt64
    /// Servers, all of them voters.
    package var nodes: Int
    /// How long clients work under the faults.
    package var faultPhase: Duration
    /// How many clients.
    package var clients: Int
    /// The name of the bug that is planted in the servers.
    package var planted: String?
    package var plan: FaultPlan
    /// The first line of what came of it; nil: that is not known.
    package var verdict: String?

    /// A run of these options.
    package init(seed: UInt64, _ options: RaftRunOptions, planted: String? = nil, verdict: String? = nil) {
        self.seed = seed
        nodes = options.nodes
        faultPhase = options.faultPhase
        clients = options.clients
        self.planted = planted
        plan = options.plan ?? RaftSimulation.plan(seed: seed, options)
        self.verdict = verdict
    }

    /// The options that play it again; a planted bug has to be added.
    package var options: RaftRunOptions {
        var options = RaftRunOptions()
        options.nodes = nodes
        options.faultPhase = faultPhase
        options.clients = clients
        options.plan = plan
        return options
    }
}

// MARK: - As text

extension ClusterScenario: CustomStringConvertible {
    package var description: String {
        var text = verdict.map { "# \($0)\n" } ?? ""
        text += "> cluster \(nodes) seed=\(seed) milliseconds=\(faultPhase.milliseconds)"
        text += (clients == RaftRunOptions().clients ? "" : " clients=\(clients)") + "\n"
        if let planted { text += "> plant \(planted)\n" }
        for step in plan.steps { text += "> at \(step.time.milliseconds) \(step.fault)\n" }
        return text + "> run\n" + (verdict.map { "\($0)\n" } ?? "")
    }

    /// Reads what `description` wrote; comments and empty lines mean nothing.
    /// - Throws: `ClusterScenarioError` with the command that it cannot read.
    package init(text: String) throws(ClusterScenarioError) {
        self.init(seed: 0, RaftRunOptions())
        plan = FaultPlan()
        var isRun = false
        var isFirst = true
        for case .command(let command, let output) in Scenario(parsing: text).parts {
            let words = command.split(separator: " ").map(String.init)
            switch (words.first, words.count) {
            case ("cluster", 4...5) where isFirst: try readCluster(words, command)
            case ("plant", 2) where !isFirst && !isRun: planted = words[1]
            case ("at", 3...) where !isFirst && !isRun: try readFault(words, command)
            case ("run", 1) where !isFirst && !isRun:
                isRun = true
                verdict = output.first
            default: throw ClusterScenarioError(command: command)
            }
            isFirst = false
        }
        guard isRun else { throw ClusterScenarioError(command: "run") }
    }

    private mutating func readCluster(_ words: [String], _ command: String) throws(ClusterScenarioError) {
        func value(_ name: String, _ word: String) -> UInt64? {
            word.hasPrefix("\(name)=") ? UInt64(word.dropFirst(name.count + 1)) : nil
        }
        guard let nodes = Int(words[1]), (1...9).contains(nodes), let seed = value("seed", words[2]),
            let phase = value("milliseconds", words[3]), phase <= 86_400_000
        else { throw ClusterScenarioError(command: command) }
        (self.nodes, self.seed, faultPhase) = (nodes, seed, .milliseconds(Int64(phase)))
        guard words.count == 5 else { return }
        guard let clients = value("clients", words[4]), (1...100).contains(clients) else {
            throw ClusterScenarioError(command: command)
        }
        self.clients = Int(clients)
    }

    private mutating func readFault(_ words: [String], _ command: String) throws(ClusterScenarioError) {
        guard let time = Int64(words[1]), (0...86_400_000).contains(time), let fault = Fault(words: Array(words[2...])),
            .milliseconds(time) >= plan.steps.last?.time ?? .zero
        else { throw ClusterScenarioError(command: command) }
        plan.steps.append(FaultPlan.Step(time: .milliseconds(time), fault: fault))
    }
}

/// A command that a cluster's scenario does not have, or not at this place.
package struct ClusterScenarioError: Error, Hashable, Sendable, CustomStringConvertible {
    package let command: String

    package var description: String {
        "no scenario of a cluster: '> \(command)' cannot be read, or is missing, or out of order"
    }
}

// MARK: - Made small

extension ClusterScenario {
    /// The smallest scenario found that fails as `failure` did: by the same checker.
    ///
    /// The run ends soon after the failure, and each step is one that the failure needs, unless the budget of runs ends first.
    ///
    /// - Parameters:
    ///   - options: of the run that failed.
    ///   - budget: how many runs may be made.
    ///   - onTry: hears of each run: how many faults it has.
    ///   - goesOn: asked before each run; false: what is found by then is the smallest.
    package static func shrunk(
        from failure: RaftRunFailure,
        _ options: RaftRunOptions,
        planted: String? = nil,
        budget: Int,
        onTry: @escaping (Int) -> Void = { _ in },
        goesOn: @escaping () -> Bool = { true }
    ) -> ClusterScenario {
        let original = options
        var options = options
        options.traceCapacity = 0
        var last = failure
        func cutShort() {
            // Up to its end a shorter run is the same: what comes later was not needed.
            let end = Duration.milliseconds(Int64(last.time.milliseconds) + 1)
            if last.kind == .correctness, end < options.faultPhase { options.faultPhase = end }
        }
        cutShort()
        let plan = options.plan ?? RaftSimulation.plan(seed: failure.seed, options)
        options.plan = FaultPlan(plan.steps.filter { $0.time < options.faultPhase })
        if !goesOn() || !fails(&last, options, like: failure) {
            options.faultPhase = original.faultPhase
            options.plan = plan
        }
        var shrinker = Shrinker(budget: budget) { smaller in
            guard goesOn() else { return false }
            onTry(smaller.steps.count)
            options.plan = smaller
            return fails(&last, options, like: failure)
        }
        let small = shrinker.shrink(options.plan ?? plan)
        options.plan = small
        cutShort()
        return ClusterScenario(seed: failure.seed, options, planted: planted, verdict: last.verdict)
    }

    /// Whether a run fails by the same checker. Then `last` is how.
    private static func fails(
        _ last: inout RaftRunFailure,
        _ options: RaftRunOptions,
        like failure: RaftRunFailure
    ) -> Bool {
        do throws(RaftRunFailure) { _ = try RaftSimulation.run(seed: failure.seed, options) } catch {
            guard error.kind == failure.kind, error.checker == failure.checker else { return false }
            last = error
            return true
        }
        return false
    }
}
