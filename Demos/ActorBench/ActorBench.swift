// Times the same work on Conclave's actors and on what a Swift programmer would otherwise use, in one run.

@main
struct ActorBench {
    static func main() async throws {
        let options: Options
        do {
            options = try Options(CommandLine.arguments.dropFirst())
        } catch {
            complain("actor-bench: \(error.text)\n\n\(Options.usage)")
        }
        if options.wantsHelp { return print(Options.usage) }
        let chosen = Benchmark.all.filter(options.wants)
        guard !chosen.isEmpty else { complain("actor-bench: there is no such benchmark\n\n\(Options.usage)") }
        for benchmark in chosen {
            Report.show(benchmark, try await measure(benchmark, options), asJSON: options.isJSON)
        }
    }

    /// The implementations take turns, so that a slow moment of the machine hits all of them.
    private static func measure(_ benchmark: Benchmark, _ options: Options) async throws -> [Measurement] {
        var measurements = benchmark.contenders
            .filter { options.implementation == nil || options.implementation == $0.name }
            .map { Measurement(contender: $0) }
        let usesChildren = benchmark.needsFreshProcess && options.implementation == nil
        if !benchmark.needsFreshProcess {
            for measurement in measurements {
                let operations = benchmark.operations(of: measurement.contender, options.scale)
                _ = try await measurement.contender.run(max(operations / 10, benchmark.granularity))
            }
        }
        for _ in 0..<options.runs {
            for index in measurements.indices {
                let contender = measurements[index].contender
                let value =
                    usesChildren
                    ? try measureInChild(benchmark, contender, options)
                    : try await contender.run(benchmark.operations(of: contender, options.scale))
                measurements[index].values.append(value)
            }
        }
        return measurements
    }
}
