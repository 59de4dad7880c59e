// The one source of chance in a simulated world.

/// SplitMix64 (Steele, Lea and Flood, 2014): small, fast, and the same everywhere.
public struct SimulationRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// A generator whose numbers follow from `seed`.
    public init(seed: UInt64) { state = seed }

    /// The next 64 bits.
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A generator of its own, whose numbers do not depend on how many the others draw.
    mutating func split() -> SimulationRandom { SimulationRandom(seed: next()) }

    /// True in so many of a thousand cases.
    mutating func happens(perMille: Int) -> Bool { perMille > 0 && Int.random(in: 0..<1000, using: &self) < perMille }
}
