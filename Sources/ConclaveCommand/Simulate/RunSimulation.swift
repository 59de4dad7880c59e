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
    return report(await judge(results, workers, seeds), options)
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
private func report(_ failure: RaftRunFailure?, _ options: SimulateOptions) -> ExitCode {
    guard let failure else { return .success }
    StandardStreams.writeOutput("\nseed \(failure.seed) failed: \(failure.complaint)\n")
    let small = shrink(failure, options)
    let name = "conclave-seed-\(failure.seed)"
    var files = [
        ("\(name).plan", "# \(options.replay(failure.seed))\n# \(failure.complaint.prefix { $0 != "\n" })\n\(small)\n")
    ]
    // Once more, with a trace of its end.
    var run = runOptions(options, small)
    run.traceCapacity = 2_000
    do { _ = try RaftSimulation.run(seed: failure.seed, run) } catch {
        files.append(("\(name).trace", error.trace))
        if let timeline = error.timeline { files.append(("\(name).html", timeline)) }
    }
    StandardStreams.writeOutput("\nthe faults that it takes:\n\(small.steps.isEmpty ? "(none)" : "\(small)")\n\n")
    for (file, text) in files {
        do {
            try Data(text.utf8).write(to: URL(fileURLWithPath: file))
            StandardStreams.writeOutput("written: \(file)\n")
        } catch {
            StandardStreams.writeError("conclave: cannot write \(file): \(error.localizedDescription)\n")
        }
    }
    StandardStreams.writeOutput("to repeat it: \(options.replay(failure.seed)) --plan \(name).plan\n")
    return switch failure.kind {
    case .correctness: .violation
    case .liveness: .noProgress
    case .broken: .software
    }
}

private func shrink(_ failure: RaftRunFailure, _ options: SimulateOptions) -> FaultPlan {
    var run = runOptions(options, nil)
    let plan = RaftSimulation.plan(seed: failure.seed, run)
    StandardStreams.writeError("looking for a smaller plan than its \(plan.steps.count) faults\n")
    var tries = 0
    var shrinker = Shrinker(budget: 100) { smaller in
        tries += 1
        if tries % 10 == 0 {
            StandardStreams.writeError("\(tries) plans tried, now one of \(smaller.steps.count) faults\n")
        }
        run.plan = smaller
        guard case .failed(let other) = simulate(failure.seed, run) else { return false }
        return other.kind == failure.kind
    }
    return shrinker.shrink(plan)
}

private func readPlan(_ file: String) throws -> FaultPlan {
    let text: String
    do { text = try String(contentsOf: URL(fileURLWithPath: file), encoding: .utf8) } catch {
        throw CommandFailure(code: .ioError, message: "cannot read \(file): \(error.localizedDescription)")
    }
    do { return try FaultPlan(text: text) } catch {
        throw CommandFailure(code: .dataError, message: "\(file): \(error)")
    }
}
