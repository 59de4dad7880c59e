#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The random numbers of one test run. The seed is printed; RAFT_SEED takes it back.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    /// Fresh random numbers, and a line that tells how to replay them.
    init(_ test: String) {
        let given = getenv("RAFT_SEED").flatMap { UInt64(String(cString: $0)) }
        state = given ?? UInt64.random(in: 0...UInt64.max)
        print("replay with: RAFT_SEED=\(state) swift test --filter \(test)")
    }

    /// SplitMix64 (Steele, Lea, Flood 2014).
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }

    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }
}
