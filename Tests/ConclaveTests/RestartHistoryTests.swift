import Testing

@testable import Conclave

@Suite struct RestartHistoryTests {
    private let second: UInt64 = 1_000_000_000

    /// Whether each attempt of a fresh history, at these nanoseconds, is allowed.
    private func allowed(_ intensity: RestartIntensity, at instants: [UInt64]) -> [Bool] {
        var history = RestartHistory()
        return instants.map { history.allowsRestart(at: $0, intensity) }
    }

    @Test("as many restarts as the maximum are allowed within the period, and one more is not")
    func maximum() {
        let attempts = (0...3).map { $0 * second }
        #expect(allowed(RestartIntensity(3, per: .seconds(5)), at: attempts) == [true, true, true, false])
    }

    @Test("a maximum of zero allows none")
    func none() { #expect(allowed(RestartIntensity(0, per: .seconds(5)), at: [0]) == [false]) }

    @Test("a restart exactly one period ago still counts, and a nanosecond later it does not")
    func edge() {
        let intensity = RestartIntensity(1, per: .seconds(5))
        #expect(allowed(intensity, at: [second, 6 * second]) == [true, false])
        #expect(allowed(intensity, at: [second, 6 * second + 1]) == [true, true])
    }

    @Test("a refused attempt counts as well")
    func refusedCounts() {
        let attempts = [0, 3 * second, 6 * second, 20 * second]
        #expect(allowed(RestartIntensity(1, per: .seconds(5)), at: attempts) == [true, false, false, true])
    }
}
