import ConclaveSimulation
import PlantedBugs

/// Plays a scenario that an earlier run wrote. Beside it, it leaves what shows more of a failure.
///
/// - Returns: `success` when it holds, else what its failure calls for.
func playScenario(_ file: String) throws -> ExitCode {
    let scenario: ClusterScenario
    do { scenario = try ClusterScenario(text: try readText(file)) } catch let error as ClusterScenarioError {
        throw CommandFailure(code: .dataError, message: "\(file): \(error)")
    }
    if let planted = scenario.planted, scenario.bug == nil {
        throw CommandFailure(code: .dataError, message: "\(file): there is no bug \(planted) to plant")
    }
    let failure = scenario.play(traceCapacity: FailureFiles.traceCapacity)
    let report = PlayReport(file: file, scenario: scenario, failure: failure)
    FailureFiles.write(report.files)
    StandardStreams.writeOutput(report.text)
    return failure.map { ExitCode($0.kind) } ?? .success
}

/// What is said and written of a scenario that was played.
struct PlayReport {
    let file: String
    let scenario: ClusterScenario
    /// Nil: it held.
    let failure: RaftRunFailure?

    /// The trace, and a timeline where there is one, beside the scenario.
    var files: [(file: String, text: String)] {
        failure?.evidence(named: file.hasSuffix(".scenario") ? String(file.dropLast(9)) : file) ?? []
    }

    /// What came of it, whether the scenario said so, and where to look further.
    var text: String {
        guard let failure else {
            return "seed \(scenario.seed) held" + (scenario.verdict.map { ", but the scenario says: \($0)" } ?? "")
                + "\n"
        }
        var text = "seed \(scenario.seed) failed: \(failure.complaint)\n\n"
        if let bug = scenario.bug { text += "planted:   \(bug.rawValue), rule \(bug.rule). \(bug.summary)\n" }
        if let verdict = scenario.verdict {
            text +=
                "verdict:   " + (failure.verdict == verdict ? "the scenario's" : "not the scenario's: \(verdict)")
                + "\n"
        }
        for (file, _) in files {
            let name = file.hasSuffix(".html") ? "timeline: " : "trace:    "
            text += "\(name) \(file)\n"
        }
        return text
    }
}

extension ClusterScenario {
    /// The bug that is to be planted. Nil: none, or one that is not known.
    var bug: PlantedBug? { planted.flatMap { PlantedBug(rawValue: $0) } }

    /// Plays it. Nil: the run held.
    func play(traceCapacity: Int = 0) -> RaftRunFailure? {
        var options = options
        options.traceCapacity = traceCapacity
        if let bug { options.meddling = bug.meddling }
        do throws(RaftRunFailure) {
            _ = try RaftSimulation.run(seed: seed, options)
            return nil
        } catch {
            return error
        }
    }

    /// Whether it comes to the same again.
    var isConfirmed: Bool { play()?.verdict == verdict }
}
