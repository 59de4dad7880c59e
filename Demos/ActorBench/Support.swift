// What all benchmarks share.

import Conclave
import Synchronization

/// Operations a second: times `body`, which does `operations` of them.
func rate(_ operations: Int, _ body: () async throws -> Void) async rethrows -> Double {
    let start = ContinuousClock.now
    try await body()
    let elapsed = (ContinuousClock.now - start).components
    return Double(operations) / (Double(elapsed.seconds) + Double(elapsed.attoseconds) * 1e-18)
}

/// Lends a system of actors that is gone when this returns.
func withSystem<Result: Sendable>(
    _ instrument: (any Instrument)? = nil,
    _ body: (ActorSystem) async throws -> Result
) async throws -> Result {
    let system = ActorSystem("bench", instrument: instrument)
    let result = try await body(system)
    await system.shutdown()
    return result
}

/// Opens once `count` parties have arrived. One task waits.
final class Latch: Sendable {
    private let missing: Atomic<Int>
    private let waiting = Mutex<CheckedContinuation<Void, Never>?>(nil)

    init(_ count: Int) { missing = Atomic(count) }

    func arrive() {
        guard missing.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 else { return }
        waiting.withLock { $0.take() }?.resume()
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            let isOpen = waiting.withLock { waiting in
                if missing.load(ordering: .acquiring) == 0 { return true }
                waiting = continuation
                return false
            }
            if isOpen { continuation.resume() }
        }
    }
}

/// A latch that is not counted where it is copied.
///
/// Each arrival comes from an actor of its own. A latch in each of them would be one word that all threads count on, and the
/// benchmark would measure that.
struct LatchReference: @unchecked Sendable {
    // SAFETY: whoever made the latch keeps it until the actors that arrive are gone.
    private let latch: Unmanaged<Latch>

    init(_ latch: Latch) { self.latch = .passUnretained(latch) }

    func arrive() { latch._withUnsafeGuaranteedRef { $0.arrive() } }
}

/// A linear congruential generator: the same cheap one in every implementation.
struct Dice {
    private var state: UInt64

    init(_ seed: Int) { state = UInt64(truncatingIfNeeded: seed) }

    mutating func roll(_ sides: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int((state >> 33) % UInt64(sides))
    }
}
