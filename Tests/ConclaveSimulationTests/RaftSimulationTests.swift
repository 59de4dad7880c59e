import ConclaveSimulation
import Foundation
import Testing

/// Raft servers, unchanged, on simulated machines. `CONCLAVE_RAFT_SEEDS` says how many seeds.
@Suite struct RaftSimulationTests {
    @Test(
        "a cluster holds under faults and makes progress after them",
        arguments: [(3, FaultProfile.calm), (3, .net), (3, .disk), (3, .all), (5, .all)]
    )
    func clusterHolds(nodes: Int, profile: FaultProfile) throws {
        let environment = ProcessInfo.processInfo.environment
        let count = environment["CONCLAVE_RAFT_SEEDS"].flatMap { UInt64($0) } ?? 3
        let first = environment["CONCLAVE_SEED"].flatMap { UInt64($0) } ?? 0
        var options = RaftRunOptions()
        options.nodes = nodes
        options.profile = profile
        options.faultPhase = .seconds(10)
        for seed in first..<first + count {
            do {
                let report = try RaftSimulation.run(seed: seed, options)
                #expect(report.answered > 0)
                #expect(report.elections > 0)
            } catch {
                Issue.record("\(nodes) servers, profile \(profile.rawValue), \(error)")
            }
        }
    }

    @Test("a run of a cluster repeats step by step")
    func repeats() throws {
        var options = RaftRunOptions()
        options.faultPhase = .seconds(5)
        for seed in 0..<4 as Range<UInt64> {
            let first = try RaftSimulation.run(seed: seed, options)
            #expect(try RaftSimulation.run(seed: seed, options).signature == first.signature)
        }
    }

    @Test("disks that do not sync are caught within 40 seeds: acknowledged writes go, or servers vote twice (P8)")
    func lyingDisksAreCaught() throws {
        var options = RaftRunOptions()
        options.profile = .disk
        options.faultPhase = .seconds(10)
        options.wrapDisk = { SyncHookDisk($0) { _, _ in } }
        var caught: UInt64?
        for seed in 0..<40 as Range<UInt64> where caught == nil {
            do throws(RaftRunFailure) { _ = try RaftSimulation.run(seed: seed, options) } catch {
                if error.kind == .correctness { caught = seed }
            }
        }
        let seed = try #require(caught)

        // The failure shrinks to a plan that still fails, and that can be written down and read.
        let plan = RaftSimulation.plan(seed: seed, options)
        func fails(_ plan: FaultPlan) -> Bool {
            var options = options
            options.plan = plan
            do throws(RaftRunFailure) { _ = try RaftSimulation.run(seed: seed, options) } catch {
                return error.kind == .correctness
            }
            return false
        }
        var shrinker = Shrinker(budget: 60, fails: fails)
        let small = shrinker.shrink(plan)
        #expect(!small.steps.isEmpty && small.steps.count <= plan.steps.count && small.steps.count <= 5)
        #expect(try FaultPlan(text: "# what is left\n\(small)\n") == small)
        #expect(fails(small))
    }

    @Test("fault plans are read as they were written, and nothing else is")
    func planText() throws {
        var random = SimulationRandom(seed: 5)
        for seed in 0..<200 as Range<UInt64> {
            var options = RaftRunOptions()
            options.nodes = 5
            let plan = RaftSimulation.plan(seed: seed, options)
            #expect(!plan.steps.isEmpty)
            #expect(try FaultPlan(text: "\(plan)") == plan)
            var bytes = Array("\(plan)".utf8)
            for _ in 0..<3 {
                bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 32...126, using: &random)
            }
            // Read or refused, and read to something that can be written again.
            if let read = try? FaultPlan(text: String(decoding: bytes, as: UTF8.self)) {
                #expect(try FaultPlan(text: "\(read)") == read)
            }
        }
        let bad = [
            "5 ms explode 1", "-1 ms heal", "9 ms kill", "5 s heal", "2 ms kill x", "9 ms heal\n8 ms heal",
            "1 ms cut 1",
        ]
        for text in bad { #expect(throws: FaultPlanError.self) { try FaultPlan(text: text) } }
    }
}
