import Conclave
import ConclaveSimulation
import Dispatch
import Foundation
import Synchronization

/// Runs seeds of a simulated cluster on all cores, until all have held, one has failed, or somebody presses Ctrl-C.
///
/// - Returns: `success`; `violation` or `noProgress` for the first seed that failed; `software` for a simulation that cannot be judged.
func runSimulation(_ options: SimulateOptions) async throws -> ExitCode {
    let plan = try options.plan.map(readPlan)
    let signals = StopSignals()
    let received = signals.received
    let seeds = SeedRange(options)
    let (results, found) = AsyncStream.makeStream(of: SeedResult.self)
    let watching = Task { for await _ in received { seeds.stop() } }
    defer { withExtendedLifetime(signals) { watching.cancel() } }
    let workers = min(ActorSystem.processorCount, options.runs ?? .max)
    for worker in 0..<workers {
        // A simulation takes its thread as a whole, so each has one of its own.
        DispatchQueue(label: "conclave.simulation.\(worker)").async {
            while let seed = seeds.next() { found.yield(simulate(seed, runOptions(options, plan))) }
            found.yield(.done)
        }
    }
    return report(await judge(results, workers, seeds), options, plan)
}

/// What came of one seed.
private enum SeedResult: Sendable {
    case held(RaftRunReport)
    case failed(RaftRunFailure)
    /// A worker has no more seeds.
    case done
}

/// Deals out seeds, each once.
private final class SeedRange: Sendable {
    private let left: Mutex<(next: UInt64, count: Int)>

    init(_ options: SimulateOptions) { left = Mutex((options.firstSeed, options.runs ?? .max)) }

    func next() -> UInt64? {
        left.withLock { left in
            guard left.count > 0 else { return nil }
            defer { left = (left.next &+ 1, left.count - 1) }
            return left.next
        }
    }

    /// What runs is finished, and nothing begun.
    func stop() { left.withLock { $0.count = 0 } }
}

private func simulate(_ seed: UInt64, _ options: RaftRunOptions) -> SeedResult {
    do { return .held(try RaftSimulation.run(seed: seed, options)) } catch { return .failed(error) }
}

private func runOptions(_ options: SimulateOptions, _ plan: FaultPlan?) -> RaftRunOptions {
    var run = RaftRunOptions()
    run.nodes = options.nodes
    run.profile = options.profile
    run.faultPhase = .milliseconds(Int64(60_000 * options.minutes))
    run.plan = plan
    run.isRepeated = options.isRepeated
    return run
}

/// Prints how far it is, until a seed has failed or all are done.
private func judge(_ results: AsyncStream<SeedResult>, _ workers: Int, _ seeds: SeedRange) async -> RaftRunFailure? {
    var tally = SimulationTally()
    var working = workers
    var failure: RaftRunFailure?
    let (start, processorStart) = (ContinuousClock.now, clock())
    let isTerminal = isatty(STDERR_FILENO) == 1
    var printedAt = start
    for await result in results {
        switch result {
        case .held(let report): tally.add(report)
        case .failed(let other):
            failure = failure ?? other
            seeds.stop()
        case .done: working -= 1
        }
        let now = ContinuousClock.now
        if now - printedAt >= .milliseconds(isTerminal ? 200 : 10_000) {
            printedAt = now
            StandardStreams.writeError(
                (isTerminal ? "\r\u{1B}[K" : "") + tally.line(after: now - start) + (isTerminal ? "" : "\n")
            )
        }
        if working == 0 { break }
    }
    if isTerminal { StandardStreams.writeError("\r\u{1B}[K") }
    StandardStreams.writeOutput(tally.line(after: ContinuousClock.now - start) + "\n")
    let processorTime = Duration.seconds(Double(clock() - processorStart) / Double(CLOCKS_PER_SEC))
    StandardStreams.writeOutput(tally.closingLine(processorTime: processorTime) + "\n")
    return failure
}

/// Tells of the failure, and how to see it again.
private func report(_ failure: RaftRunFailure?, _ options: SimulateOptions, _ plan: FaultPlan?) -> ExitCode {
    guard let failure else { return .success }
    StandardStreams.writeOutput("\nseed \(failure.seed) failed: \(failure.complaint)\n")
    let scenario = shrink(failure, runOptions(options, plan))
    // Once more, with a trace of its end.
    let again = scenario.play(traceCapacity: 2_000) ?? failure
    let report = FailureReport(failure: again, scenario: scenario, original: options.replay(failure.seed))
    for (file, text) in report.files {
        do {
            try Data(text.utf8).write(to: URL(fileURLWithPath: file))
        } catch {
            StandardStreams.writeError("conclave: cannot write \(file): \(error.localizedDescription)\n")
        }
    }
    StandardStreams.writeOutput(report.text)
    return ExitCode(failure.kind)
}

private func shrink(_ failure: RaftRunFailure, _ options: RaftRunOptions) -> ClusterScenario {
    let plan = options.plan ?? RaftSimulation.plan(seed: failure.seed, options)
    StandardStreams.writeError("looking for a smaller scenario than one of \(plan.steps.count) faults\n")
    var tries = 0
    return ClusterScenario.shrunk(from: failure, options, budget: 1_000) { faults in
        tries += 1
        if tries % 20 == 0 { StandardStreams.writeError("\(tries) runs made, now one of \(faults) faults\n") }
    }
}

/// Plays a scenario that an earlier run wrote.
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
    guard let failure = scenario.play() else {
        StandardStreams.writeOutput("seed \(scenario.seed) held\n")
        return .success
    }
    StandardStreams.writeOutput("seed \(failure.seed) failed: \(failure.complaint)\n")
    return ExitCode(failure.kind)
}

private func readText(_ file: String) throws -> String {
    do { return try String(contentsOf: URL(fileURLWithPath: file), encoding: .utf8) } catch {
        throw CommandFailure(code: .ioError, message: "cannot read \(file): \(error.localizedDescription)")
    }
}

private func readPlan(_ file: String) throws -> FaultPlan {
    let text = try readText(file)
    do { return try FaultPlan(text: text) } catch {
        throw CommandFailure(code: .dataError, message: "\(file): \(error)")
    }
}
