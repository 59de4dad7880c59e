import Conclave

/// Looks again and again until `condition` holds, for what no event tells of. Fails after ten seconds.
func waitUntil(_ condition: () async throws -> Bool) async throws {
    struct TooLong: Error {}
    let end = ContinuousClock.now + .seconds(10)
    while try await !condition() {
        if ContinuousClock.now > end { throw TooLong() }
        await Task.yield()
    }
}
