import Testing

@testable import Conclave

@Suite struct RestartBackoffTests {
    private let second: UInt64 = 1_000_000_000

    @Test("the n-th wait is min(max, min * 2^n)")
    func doubling() {
        let backoff = RestartBackoff(.seconds(1), upTo: .seconds(10), jitter: 0)
        let waits = [0, 1, 2, 3, 4, 5, 63, 64, 1_000_000].map { backoff.delay(after: $0, random: 0) / second }
        #expect(waits == [1, 2, 4, 8, 10, 10, 10, 10, 10])
    }

    @Test("jitter takes away, so that the cap holds", arguments: [0.0, 0.2, 1.0])
    func jitter(_ share: Double) {
        var random = TestRandom.seeded("BACKOFF_SEED")
        let backoff = RestartBackoff(.milliseconds(3), upTo: .seconds(2), jitter: share)
        let whole = RestartBackoff(.milliseconds(3), upTo: .seconds(2), jitter: 0)
        for failures in 0..<1000 {
            let wait = backoff.delay(after: failures, random: random.next())
            let most = whole.delay(after: failures, random: 0)
            #expect(wait <= most && Double(wait) >= Double(most) * (1 - share))
        }
    }

    @Test("a quiet time ends the row of failures, and not a moment earlier")
    func quietTime() {
        let history = BackoffHistory(
            RestartBackoff(.seconds(1), upTo: .seconds(60), jitter: 0, quietTime: .seconds(30))
        )
        history.noteStart(at: 0)
        #expect(history.delay(at: 0, random: 0) == second)
        history.noteStart(at: second)
        #expect(history.delay(at: 31 * second - 1, random: 0) == 2 * second)
        history.noteStart(at: 40 * second)
        #expect(history.delay(at: 70 * second, random: 0) == second)
    }
}
