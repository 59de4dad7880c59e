// Runs the benchmark program with tiny sizes, as a user would, so that it cannot rot.

import Foundation
import Testing

@Suite struct ActorBenchTests {
    private struct Line: Decodable {
        var bench: String
        var impl: String
        var ops_per_s: Int?
        var bytes_per_actor: Int?
    }

    @Test("every benchmark runs on every implementation and prints one JSON object a line")
    func jsonLines() throws {
        let output = try run("--quick", "--json")
        let lines = try output.text.split(separator: "\n").map {
            try JSONDecoder().decode(Line.self, from: Data($0.utf8))
        }
        #expect(output.status == 0)
        for line in lines {
            let value = line.bench == "idle-memory" ? line.bytes_per_actor : line.ops_per_s
            #expect(value != nil, "\(line)")
            if line.bench != "idle-memory" { #expect(value ?? 0 > 0, "\(line)") }
        }
        let benches = [
            "ping-pong", "ping-pong-100", "1-to-1", "8-to-1", "ring", "spawn-stop", "idle-memory", "big", "skynet",
            "ask-task", "ask-executor", "agent-send", "parallel-sum", "instrument",
        ]
        let implementations = ["conclave", "swift-actor", "async-stream", "dispatch-queue"]
        for bench in benches {
            let expected =
                switch bench {
                case "parallel-sum": ["conclave", "swift-actor", "dispatch-queue"]
                case "ask-executor": ["conclave", "swift-actor"]
                case "instrument": ["conclave", "empty", "waiting-times"]
                default: implementations
                }
            let found = Set(lines.filter { $0.bench == bench }.map(\.impl))
            #expect(found.isSuperset(of: expected), "\(bench)")
        }
    }

    @Test("the table for people shows our ratio to every other implementation")
    func table() throws {
        let output = try run("--quick", "--filter", "1-to-1")
        let lines = output.text.split(separator: "\n")
        #expect(output.status == 0)
        #expect(lines.first?.hasPrefix("1-to-1: ") == true)
        #expect(lines.count == 5)
        #expect(lines.count { $0.contains("conclave / ") } == 3)
    }

    @Test("a filter that fits no benchmark, or a wrong argument, is a usage error that names the benchmarks")
    func usage() throws {
        for arguments in [["--filter", "no such"], ["--runs", "0"], ["--nonsense"], ["--filter"]] {
            let output = try run(arguments)
            #expect(output.status == 2)
            #expect(output.errors.contains("usage: actor-bench"))
            #expect(output.errors.contains("ring "))
        }
        let help = try run("--help")
        #expect(help.status == 0)
        #expect(help.text.contains("usage: actor-bench"))
    }

    private func run(_ arguments: String...) throws -> (status: Int32, text: String, errors: String) {
        try run(arguments)
    }

    private func run(_ arguments: [String]) throws -> (status: Int32, text: String, errors: String) {
        let process = Process()
        let program = try #require(program, "the actor-bench program has not been built")
        process.executableURL = program
        process.arguments = arguments
        let output = Pipe()
        // A file: nobody reads it before the process has ended, and a pipe could fill up.
        let errors = FileManager.default.temporaryDirectory.appending(path: "actor-bench-\(UUID().uuidString)")
        #expect(FileManager.default.createFile(atPath: errors.path, contents: nil))
        defer { try? FileManager.default.removeItem(at: errors) }
        process.standardOutput = output
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text, try String(contentsOf: errors, encoding: .utf8))
    }

    /// The program lies beside the test bundle.
    private var program: URL? {
        let bundle = Bundle.allBundles.map(\.bundleURL).first { $0.pathExtension == "xctest" }
        let tests = bundle ?? URL(fileURLWithPath: CommandLine.arguments[0])
        let program = tests.deletingLastPathComponent().appending(path: "actor-bench")
        return FileManager.default.isExecutableFile(atPath: program.path) ? program : nil
    }
}
