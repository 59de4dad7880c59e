import Foundation

/// A generator (SplitMix64) whose seed is printed and can be given, so that one command repeats a run.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// Takes the seed from the environment variable `CONCLAVE_SEED`, or draws and prints one.
    static func drawn(_ filter: String) -> SeededRandom {
        let given = ProcessInfo.processInfo.environment["CONCLAVE_SEED"].flatMap { UInt64($0) }
        let seed = given ?? UInt64.random(in: .min ... .max)
        print("to repeat: CONCLAVE_SEED=\(seed) swift test --filter \(filter)")
        return SeededRandom(seed: seed)
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
