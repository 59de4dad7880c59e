// Times the same work on Conclave's actors and on Swift's own, in one run.

import Conclave

/// One benchmark on one implementation.
struct Measurement {
    var bench: String
    var implementation: String
    var operations: Int
    var elapsed: Duration

    var operationsPerSecond: Double { Double(operations) / elapsed.seconds }
    var nanosecondsPerOperation: Double { elapsed.seconds * 1e9 / Double(operations) }
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}

@main
struct ActorBench {
    static func main() async throws {
        let rounds = 2_000_000
        print(
            "ping-pong: two actors, one message in flight; \(rounds) round trips, two messages each; median of 5 runs"
        )
        var conclave: [Measurement] = []
        var native: [Measurement] = []
        for _ in 0..<5 {
            conclave.append(try await pingPong(rounds))
            native.append(await nativePingPong(rounds))
        }
        let ours = median(conclave)
        let theirs = median(native)
        for measurement in [ours, theirs] { show(measurement) }
        print("conclave / swift-actor: \(decimal(ours.operationsPerSecond / theirs.operationsPerSecond))")
    }

    static func median(_ measurements: [Measurement]) -> Measurement {
        measurements.sorted { $0.elapsed < $1.elapsed }[measurements.count / 2]
    }

    static func show(_ measurement: Measurement) {
        let perMessage = decimal(measurement.nanosecondsPerOperation / 2)
        let millions = decimal(measurement.operationsPerSecond / 1e6)
        print("  \(measurement.implementation): \(perMessage) ns a message, \(millions) M round trips/s")
    }

    /// One digit behind the point.
    static func decimal(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }
}
