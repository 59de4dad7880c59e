import Conclave
import ConclaveSimulation
import Dispatch
import PlantedBugs
import Synchronization

/// Plants each known bug in the servers of a simulated cluster, and prints how many seeds it takes to catch it, who does, and how long
/// the scenario is that shows it.
///
/// - Returns: `success` if all are caught within their bounds and shown by short scenarios that can be played again, else `violation`.
func runPlantedBugs() async -> ExitCode {
    let (results, found) = AsyncStream.makeStream(of: (Int, PlantedTrial.Catch?).self)
    let trials = PlantedTrial.all
    let queue = TrialQueue(count: trials.count)
    for worker in 0..<min(ActorSystem.processorCount, trials.count) {
        // A simulation takes its thread as a whole, so each has one of its own.
        DispatchQueue(label: "conclave.planted.\(worker)").async {
            while let place = queue.next() { found.yield((place, trials[place].run())) }
        }
    }
    StandardStreams.writeOutput(PlantedTable.header + "\n")
    var caught: [Int: PlantedTrial.Catch?] = [:]
    var printed = 0
    for await (place, outcome) in results {
        caught[place] = outcome
        // In the order of the list, each as soon as those before it are known.
        while let outcome = caught[printed] {
            StandardStreams.writeOutput(PlantedTable.line(trials[printed], outcome) + "\n")
            printed += 1
        }
        if printed == trials.count { break }
    }
    let missed = trials.indices.filter { (caught[$0] ?? nil)?.isShort != true }.map { trials[$0].bug.rawValue }
    guard missed.isEmpty else {
        StandardStreams.writeError(
            "conclave: not caught within their bounds, or not shown by a short scenario: \(missed.joined(separator: ", "))\n"
        )
        return .violation
    }
    return .success
}

/// Deals out trials, each once.
private final class TrialQueue: Sendable {
    private let left: Mutex<Range<Int>>

    init(count: Int) { left = Mutex(0..<count) }

    func next() -> Int? { left.withLock { $0.popFirst() } }
}

/// The table *bug, rule, seeds needed, bound, lines of the scenario, caught by*.
enum PlantedTable {
    static let header = line("bug", "rule", "seeds", "bound", "lines", "caught by")

    static func line(_ trial: PlantedTrial, _ outcome: PlantedTrial.Catch?) -> String {
        let bound = "\(trial.seedBound)"
        guard let outcome else { return line(trial.bug.rawValue, trial.bug.rule, "-", bound, "-", "NOT CAUGHT") }
        let note = outcome.isReplayed ? "" : ", BUT NOT PLAYED AGAIN"
        return line(
            trial.bug.rawValue,
            trial.bug.rule,
            "\(outcome.seeds)",
            bound,
            "\(outcome.lines)",
            outcome.failure.checker + note
        )
    }

    private static func line(
        _ bug: String,
        _ rule: String,
        _ seeds: String,
        _ bound: String,
        _ lines: String,
        _ by: String
    ) -> String {
        left(bug, 34) + left(rule, 7) + right(seeds, 6) + right(bound, 7) + right(lines, 7) + "  " + by
    }

    private static func left(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}
