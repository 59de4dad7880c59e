// Random tests: one seed a run, printed, and taken from the environment to run the same again.

import Foundation

/// SplitMix64 (Steele, Lea, Flood 2014): small, fast, and the same on every platform.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &self) }
    }
}

/// The seed of this run: `CONCLAVE_SEED` if it is set, otherwise a new one. Prints the command that repeats the test.
func seed(for test: String) -> UInt64 {
    let given = ProcessInfo.processInfo.environment["CONCLAVE_SEED"].flatMap(UInt64.init)
    let seed = given ?? UInt64.random(in: .min ... .max)
    print("seed \(seed); again: CONCLAVE_SEED=\(seed) swift test --filter '\(test)'")
    return seed
}
