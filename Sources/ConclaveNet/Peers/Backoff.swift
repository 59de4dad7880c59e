// How long to wait before the next attempt.

/// Waiting times that double from attempt to attempt, up to a maximum, each shortened by chance so that many who failed
/// together do not try again together.
package struct Backoff: Sendable {
    /// The first wait before jitter.
    package let minimum: Duration
    /// No wait is longer.
    package let maximum: Duration
    /// How many attempts have failed in a row.
    package private(set) var attempt = 0

    package init(minimum: Duration = .milliseconds(50), maximum: Duration = .seconds(2)) {
        precondition(minimum > .zero && minimum <= maximum, "a backoff needs 0 < minimum <= maximum")
        self.minimum = minimum
        self.maximum = maximum
    }

    /// The next wait: `min(maximum, minimum * 2^attempt)`, of which jitter takes away up to a half.
    package mutating func next(using generator: inout some RandomNumberGenerator) -> Duration {
        var wait = minimum
        var doublings = 0
        while doublings < attempt, wait < maximum {
            wait = wait * 2
            doublings += 1
        }
        wait = min(wait, maximum)
        attempt += 1
        let thousandths = Int.random(in: 500...1000, using: &generator)
        return wait * thousandths / 1000
    }

    /// The attempt succeeded: the next wait is a first one again.
    package mutating func reset() { attempt = 0 }
}
