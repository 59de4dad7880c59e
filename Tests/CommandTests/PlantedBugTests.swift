import ConclaveSimulation
import Foundation
import PlantedBugs
import RaftCore
import Synchronization
import Testing

@testable import ConclaveCommand

/// What `conclave sim` says of what it found. All bugs in turn are planted by `conclave sim --planted`, which takes a release build.
@Suite struct PlantedBugTests {
    @Test(
        "a planted bug is caught within its bound, and the table says by whom; its file, played, fails in the same way"
    )
    func trial() throws {
        let trial = try #require(PlantedTrial.all.first { $0.bug == .countsTooFew })
        let outcome = trial.run()
        guard case .caught(let caught) = outcome else {
            Issue.record("not caught: \(outcome)")
            return
        }
        #expect(caught.failure.checker == "committed on a quorum")
        #expect(caught.isShort && caught.scenario.bug == .countsTooFew && caught.scenario.isConfirmed)
        let line = try #require(PlantedTable.line(trial, outcome))
        #expect(line.contains("P5") && line.hasSuffix("committed on a quorum") && !line.contains("NOT"))

        let folder = try ScenarioFolder(temporaryDirectory())
        defer { try? FileManager.default.removeItem(atPath: folder.path) }
        try folder.keep(outcome, of: trial)
        let file = folder.file(of: trial)
        let text = try String(contentsOfFile: file, encoding: .utf8)
        #expect(text.contains("# found by: conclave sim --planted, with seed \(caught.failure.seed)\n"))
        #expect(text.contains("# to play it again: conclave sim --scenario \(file)\n"))
        #expect(
            text.contains("# planted: countsTooFew (rule P5). A leader commits with one server less than a majority.\n")
        )
        #expect(try ClusterScenario(text: text) == caught.scenario)
        #expect(try playScenario(file) == .violation)
        #expect(try !String(contentsOfFile: "\(folder.path)/countsTooFew.trace", encoding: .utf8).isEmpty)
    }

    @Test(
        "a trial that nobody waits for any more ends: before it has caught anything without, after that with what it has"
    )
    func impatience() throws {
        let trial = try #require(PlantedTrial.all.first { $0.bug == .countsTooFew })
        guard case .stopped = trial.run(goesOn: { false }) else {
            Issue.record("it went on")
            return
        }
        let isCaught = Mutex(false)
        let outcome = trial.run(goesOn: { isCaught.withLock { !$0 } }) { step in
            if case .shrinks = step { isCaught.withLock { $0 = true } }
        }
        guard case .caught(let caught) = outcome else {
            Issue.record("what it had is lost: \(outcome)")
            return
        }
        #expect(caught.isReplayed && caught.scenario.isConfirmed)
    }

    @Test("the table has a line for a bug that was missed, and none for one that was not tried to its end")
    func table() {
        let trial = PlantedTrial.all[0]
        #expect(PlantedTable.line(trial, .missed)?.hasSuffix("NOT CAUGHT") == true)
        #expect(PlantedTable.line(trial, .stopped) == nil)
    }

    @Test("where no scenario can be written is told at once; a bug that is missed leaves none of an earlier time")
    func folder() throws {
        let path = temporaryDirectory()
        let folder = try ScenarioFolder(path + "/made/at once")
        defer { try? FileManager.default.removeItem(atPath: path) }
        let file = folder.file(of: PlantedTrial.all[0])
        try Data("old".utf8).write(to: URL(fileURLWithPath: file))
        try folder.keep(.stopped, of: PlantedTrial.all[0])
        #expect(FileManager.default.fileExists(atPath: file))
        // A file is where the directory should be, or one of its parents.
        for wrong in [file, file + "/below"] {
            let error = #expect(throws: CommandFailure.self) { try ScenarioFolder(wrong) }
            #expect(error?.code == .ioError && error?.message.contains(file) == true)
        }
        try folder.keep(.missed, of: PlantedTrial.all[0])
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }

    @Test("a scenario that is played says whether it comes to what it says, and where to look further")
    func played() throws {
        var scenario = ClusterScenario(
            seed: 17,
            RaftRunOptions(),
            planted: "countsTooFew",
            verdict: "log matching: bad"
        )
        let failure = RaftRunFailure(
            kind: .correctness,
            seed: 17,
            complaint: "log matching: bad\nand more",
            time: .seconds(3),
            trace: "the trace",
            timeline: "<html>"
        )
        let same = PlayReport(file: "a/b.scenario", scenario: scenario, failure: failure)
        #expect(
            same.text == """
                seed 17 failed: log matching: bad
                and more

                planted:   countsTooFew, rule P5. A leader commits with one server less than a majority.
                verdict:   the scenario's
                trace:     a/b.trace
                timeline:  a/b.html

                """
        )
        #expect(same.files.map(\.file) == ["a/b.trace", "a/b.html"])
        scenario.verdict = "another"
        let other = PlayReport(file: "a/b.txt", scenario: scenario, failure: failure)
        #expect(other.text.contains("not the scenario's: another\n") && other.files[0].file == "a/b.txt.trace")
        let held = PlayReport(file: "a/b.scenario", scenario: scenario, failure: nil)
        #expect(held.text == "seed 17 held, but the scenario says: another\n" && held.files.isEmpty)
    }

    private func temporaryDirectory() -> String {
        FileManager.default.temporaryDirectory.appendingPathComponent("conclave-planted-\(UUID().uuidString)").path
    }

    @Test("the bugs that clusters are tried with break each of P1, P2, P4 to P8, P10, P17, P22, P28 and P34")
    func rules() {
        let rules = Set(PlantedTrial.all.map(\.bug.rule))
        for number in [1, 2, 4, 5, 6, 7, 8, 10, 17, 22, 28, 34] { #expect(rules.contains("P\(number)")) }
    }

    @Test("a failing seed is told with its number, the invariant, the scenario's file and the command that plays it")
    func report() throws {
        let failure = RaftRunFailure(
            kind: .correctness,
            seed: 17,
            complaint: "log matching: server n1 has another entry\nand more",
            time: .seconds(3),
            trace: "the trace"
        )
        let scenario = ClusterScenario(seed: 17, RaftRunOptions(), verdict: "log matching: server n1 has another entry")
        let report = FailureReport(failure: failure, scenario: scenario, original: "conclave sim --seed 17 --runs 1")
        for part in [
            "seed:      17\n", "invariant: log matching\n", "scenario:  conclave-seed-17.scenario",
            "> cluster 3 seed=17",
            "to repeat it: conclave sim --scenario conclave-seed-17.scenario\n",
        ] {
            #expect(report.text.contains(part), "\(part) is missing in \(report.text)")
        }
        #expect(report.files.map(\.file) == ["conclave-seed-17.scenario", "conclave-seed-17.trace"])
        // What is written can be read.
        #expect(try ClusterScenario(text: report.files[0].text) == scenario)
        #expect(ExitCode(.correctness) == .violation && ExitCode(.liveness) == .noProgress)
    }
}
