import ConclaveSimulation

/// What is said and written of a seed that failed.
struct FailureReport {
    let failure: RaftRunFailure
    /// The least that it takes.
    let scenario: ClusterScenario
    /// The command that ran the seed.
    let original: String

    private var name: String { "conclave-seed-\(failure.seed)" }

    /// Files and their text: the scenario, the end of its trace, and a timeline where there is one.
    var files: [(file: String, text: String)] {
        let scenario = ("\(name).scenario", scenario.fileText(foundBy: original, file: "\(name).scenario"))
        return [scenario] + failure.evidence(named: name)
    }

    /// Seed, who complained and of what, the scenario and its file, and the command that plays it.
    var text: String {
        """

        seed:      \(failure.seed)
        invariant: \(failure.checker)
        scenario:  \(name).scenario (also written: \(files.dropFirst().map(\.file).joined(separator: ", ")))

        \(scenario)
        to repeat it: conclave sim --scenario \(name).scenario

        """
    }
}

extension ExitCode {
    /// How a run failed.
    init(_ kind: RaftRunFailure.Kind) {
        self =
            switch kind {
            case .correctness: .violation
            case .liveness: .noProgress
            case .broken: .software
            }
    }
}
