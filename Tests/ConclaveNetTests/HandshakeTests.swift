import ConclaveNet
import Testing

@Suite("Handshake")
struct HandshakeTests {
    static let cluster = UInt128(0x0123_4567_89AB_CDEF) << 64 | 0xFEDC_BA98_7654_3210
    static let timing = LeaseTiming(
        tickNanoseconds: 20_000_000,
        heartbeatNanoseconds: 100_000_000,
        electionNanoseconds: 300_000_000,
        driftPercent: 5
    )
    static let hello = Handshake(cluster: cluster, node: PeerID(2), incarnation: 77)
    /// What the sink of the tests refuses.
    static let strangeIncarnation: UInt64 = 0xBAD

    static func decode(_ bytes: [UInt8]) throws(Handshake.Refusal) -> Handshake? {
        let result = bytes.withUnsafeBytes { memory -> Result<Handshake?, Handshake.Refusal> in
            Result { () throws(Handshake.Refusal) in try Handshake.decode(memory) }
        }
        return try result.get()
    }

    @Test("a handshake is read as it was written, with and without a refusal")
    func roundTrip() throws {
        #expect(Self.hello.encode().count == Handshake.sizeBytes)
        #expect(Self.hello.encode().starts(with: "CONCLAVE".utf8))
        #expect(try Self.decode(Self.hello.encode()) == Self.hello)
        for refusal in Handshake.Refusal.allCases {
            var refused = Self.hello
            refused.refusal = refusal
            #expect(try Self.decode(refused.encode()) == refused)
        }
    }

    @Test("the times of leases are read as they were written")
    func timing() throws {
        let hello = Handshake(cluster: Self.cluster, node: PeerID(2), incarnation: 77, timing: Self.timing)
        #expect(try Self.decode(hello.encode()) == hello)
    }

    @Test("who differs in any time is refused if either grants leases, and is not if neither does")
    func timingsDiffer() {
        let changes: [(inout LeaseTiming) -> Void] = [
            { $0.tickNanoseconds += 1 }, { $0.heartbeatNanoseconds += 1 }, { $0.electionNanoseconds += 1 },
            { $0.driftPercent = 6 }, { $0.driftPercent = 0 },
        ]
        func refusal(_ own: LeaseTiming, _ other: LeaseTiming) -> Handshake.Refusal? {
            let hello = Handshake(cluster: Self.cluster, node: PeerID(2), incarnation: 77, timing: other)
            return Handshake.Expectation(cluster: Self.cluster, nodes: .exactly(PeerID(2)), timing: own).refusal(
                of: hello
            )
        }
        #expect(refusal(Self.timing, Self.timing) == nil)
        for change in changes {
            var other = Self.timing
            change(&other)
            #expect(refusal(Self.timing, other) == .timing && refusal(other, Self.timing) == .timing)
            var (mine, theirs) = (Self.timing, other)
            (mine.driftPercent, theirs.driftPercent) = (0, 0)
            #expect(refusal(mine, theirs) == nil)
        }
    }

    @Test("half a handshake is no handshake yet")
    func incomplete() throws {
        let bytes = Self.hello.encode()
        for count in 0..<bytes.count { #expect(try Self.decode(Array(bytes[..<count])) == nil) }
        #expect(try Self.decode(bytes + [1, 2, 3]) == Self.hello)
    }

    @Test("another program is recognised by its first byte that differs")
    func badMagic() {
        #expect(throws: Handshake.Refusal.badMagic) { try Self.decode(Array("*1\r\n$4\r\nPING\r\n".utf8)) }
        #expect(throws: Handshake.Refusal.badMagic) { try Self.decode([0]) }
        #expect(throws: Handshake.Refusal.badMagic) { try Self.decode(Array("CONCLAVX".utf8)) }
    }

    @Test("another version is refused before the rest is read")
    func version() {
        var other = Self.hello
        other.version = Handshake.protocolVersion + 1
        #expect(throws: Handshake.Refusal.version) { try Self.decode(Array(other.encode()[..<10])) }
    }

    @Test("a verdict of a later build is a refusal")
    func unknownVerdict() throws {
        var bytes = Self.hello.encode()
        bytes[10] = 99
        #expect(try Self.decode(bytes)?.refusal == .other)
    }

    @Test("what is expected decides: version, then cluster, then node")
    func expectation() {
        let members = Handshake.Expectation(cluster: Self.cluster, nodes: .anyOf([PeerID(1), PeerID(2)]))
        #expect(members.refusal(of: Self.hello) == nil)

        var other = Self.hello
        other.node = PeerID(9)
        #expect(members.refusal(of: other) == .unknownNode)
        #expect(
            Handshake.Expectation(cluster: Self.cluster, nodes: .exactly(PeerID(1))).refusal(of: Self.hello)
                == .wrongNode
        )
        other.cluster = 1
        #expect(members.refusal(of: other) == .wrongCluster)
        other.version = 7
        #expect(members.refusal(of: other) == .version)
    }

    @Test("garbage is refused or incomplete, never a crash")
    func garbage() {
        var generator = SeededGenerator(seed: seed(for: "HandshakeTests"))
        for _ in 0..<5_000 {
            var bytes = Self.hello.encode()
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                bytes[Int.random(in: bytes.indices, using: &generator)] = UInt8.random(
                    in: .min ... .max,
                    using: &generator
                )
            }
            let count = Int.random(in: 0...bytes.count, using: &generator)
            if let handshake = try? Self.decode(Array(bytes[..<count])) {
                #expect(handshake.version == Handshake.protocolVersion)
                #expect(count == Handshake.sizeBytes)
            }
        }
    }
}
