import Testing

@testable import KeyValue

@Suite("Snapshots of the store")
struct StoreSnapshotTests {
    private static func bytes(of machine: KeyValueMachine) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try machine.writeSnapshot { bytes += $0 }
        return bytes
    }

    /// Reads the bytes back in pieces of at most so many.
    private static func restore(_ bytes: [UInt8], upTo size: Int, _ random: inout Seeded) throws -> KeyValueStore {
        var reader = StoreSnapshotReader()
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = min(rest.count, random.below(size + 1))
            try rest.prefix(count).withUnsafeBytes { try reader.take($0) }
            rest.removeFirst(count)
        }
        return try reader.finish()
    }

    @Test("a store comes back from its snapshot, wherever the stream is cut")
    func roundTrip() throws {
        try Seeded.run("StoreSnapshotTests") { (random: inout Seeded) throws in
            for round in 0..<60 {
                var machine = KeyValueMachine(keyCount: KeyCount())
                let writes = (0..<random.below(400)).map { _ in
                    KeyValueWrite.set(key: random.bytes(upTo: 20)[...], value: random.bytes(upTo: 300)[...], .init())
                }
                _ = try machine.apply(WriteBatch(writes).bytes[...], wantsResponse: false)
                var store = KeyValueStore()
                for write in writes { store.apply(write) }
                let bytes = try Self.bytes(of: machine)
                let restored = try Self.restore(bytes, upTo: [1, 7, 9, 400, 1 << 20][round % 5], &random)
                #expect(restored.count == store.count && restored.contentHash == store.contentHash)
                guard store.count > 0 else { continue }
                #expect(throws: StoreSnapshotError.truncated) {
                    try Self.restore(bytes.dropLast(1 + random.below(8)), upTo: 50, &random)
                }
            }
        }
    }

    @Test("a stream of another version, or none, is no snapshot")
    func noSnapshot() {
        var random = Seeded(seed: 1)
        #expect(throws: StoreSnapshotError.unknownVersion(7)) { try Self.restore([7, 0, 0], upTo: 3, &random) }
        #expect(throws: StoreSnapshotError.truncated) { try Self.restore([], upTo: 3, &random) }
    }
}
