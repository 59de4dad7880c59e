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
    let stop = StopFlag()
    let seeds = SeedRange(options, stop)
    let (results, found) = AsyncStream.makeStream(of: SeedResult.self)
    let signals = StopSignals()
    let watching = stop.raise(on: signals.received)
    defer { withExtendedLifetime(signals) { watching.cancel() } }
    let workers = min(ActorSystem.processorCount, options.runs ?? .max)
    for worker in 0..<workers {
        // A simulation takes its thread as a whole, so each has one of its own.
        DispatchQueue(label: "conclave.simulation.\(worker)").async {
            while let seed = seeds.next() { found.yield(simulate(seed, runOptions(options, plan))) }
            found.yield(.done)
        }
    }
    let failure = await judge(results, workers, seeds)
    // Cutting it down takes its thread, too: on one processor nobody would hear Ctrl-C.
    return await withCheckedContinuation { continuation in
        DispatchQueue(label: "conclave.shrinking").async {
            continuation.resume(returning: report(failure, options, plan, stop))
        }
    }
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
    private let stop: StopFlag

    init(_ options: SimulateOptions, _ stop: StopFlag) {
        left = Mutex((options.firstSeed, options.runs ?? .max))
        self.stop = stop
    }

    func next() -> UInt64? {
        left.withLock { left in
            guard left.count > 0, !stop.isUp else { return nil }
            defer { left = (left.next &+ 1, left.count - 1) }
            return left.next
        }
    }

    /// What runs is finished, and nothing begun.
    func end() { left.withLock { $0.count = 0 } }
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
    var progress = ProgressLine()
    for await result in results {
        switch result {
        case .held(let report): tally.add(report)
        case .failed(let other):
            failure = failure ?? other
            seeds.end()
        case .done: working -= 1
        }
        progress.show(tally.line(after: ContinuousClock.now - start))
        if working == 0 { break }
    }
    progress.clear()
    StandardStreams.writeOutput(tally.line(after: ContinuousClock.now - start) + "\n")
    let processorTime = Duration.seconds(Double(clock() - processorStart) / Double(CLOCKS_PER_SEC))
    StandardStreams.writeOutput(tally.closingLine(processorTime: processorTime) + "\n")
    return failure
}

/// Tells of the failure, and how to see it again.
private func report(
    _ failure: RaftRunFailure?,
    _ options: SimulateOptions,
    _ plan: FaultPlan?,
    _ stop: StopFlag
) -> ExitCode {
    guard let failure else { return .success }
    StandardStreams.writeOutput("\nseed \(failure.seed) failed: \(failure.complaint)\n")
    stop.lower()
    let scenario = shrink(failure, runOptions(options, plan), stop)
    // Once more, with a trace of its end.
    let again = scenario.play(traceCapacity: FailureFiles.traceCapacity) ?? failure
    let report = FailureReport(failure: again, scenario: scenario, original: options.replay(failure.seed))
    FailureFiles.write(report.files)
    StandardStreams.writeOutput(report.text)
    return ExitCode(failure.kind)
}

private func shrink(_ failure: RaftRunFailure, _ options: RaftRunOptions, _ stop: StopFlag) -> ClusterScenario {
    let plan = options.plan ?? RaftSimulation.plan(seed: failure.seed, options)
    StandardStreams.writeError(
        "looking for a smaller scenario than one of \(plan.steps.count) faults; Ctrl-C: the smallest until then\n"
    )
    var tries = 0
    return ClusterScenario.shrunk(
        from: failure,
        options,
        budget: 1_000,
        onTry: { faults in
            tries += 1
            if tries % 20 == 0 { StandardStreams.writeError("\(tries) runs made, now one of \(faults) faults\n") }
        },
        goesOn: { !stop.isUp }
    )
}

func readText(_ file: String) throws -> String {
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
