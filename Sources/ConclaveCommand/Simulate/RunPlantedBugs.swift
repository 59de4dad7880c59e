import Conclave
import PlantedBugs
import Dispatch
import Synchronization

/// Plants each known bug in the servers of a simulated cluster, and prints how many seeds it takes to catch it, who does, and how long
/// the scenario is that shows it. Each scenario is written to a file as soon as it is found.
///
/// - Parameter directory: for the scenarios.
/// - Returns: `success` if all are caught within their bounds and shown by short scenarios that can be played again, also if somebody
///   presses Ctrl-C before all are tried; else `violation`; `ioError` where a scenario could not be written.
func runPlantedBugs(scenarios directory: String) async throws -> ExitCode {
    let folder = try ScenarioFolder(directory)
    let stop = StopFlag()
    let signals = StopSignals()
    let watching = stop.raise(on: signals.received)
    defer { withExtendedLifetime(signals) { watching.cancel() } }
    let (results, found) = AsyncStream.makeStream(of: TrialEvent.self)
    let trials = PlantedTrial.all
    let queue = TrialQueue(count: trials.count)
    for worker in 0..<min(ActorSystem.processorCount, trials.count) {
        // A simulation takes its thread as a whole, so each has one of its own.
        DispatchQueue(label: "conclave.planted.\(worker)").async {
            while let place = queue.next() {
                let outcome = trials[place].run(goesOn: { !stop.isUp }, onStep: { found.yield(.step(place, $0)) })
                found.yield(.outcome(place, outcome))
            }
        }
    }
    var record = PlantedRecord(trials: trials, folder: folder)
    StandardStreams.writeOutput(PlantedTable.header + "\n")
    for await event in results {
        record.add(event)
        if record.isComplete { break }
    }
    return record.close(isStopped: stop.isUp)
}

/// What is heard of a trial, by its place in the list.
private enum TrialEvent: Sendable {
    case step(Int, PlantedTrial.Step)
    case outcome(Int, PlantedTrial.Outcome)
}

/// Deals out trials, each once.
private final class TrialQueue: Sendable {
    private let left: Mutex<Range<Int>>

    init(count: Int) { left = Mutex(0..<count) }

    func next() -> Int? { left.withLock { $0.popFirst() } }
}

/// Prints and keeps what came of each trial, and how far the others are.
private struct PlantedRecord {
    let trials: [PlantedTrial]
    let folder: ScenarioFolder
    private var outcomes: [Int: PlantedTrial.Outcome] = [:]
    private var steps: [Int: PlantedTrial.Step] = [:]
    /// How many have their line in the table, in the order of the list: each as soon as those before it are known.
    private var printed = 0
    private var progress = ProgressLine()
    private var failure: CommandFailure?

    init(trials: [PlantedTrial], folder: ScenarioFolder) {
        self.trials = trials
        self.folder = folder
    }

    var isComplete: Bool { outcomes.count == trials.count }

    mutating func add(_ event: TrialEvent) {
        switch event {
        case .step(let place, let step): steps[place] = step
        case .outcome(let place, let outcome):
            steps[place] = nil
            outcomes[place] = outcome
            do { try folder.keep(outcome, of: trials[place]) } catch {
                failure = failure ?? error
            }
            while let outcome = outcomes[printed] {
                progress.clear()
                if let line = PlantedTable.line(trials[printed], outcome) { StandardStreams.writeOutput(line + "\n") }
                printed += 1
            }
        }
        let line = line
        progress.show(line)
    }

    /// `3 of 16 bugs tried; trustsLateCompletions: seed 41; votesForAnyLog: caught, 12 faults left`.
    private var line: String {
        let working = steps.sorted { $0.key < $1.key }.map { place, step in
            switch step {
            case .runs(let seed): "\(trials[place].bug.rawValue): seed \(seed)"
            case .shrinks(let faults): "\(trials[place].bug.rawValue): caught, \(faults) faults left"
            }
        }
        // More would not fit on a line.
        let shown = working.prefix(2) + (working.count > 2 ? ["and \(working.count - 2) more"] : [])
        return (["\(outcomes.count) of \(trials.count) bugs tried"] + shown).joined(separator: "; ")
    }

    /// Says what is to be said of all together.
    ///
    /// - Parameter isStopped: somebody pressed Ctrl-C: what is missing, or longer than it has to be, is no fault.
    func close(isStopped: Bool) -> ExitCode {
        progress.clear()
        var (caught, wanting) = ([PlantedTrial](), [String]())
        for (trial, outcome) in trials.indices.map({ (trials[$0], outcomes[$0] ?? .stopped) }) {
            switch outcome {
            case .stopped: break
            case .missed: wanting.append(trial.bug.rawValue)
            case .caught(let found):
                caught.append(trial)
                let isShown = isStopped ? found.isReplayed : found.isShort
                if !isShown { wanting.append(trial.bug.rawValue) }
            }
        }
        StandardStreams.writeOutput("\n\(isStopped ? "stopped: " : "")\(caught.count) of \(trials.count) bugs caught\n")
        if let example = caught.first {
            StandardStreams.writeOutput(
                "their scenarios: \(folder.path)/BUG.scenario\n"
                    + "to play one:     conclave sim --scenario \(folder.file(of: example))\n"
            )
        }
        if let failure {
            StandardStreams.writeError("conclave: \(failure.message)\n")
            return failure.code
        }
        if wanting.isEmpty { return .success }
        StandardStreams.writeError(
            "conclave: not caught within their bounds, or not shown by a short scenario: \(wanting.joined(separator: ", "))\n"
        )
        return .violation
    }
}
