// How long a failing actor waits for its next start.

/// Restarts that come later and later: `min(maximum, minimum · 2ⁿ)` after the n-th failure in a row, less a random part.
///
/// Messages wait meanwhile. The row ends when an incarnation has lasted for `quietTime`.
public struct RestartBackoff: Hashable, Sendable {
    /// The wait after the first failure.
    public var minimum: Duration
    /// The longest wait.
    public var maximum: Duration
    /// How much of a wait is random, 0 to 1: so much is taken away at most. It keeps actors that failed together apart.
    public var jitter: Double
    /// An incarnation that lasted that long was well: the next failure counts as the first.
    public var quietTime: Duration

    /// From `minimum` to `maximum`. Without a `quietTime`, twice the maximum.
    public init(_ minimum: Duration, upTo maximum: Duration, jitter: Double = 0.2, quietTime: Duration? = nil) {
        precondition(minimum > .zero && minimum <= maximum, "a backoff needs 0 < minimum <= maximum")
        precondition((0...1).contains(jitter), "a jitter is a share from 0 to 1")
        self.minimum = minimum
        self.maximum = maximum
        self.jitter = jitter
        self.quietTime = quietTime ?? maximum * 2
    }

    /// Nanoseconds to wait after `failures` earlier ones in a row; `random` is any number.
    func delay(after failures: Int, random: UInt64) -> UInt64 {
        let cap = maximum.nanoseconds
        let least = minimum.nanoseconds
        let doubled = failures < least.leadingZeroBitCount ? least << failures : .max
        let delay = min(cap, doubled)
        let share = Double(random >> 11) * 0x1p-53  // in 0..<1
        return delay - UInt64(Double(delay) * jitter * share)
    }
}

/// An actor's failures in a row.
final class BackoffHistory {
    let backoff: RestartBackoff
    private var failures = 0
    private var startedAt: UInt64 = 0

    init(_ backoff: RestartBackoff) { self.backoff = backoff }

    func noteStart(at now: UInt64) { startedAt = now }

    /// Notes a failure at `now` and says how many nanoseconds the next start is to wait.
    func delay(at now: UInt64, random: UInt64) -> UInt64 {
        if now &- startedAt >= backoff.quietTime.nanoseconds { failures = 0 }
        defer { failures += 1 }
        return backoff.delay(after: failures, random: random)
    }
}
