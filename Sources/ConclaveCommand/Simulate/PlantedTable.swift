import ConclaveSimulation
import PlantedBugs

/// The table *bug, rule, seeds needed, bound, lines of the scenario, caught by*.
enum PlantedTable {
    static let header = line("bug", "rule", "seeds", "bound", "lines", "caught by")

    /// Nil: nothing came of the trial.
    static func line(_ trial: PlantedTrial, _ outcome: PlantedTrial.Outcome) -> String? {
        let bound = "\(trial.seedBound)"
        switch outcome {
        case .stopped: return nil
        case .missed: return line(trial.bug.rawValue, trial.bug.rule, "-", bound, "-", "NOT CAUGHT")
        case .caught(let found):
            return line(
                trial.bug.rawValue,
                trial.bug.rule,
                "\(found.seeds)",
                bound,
                "\(found.lines)",
                found.failure.checker + (found.isReplayed ? "" : ", BUT NOT PLAYED AGAIN")
            )
        }
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
