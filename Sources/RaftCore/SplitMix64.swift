// Randomness that replays.

/// Steele, Lea and Flood's SplitMix64 (OOPSLA 2014): tiny, fast, and the same numbers from the same seed everywhere.
struct SplitMix64: Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// The next number.
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// A tick count from `range`. Not `Int.random(in:using:)`, whose method may change with the standard library and
    /// then old seeds would not replay; the bias of the remainder does not matter for a handful of ticks.
    mutating func ticks(in range: Range<Int>) -> UInt64 {
        UInt64(range.lowerBound) + next() % UInt64(range.count)
    }
}
