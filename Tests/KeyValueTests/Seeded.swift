import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The random numbers of one test run. The seed is printed; KEYVALUE_SEED takes it back.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    /// Runs `body` with fresh random numbers, and tells how to replay it.
    static func run(_ test: String, _ body: (inout Seeded) throws -> Void) rethrows {
        let given = getenv("KEYVALUE_SEED").flatMap { UInt64(String(cString: $0)) }
        let seed = given ?? UInt64.random(in: 0...UInt64.max)
        print("replay with: KEYVALUE_SEED=\(seed) swift test --filter \(test)")
        var random = Seeded(seed: seed)
        try body(&random)
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

    mutating func bytes(upTo count: Int) -> [UInt8] {
        (0..<below(count + 1)).map { _ in UInt8(truncatingIfNeeded: next()) }
    }

    /// Flips, cuts, doubles and inserts a few bytes.
    mutating func mutate(_ bytes: inout [UInt8]) {
        for _ in 0...below(4) where !bytes.isEmpty {
            let index = below(bytes.count)
            switch below(5) {
            case 0: bytes[index] ^= 1 << UInt8(below(8))
            case 1: bytes[index] = Array("*$+-:_#,(%~>|=!\r\n0919".utf8).randomElement(using: &self) ?? 0
            case 2: bytes.removeSubrange(index..<min(bytes.count, index + 1 + below(8)))
            case 3: bytes.insert(UInt8(truncatingIfNeeded: next()), at: index)
            default: bytes.insert(contentsOf: bytes[index..<min(bytes.count, index + 1 + below(8))], at: index)
            }
        }
    }

    /// Cuts bytes into pieces of random size.
    mutating func pieces(of bytes: [UInt8]) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = rest.prefix(1 + below(24))
            pieces.append(Array(piece))
            rest = rest.dropFirst(piece.count)
        }
        return pieces
    }
}
