import Conclave
import Foundation
import Testing

/// Everything that ties actors to each other, at once; the variables of `StressTests` say for how long, and what the threads do.
@Suite(.timeLimit(.minutes(30))) struct TownStressTests {
    @Test(
        "links, monitors, names, groups, topics, pools, channels and agents come and go under load, and nothing of them is left"
    )
    func everything() async throws {
        let seconds = ProcessInfo.processInfo.environment["CONCLAVE_STRESS_SECONDS"].flatMap { Double($0) } ?? 1
        var random = TestRandom.seeded("CONCLAVE_STRESS_SEED")
        let town = try Town()
        await town.live(until: ContinuousClock.now + .seconds(seconds), &random)
        await town.expectNothingLeft()
        let restarts = town.system.counts.restarts
        print("town stress: \(town.entries.value) entries, \(town.sold.value) sold, \(restarts) restarts")
        #expect(restarts > 0)
    }
}
