#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A random test's seed: from the environment, or a new one. Printed, with the command that replays it.
struct SeededRun {
    let seed: UInt64

    init(_ variable: String, test: String) {
        seed = ProcessInfo.processInfo.environment[variable].flatMap(UInt64.init) ?? UInt64.random(in: 0...(.max))
        print("replay with: \(variable)=\(seed) swift test --filter \(test)")
    }

    var generator: SplitMix64 { SplitMix64(state: seed) }
}

/// Steele, Lea and Flood: Fast splittable pseudorandom number generators (OOPSLA 2014).
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
