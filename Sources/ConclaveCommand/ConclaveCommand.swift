#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The one command: reads its arguments, runs a verb, ends with its exit code.
@main
struct ConclaveCommand {
    static func main() async {
        // A closed pipe is an answer of `write`, not a reason to die without a word.
        signal(SIGPIPE, SIG_IGN)
        let code = await run(Array(CommandLine.arguments.dropFirst()))
        exit(code.rawValue)
    }

    private static func run(_ arguments: [String]) async -> ExitCode {
        let request: CommandLineRequest
        do {
            request = try CommandLineRequest(arguments: arguments)
        } catch {
            StandardStreams.writeError(error.description + "\n")
            return .usage
        }
        do {
            return try await run(request)
        } catch let failure as CommandFailure {
            StandardStreams.writeError("conclave: \(failure.message)\n")
            return failure.code
        } catch {
            StandardStreams.writeError("conclave: \(error)\n")
            return .software
        }
    }

    private static func run(_ request: CommandLineRequest) async throws -> ExitCode {
        switch request {
        case .help(let verb):
            StandardStreams.writeOutput((verb.map(HelpText.text) ?? HelpText.overview) + "\n")
        case .version:
            StandardStreams.writeOutput("conclave \(conclaveVersion)\n")
        case .cluster(let options):
            return try await runCluster(options)
        case .node(let options):
            if options.untilStdinCloses { StandardInputWatch.start() }
            try await runNode(options)
        case .client(let options):
            return try await runClient(options)
        case .simulate(let options):
            if options.plantsBugs { return try await runPlantedBugs(scenarios: options.scenarioDirectory) }
            if let file = options.scenario { return try playScenario(file) }
            return try await runSimulation(options)
        case .admin(let options):
            return try runAdmin(options) { StandardStreams.writeOutput($0) }
        }
        return .success
    }
}
