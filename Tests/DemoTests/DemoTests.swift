// Runs each demo as a user would, and checks what it prints, so that none can rot.

import Foundation
import Testing

@Suite(.serialized, .timeLimit(.minutes(5))) struct DemoTests {
    @Test("Bank: an account crashes and is restarted, the bank gives up after too many crashes")
    func bank() throws {
        let run = try Run("demo-bank")
        #expect(run.status == 0, "\(run.text)")
        #expect(run.text.contains("✓ alice has 70"))
        #expect(run.text.contains("✓ the system counts one restart"))
        #expect(run.text.contains("/bank/alice was started again (1)"))
        #expect(run.text.contains("✓ the supervisor gave up"))
        #expect(run.text.contains("dead letter for /bank/bob"))
    }

    @Test("Agents: held sends, failure and blocking actions, as the demo says")
    func agents() throws {
        let run = try Run("demo-agents")
        #expect(run.status == 0, "\(run.text)")
        #expect(run.text.contains("✓ after all of them: 80000"))
        #expect(run.text.contains("✓ the journal says: shipped the first order"))
        #expect(run.text.contains("✓ restarted with 20, it ran what had waited: 21"))
        #expect(run.text.contains("✓ they waited side by side"))
    }

    @Test("WorkQueue: workers that pull are faster than dealing out, and a crashed worker's job is done")
    func workQueue() throws {
        let run = try Run("demo-work-queue")
        #expect(run.status == 0, "\(run.text)")
        #expect(run.text.contains("✓ pulling was faster"))
        #expect(run.text.contains("✓ 1 worker was restarted"))
    }

    @Test("ParallelSum: the sum of all cores is that of one, and the speed-up is printed")
    func parallelSum() throws {
        let run = try Run("demo-parallel-sum", "--numbers", "2000000")
        #expect(run.status == 0, "\(run.text)")
        #expect(run.text.contains("✓ the sums agree"))
        #expect(run.text.contains("speed-up: "))
    }

    @Test("ChatServer: ten thousand idle connections, or as many as this process may open, each with its actor")
    func chatServer() throws {
        let run = try Run("demo-chat-server")
        #expect(run.status == 0, "\(run.text)")
        #expect(run.text.contains("bytes for a connection"))
        #expect(
            run.text.contains("✓ 10000 clients heard it")
                || run.text.contains("connections have to do instead of 10000")
        )
        #expect(run.text.contains("✓ the room is empty"))
    }

    @Test("ReplicatedAgent: actions run on three nodes, over the loss of their leader and its return")
    func replicatedAgent() throws {
        let run = try Run("demo-replicated-agent")
        #expect(run.status == 0, "\(run.text)")
        #expect(run.text.contains("✓ one of them got it, and all nodes agree"))
        #expect(run.text.contains("✓ the next action was carried out after"))
        #expect(run.text.contains("✓ asked through it, Emma is with nobody"))
    }

    @Test(
        "SimulatedBank: a seed finds the ordering bug, it repeats, shrinks to a few orders, and is gone once it is fixed"
    )
    func simulatedBank() throws {
        let run = try Run("demo-simulated-bank")
        #expect(run.status == 0, "\(run.text)")
        #expect(run.text.contains("is overdrawn"))
        #expect(run.text.contains("✓ 3 of 12 orders are enough"))
        #expect(run.text.contains("✓ and so do 1,000 others"))
    }

    @Test("every demo has --help, and says how it is used after a wrong argument")
    func usage() throws {
        for demo in [
            "bank", "agents", "work-queue", "parallel-sum", "chat-server", "replicated-agent", "simulated-bank",
        ] {
            let help = try Run("demo-\(demo)", "--help")
            #expect(help.status == 0)
            #expect(help.text.contains("usage: demo-\(demo)"))
            let wrong = try Run("demo-\(demo)", "--nonsense")
            #expect(wrong.status == 2)
            #expect(wrong.text.contains("usage: demo-\(demo)"))
        }
    }
}

/// A program that has run, with all it printed.
private struct Run {
    let status: Int32
    let text: String

    init(_ name: String, _ arguments: String...) throws {
        let process = Process()
        let program = try #require(Self.program(name), "\(name) has not been built")
        process.executableURL = program
        process.arguments = arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        status = process.terminationStatus
    }

    /// The programs lie beside the test bundle.
    private static func program(_ name: String) -> URL? {
        let bundle = Bundle.allBundles.map(\.bundleURL).first { $0.pathExtension == "xctest" }
        let tests = bundle ?? URL(fileURLWithPath: CommandLine.arguments[0])
        let program = tests.deletingLastPathComponent().appending(path: name)
        return FileManager.default.isExecutableFile(atPath: program.path) ? program : nil
    }
}
