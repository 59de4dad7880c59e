import ConclaveSimulation
import PlantedBugs
import RaftCore
import Testing

@testable import ConclaveCommand

/// What `conclave sim` says of what it found. All bugs in turn are planted by `conclave sim --planted`, which takes a release build.
@Suite struct PlantedBugTests {
    @Test("a planted bug is caught within its bound, and the table says by whom")
    func trial() throws {
        let trial = try #require(PlantedTrial.all.first { $0.bug == .countsTooFew })
        let caught = try #require(trial.run())
        #expect(caught.failure.checker == "committed on a quorum")
        #expect(caught.isShort && caught.scenario.bug == .countsTooFew && caught.scenario.isConfirmed)
        let line = PlantedTable.line(trial, caught)
        #expect(line.contains("P5") && line.hasSuffix("committed on a quorum") && !line.contains("NOT"))
        #expect(PlantedTable.line(trial, nil).hasSuffix("NOT CAUGHT"))
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
