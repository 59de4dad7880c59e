import ConclaveSimulation
import PlantedBugs
import RaftCore
import RaftScenario
import Testing

/// What becomes of a run of a cluster that fails: a file that is read, and played again.
@Suite struct ClusterScenarioTests {
    @Test("a failing run is cut down to a scenario of a few lines, which, read from its text, fails in the same way")
    func shrinks() throws {
        var options = RaftRunOptions()
        options.meddling = PlantedBug.shortensOnEveryAppend.meddling
        options.faultPhase = .seconds(10)
        var caught: RaftRunFailure?
        for seed in 0..<30 as Range<UInt64> where caught == nil {
            do throws(RaftRunFailure) { _ = try RaftSimulation.run(seed: seed, options) } catch { caught = error }
        }
        let failure = try #require(caught)
        #expect(failure.kind == .correctness && failure.checker == "promises kept")

        let scenario = ClusterScenario.shrunk(from: failure, options, planted: "a bug", budget: 60)
        #expect(scenario.description.split(separator: "\n").count <= 60)
        #expect(scenario.faultPhase <= options.faultPhase)
        #expect(scenario.plan.steps.count <= RaftSimulation.plan(seed: failure.seed, options).steps.count)

        var named = scenario
        named.planted = "shortensOnEveryAppend"
        let read = try ClusterScenario(text: named.description)
        #expect(read == named)
        var again = read.options
        again.meddling = options.meddling
        #expect(throws: RaftRunFailure.self) { try RaftSimulation.run(seed: read.seed, again) }
        do throws(RaftRunFailure) { _ = try RaftSimulation.run(seed: read.seed, again) } catch {
            #expect(error.complaint == read.verdict)
        }
        // Without the bug nothing fails.
        _ = try RaftSimulation.run(seed: read.seed, read.options)
    }

    @Test("no server is wiped whose operators are too busy to replace it (found by seed 146)")
    func busyOperators() throws {
        let text = """
            > cluster 3 seed=146 milliseconds=189000
            > at 31892 fill-disk 1
            > at 126304 power-cut 3
            > at 131752 replace 2
            > at 142280 transfer 2
            > at 161399 replace 2
            > at 170507 transfer 3
            > at 187578 rot-identity 3
            > at 187926 wipe 1
            > run

            """
        let scenario = try ClusterScenario(text: text)
        _ = try RaftSimulation.run(seed: scenario.seed, scenario.options)
    }

    @Test("a scenario of a cluster is read as it was written, and nothing else is")
    func text() throws {
        for seed in 0..<50 as Range<UInt64> {
            var options = RaftRunOptions()
            options.nodes = 5
            options.clients = seed % 3 == 0 ? 8 : 4
            let scenario = ClusterScenario(
                seed: seed,
                options,
                verdict: seed % 2 == 0 ? "some checker: it complained" : nil
            )
            #expect(try ClusterScenario(text: scenario.description) == scenario)
        }
        let bad = [
            "", "> run\n", "> cluster 3 seed=1\n> run\n", "> cluster 3 seed=1 milliseconds=5\n",
            "> cluster 3 seed=1 milliseconds=5 clients=0\n> run\n",
            "> cluster 3 seed=1 milliseconds=5 clients\n> run\n",
            "> cluster 0 seed=1 milliseconds=5\n> run\n", "> cluster 3 seed=x milliseconds=5\n> run\n",
            "> cluster 3 seed=1 milliseconds=5\n> at 5 explode 1\n> run\n",
            "> cluster 3 seed=1 milliseconds=5\n> at 9 heal\n> at 8 heal\n> run\n",
            "> cluster 3 seed=1 milliseconds=5\n> run\n> at 5 heal\n",
            "> at 5 heal\n> cluster 3 seed=1 milliseconds=5\n> run\n",
        ]
        for text in bad { #expect(throws: ClusterScenarioError.self) { try ClusterScenario(text: text) } }
    }
}
