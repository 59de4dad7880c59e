import Foundation
import PlantedBugs
import RaftScenario
import Testing

@testable import RaftCore

/// The files in `Scenarios`. `SCENARIO_REWRITE=1 swift test --filter ScenarioTests` writes down what their commands do now;
/// read the difference before you commit it.
@Suite struct ScenarioTests {
    /// A file, named in the list of tests by what it is about.
    struct File: CustomTestStringConvertible, Sendable {
        let url: URL
        var testDescription: String {
            let title = (try? String(contentsOf: url, encoding: .utf8)).map { Scenario(parsing: $0).title }
            return title ?? url.lastPathComponent
        }
    }

    static let files: [File] = {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Scenarios")
        let urls = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
        return urls.filter { $0.pathExtension == "txt" }.sorted { $0.path < $1.path }.map { File(url: $0) }
    }()

    @Test("a scenario does what its file says", arguments: files)
    func replays(_ file: File) throws {
        let text = try String(contentsOf: file.url, encoding: .utf8)
        let played = try Scenario(parsing: text).run()
        if ProcessInfo.processInfo.environment["SCENARIO_REWRITE"] != nil {
            try played.text.write(to: file.url, atomically: true, encoding: .utf8)
            return
        }
        let name = file.url.lastPathComponent
        #expect(!played.text.contains("VIOLATION"), "\(name)")
        let (wanted, found) = (text.split(separator: "\n"), played.text.split(separator: "\n"))
        let difference = zip(wanted, found).first { $0 != $1 }
        #expect(
            text == played.text,
            "\(name): \(difference.map { "expected \"\($0)\", found \"\($1)\"" } ?? "more or fewer lines than expected")"
        )
    }

    @Test("the files are there")
    func found() { #expect(Self.files.count >= 26) }

    @Test("a scenario's text comes back as it was, and its output is replaced")
    func parsing() throws {
        let text = "# title\n\n> cluster 3\n> elect 1\nnonsense\n\n# end\n"
        let scenario = Scenario(parsing: text)
        #expect(scenario.text == text && scenario.title == "title")
        let played = try scenario.run()
        #expect(!played.text.contains("nonsense") && played.text.contains("n1 is leader in t1"))
        #expect(try played.run().text == played.text)
    }

    @Test("a command that makes no sense stops the scenario and is named")
    func nonsense() {
        for command in ["fly", "cluster x", "tick", "deliver 1->x", "expect 1 glory", "expect leader 2", "tick 1 2 3"] {
            let error = #expect(throws: ScenarioError.self) {
                try Scenario(parsing: "> cluster 3\n> \(command)\n").run()
            }
            #expect(error?.command == command)
        }
    }

    @Test("P1: the scenario of figure 8 catches a leader that commits by counting old entries")
    func figure8Catches() throws {
        let file = try #require(Self.files.first { $0.url.lastPathComponent == "P01-figure-8.txt" })
        let scenario = Scenario(parsing: try String(contentsOf: file.url, encoding: .utf8))
        do {
            let played = try scenario.run(meddling: PlantedBug.commitsOldTerms.meddling)
            #expect(played.text.contains("VIOLATION"))
        } catch {
            #expect(error.description.contains("expect 1 commit 0"))
        }
    }

    @Test("P2: the scenario of two single changes catches a leader that changes the membership too early")
    func twoChangesCatch() throws {
        let file = try #require(Self.files.first { $0.url.lastPathComponent == "P02-two-single-changes.txt" })
        let scenario = Scenario(parsing: try String(contentsOf: file.url, encoding: .utf8))
        let played = try scenario.run(meddling: PlantedBug.changesTooEarly.meddling)
        #expect(played.text.contains("VIOLATION"))
    }
}
