import KeyValue
import Testing

@Suite("Writes as a payload of the log")
struct WriteBatchTests {
    @Test("what was encoded is decoded")
    func roundTrip() throws {
        try Seeded.run("roundTrip") { (random: inout Seeded) throws in
            for _ in 0..<500 {
                let writes = (0..<random.below(20)).map { _ in random.write() }
                let batch = WriteBatch(writes)
                #expect(batch.count == writes.count)
                #expect(try WriteBatchReader.all(batch.bytes[...]) == writes)
            }
            for amount in [Int64.min, -1, 0, 1, Int64.max] {
                let write = KeyValueWrite.add(key: "k", amount: amount)
                #expect(try WriteBatchReader.all(WriteBatch([write]).bytes[...]) == [write])
            }
        }
    }

    @Test("the layout stays as it is: logs hold it")
    func layout() {
        let batch = WriteBatch([
            .set(key: "k", value: "v", .init()), .set(key: "k", value: "", .init(.ifAbsent, answersOldValue: true)),
            .set(key: "k", value: "", .init(.ifPresent)), .delete(keys: ["a", "bc"]), .add(key: "n", amount: -300),
            .setAll([.init(key: "a", value: "1")]), .append(key: "k", suffix: "s"), .deleteAll,
        ])
        let expected: [UInt8] =
            [1] + [0x10, 1, 0x6B, 1, 0x76] + [0x15, 1, 0x6B, 0] + [0x12, 1, 0x6B, 0] + [1, 2, 1, 0x61, 2, 0x62, 0x63]
            + [2, 1, 0x6E, 0xD7, 0x04] + [3, 1, 1, 0x61, 1, 0x31] + [4, 1, 0x6B, 1, 0x73] + [5]
        #expect(batch.bytes == expected)
        #expect(WriteBatch().bytes == [1])
        #expect(WriteBatch().isEmpty)
    }

    @Test("deletions, and nothing else, free space")
    func freesSpace() {
        let deletions: [KeyValueWrite] = [.delete(keys: ["a", "b"]), .deleteAll]
        #expect(KeyValueMachine.freesSpace(WriteBatch(deletions).bytes))
        let others: [KeyValueWrite] = [
            .set(key: "k", value: "v", .init()), .add(key: "n", amount: -1), .append(key: "k", suffix: "s"),
            .setAll([.init(key: "a", value: "1")]),
        ]
        for other in others { #expect(!KeyValueMachine.freesSpace(WriteBatch(deletions + [other]).bytes)) }
        #expect(!KeyValueMachine.freesSpace(WriteBatch(deletions).bytes + [0xff]))
    }

    @Test("a batch is read in place, wherever in a buffer it lies")
    func slice() throws {
        let write = KeyValueWrite.append(key: "k", suffix: "s")
        let padded = [9, 9] + WriteBatch([write, write]).bytes + [9]
        #expect(try WriteBatchReader.all(padded[2..<(padded.count - 1)]) == [write, write])
    }

    @Test(
        "what is no batch is refused",
        arguments: [
            ([], .unknownVersion(nil)), ([2, 5], .unknownVersion(2)), ([1, 0], .unknownCode(0)),
            ([1, 0x13], .unknownCode(0x13)), ([1, 0x18], .unknownCode(0x18)), ([1, 4, 1], .truncated),
            ([1, 4], .truncated), ([1, 4, 0x80], .truncated), ([1, 1, 3, 0, 0], .truncated),
            ([1, 4, 0x80, 0x00], .invalidNumber),
            ([1, 4, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02], .invalidNumber),
            ([1, 4, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], .truncated),
            ([1, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], .truncated),
        ] as [([UInt8], WriteBatchError)]
    )
    func faults(bytes: [UInt8], error: WriteBatchError) {
        var store = KeyValueStore()
        #expect(throws: error) { try store.apply(batch: bytes[...], wantsReplies: true) }
        #expect(throws: error) { try WriteBatchReader.all(bytes[...]) }
    }
}
