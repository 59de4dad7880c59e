import Foundation
import PlantedBugs
import RaftScenario
import Testing

@testable import RaftCore

/// Histories with lost, repeated and reordered messages, partitions, slow clocks, crashes that lose unsynced writes.
///
/// `RAFT_SEEDS=5000 swift test --filter RaftCoreTests.SimulationTests` runs more of them; `RAFT_SEED=17 …` replays one.
@Suite struct SimulationTests {
    static let steps = 2500

    static var seeds: Range<UInt64> {
        let environment = ProcessInfo.processInfo.environment
        if let one = environment["RAFT_SEED"].flatMap(UInt64.init) { return one..<one + 1 }
        return 1..<1 + (environment["RAFT_SEEDS"].flatMap(UInt64.init) ?? 20)
    }

    static func replay(_ seed: UInt64) -> Comment {
        "seed \(seed); replay: RAFT_SEED=\(seed) swift test --filter RaftCoreTests.SimulationTests"
    }

    /// What happened in histories: one in which nothing does proves nothing.
    private struct Met {
        var (elections, commits, reads, changes, installations) = (0, 0, 0, 0, 0)

        mutating func add(_ checker: Checker) {
            elections += checker.elections
            commits += checker.committed.count
            reads += checker.readsAnswered
            changes += checker.changes
            installations += checker.installations
        }
    }

    @Test("any history of faults is safe, and peace brings a leader, a commit and answers", arguments: [1, 2, 3, 4, 5])
    func survivesFaults(servers: Int) async {
        var met = Met()
        await withTaskGroup(of: Checker.self) { group in
            for seed in Self.seeds { group.addTask { Self.live(seed: seed, servers: servers) } }
            for await checker in group { met.add(checker) }
        }
        let histories = Self.seeds.count
        #expect(met.elections >= histories && met.commits >= 10 * histories && met.reads >= histories)
        #expect(met.changes >= histories / 2 && met.installations >= histories / 6)
        print("\(servers) servers, \(histories) histories: \(met)")
    }

    private static func live(seed: UInt64, servers: Int) -> Checker {
        var simulation = Simulation(seed: seed, servers: servers)
        do {
            try simulation.runFaults(steps: steps)
            if try simulation.runPeace() == nil {
                Issue.record(Violation("no recovery: \(simulation.world.summary)"), replay(seed))
            }
        } catch {
            Issue.record(error, replay(seed))
        }
        return simulation.world.checker
    }

    /// A history that shows these is too rare, or they are not of cores alone: a script, or a simulated cluster, shows them.
    static let takesMore: Set<PlantedBug> = [
        .asksForVotesBeforeDisk, .commitsOldTerms, .countsOldAcknowledgements, .admitsWipedServers,
    ]

    @Test(
        "the checker catches a planted bug",
        arguments: PlantedBug.allCases.filter { !takesMore.contains($0) }
    )
    func catches(bug: PlantedBug) {
        for seed in 1...UInt64(300) {
            for servers in [3, 5] {
                var simulation = Simulation(seed: seed, servers: servers, bug: bug)
                do {
                    try simulation.runFaults(steps: Self.steps)
                    if try simulation.runPeace() == nil { throw Violation("no recovery") }
                } catch {
                    return print("\(bug.rawValue): seed \(seed), \(servers) servers: \(error)")
                }
            }
        }
        Issue.record("\(bug.rawValue) was not caught")
    }

    @Test("the same seed gives the same history")
    func deterministic() throws {
        var first = Simulation(seed: 7, servers: 5)
        var second = Simulation(seed: 7, servers: 5)
        try first.runFaults(steps: Self.steps)
        try second.runFaults(steps: Self.steps)
        #expect(first.world.network == second.world.network)
        #expect(first.world.checker.committed == second.world.checker.committed)
        for id in first.world.ids {
            #expect(first.world[id].disk == second.world[id].disk)
            #expect(first.world[id].unsynced == second.world[id].unsynced)
        }
    }
}
