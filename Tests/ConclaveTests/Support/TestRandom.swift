import Foundation

/// A generator (SplitMix64) whose seed is printed and can be given, so that one command repeats a run.
struct TestRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// Takes the seed from the environment `variable`, or draws and prints one.
    static func seeded(_ variable: String) -> TestRandom {
        let given = ProcessInfo.processInfo.environment[variable].flatMap { UInt64($0) }
        let seed = given ?? UInt64.random(in: .min ... .max)
        print("to repeat: \(variable)=\(seed) swift test --filter ConclaveTests")
        return TestRandom(seed: seed)
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
