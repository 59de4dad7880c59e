import ConclaveNet
import Testing

/// Gives the same number for ever.
private struct Fixed: RandomNumberGenerator {
    let value: UInt64
    func next() -> UInt64 { value }
}

@Suite("Backoff")
struct BackoffTests {
    @Test("waits double up to the maximum and begin anew after a success")
    func doubling() {
        var longest = Fixed(value: .max)
        var backoff = Backoff(minimum: .milliseconds(10), maximum: .milliseconds(75))
        let waits = (0..<5).map { _ in backoff.next(using: &longest) }
        #expect(waits == [10, 20, 40, 75, 75].map { .milliseconds($0) })
        backoff.reset()
        #expect(backoff.next(using: &longest) == .milliseconds(10))
    }

    @Test("jitter only shortens, by a half at most, and the maximum holds after any number of failures")
    func jitter() {
        var generator = SeededGenerator(seed: seed(for: "BackoffTests"))
        var backoff = Backoff(minimum: .milliseconds(3), maximum: .seconds(1))
        var seen: Set<Duration> = []
        for attempt in 0..<2_000 {
            let cap = attempt < 9 ? Duration.milliseconds(3 << attempt) : .seconds(1)
            let wait = backoff.next(using: &generator)
            #expect(wait <= min(cap, .seconds(1)))
            #expect(wait >= min(cap, .seconds(1)) / 2)
            seen.insert(wait)
        }
        #expect(seen.count > 100, "the waits differ")
    }
}
