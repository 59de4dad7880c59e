import ConclaveSimulation
import Foundation
import Testing

/// The contract of the actor library, over many seeds. `CONCLAVE_SEEDS` says how many: `Scripts/simulate-actors` runs 10,000.
@Suite struct ContractTests {
    @Test("order per pair, lives, restarts and asks hold over many seeds")
    func contractHolds() throws {
        let environment = ProcessInfo.processInfo.environment
        let count = environment["CONCLAVE_SEEDS"].flatMap { UInt64($0) } ?? 200
        let first = environment["CONCLAVE_SEED"].flatMap { UInt64($0) } ?? 0
        var failures = 0
        for seed in first..<first + count {
            do {
                failures += try ContractWorld.run(seed: seed).failures
            } catch {
                Issue.record(
                    "seed \(seed): \(error); to repeat: CONCLAVE_SEED=\(seed) CONCLAVE_SEEDS=1 swift test --filter ContractTests"
                )
                return
            }
        }
        print("\(count) seeds, \(failures) planned failures and restarts")
        #expect(failures > count)
    }

    @Test("a mailbox with a planted ordering bug is caught within 20 seeds, and the seed that caught it does so again")
    func plantedBugIsCaught() throws {
        var caught: (seed: UInt64, complaint: String)?
        for seed in 0..<20 as Range<UInt64> where caught == nil {
            do { try ContractWorld.run(seed: seed, planted: .newestFirst) } catch { caught = (seed, "\(error)") }
        }
        let found = try #require(caught)
        print("caught by seed \(found.seed): \(found.complaint)")
        #expect(found.complaint.contains("arrived before"))
        let again = #expect(throws: SimulationError.self) {
            try ContractWorld.run(seed: found.seed, planted: .newestFirst)
        }
        #expect(again.map { "\($0)" } == found.complaint)
    }

    @Test("a delivery checker names what is early, late, doubled or lost")
    func deliveryChecker() {
        var checker = DeliveryChecker()
        let first = checker.sent(from: 1, to: 2)
        let second = checker.sent(from: 1, to: 2)
        #expect(checker.received(second, from: 1, by: 2)?.contains("before message 0") == true)
        #expect(checker.received(first, from: 1, by: 2) == nil)
        #expect(checker.received(first, from: 1, by: 2)?.contains("twice") == true)
        #expect(checker.received(7, from: 1, by: 2)?.contains("never sent") == true)
        #expect(checker.missing()?.contains("1 messages did not arrive") == true)
        #expect(checker.missing(deadLetters: 1) == nil)
    }

    @Test("a lifecycle checker names what happens out of turn")
    func lifecycleChecker() {
        var checker = LifecycleChecker()
        #expect(checker.received(1) != nil)
        #expect(checker.started(1) == nil)
        #expect(checker.received(1) == nil)
        #expect(checker.started(1) != nil)
        checker.failing(1)
        #expect(checker.received(1) != nil)
        #expect(checker.stopping(1) == nil)
        #expect(checker.received(1) != nil)
        #expect(checker.stopping(1) != nil)
        #expect(checker.starts(of: 1) == 2)
    }
}
