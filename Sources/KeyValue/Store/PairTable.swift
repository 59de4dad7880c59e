/// One shard of the store: an open-addressing hash table with linear probing.
///
/// It works on raw key bytes and a hash that the caller has computed, so that looking up allocates nothing and growing
/// does not hash again.
struct PairTable: Sendable {
    /// The low half of each pair's hash; 0 marks a free slot. The count is a power of two, or 0.
    private var tags: [UInt32] = []
    /// The pairs. Invariant: `records[i]` is `.none` exactly where `tags[i]` is 0.
    private var records: [PairRecord] = []
    private(set) var count = 0

    /// A slot that holds a pair. Valid until the next insertion or removal.
    struct Slot {
        fileprivate let index: Int
    }

    func find(_ key: UnsafeRawBufferPointer, hash: UInt64) -> Slot? {
        guard count > 0 else { return nil }
        let tag = Self.tag(hash)
        let mask = tags.count - 1
        var index = Int(tag) & mask
        while tags[index] != 0 {
            if tags[index] == tag, records[index].hasKey(key) { return Slot(index: index) }
            index = (index + 1) & mask
        }
        return nil
    }

    subscript(slot: Slot) -> PairRecord {
        _read { yield records[slot.index] }
        _modify { yield &records[slot.index] }
    }

    /// Adds a pair. Its key must not be there yet.
    mutating func insert(_ record: PairRecord, hash: UInt64) {
        // At most three quarters full: longer probes cost more than the memory.
        if 4 * (count + 1) > 3 * tags.count { grow() }
        place(record, tag: Self.tag(hash))
        count += 1
    }

    /// Removes a pair and closes the gap: the pairs behind it move up if that brings them nearer to their own slot
    /// (Knuth, The Art of Computer Programming 3, 6.4, algorithm R).
    mutating func remove(_ slot: Slot) {
        let mask = tags.count - 1
        var gap = slot.index
        var index = (gap + 1) & mask
        while tags[index] != 0 {
            let home = Int(tags[index]) & mask
            // Moving is allowed unless the pair's own slot lies cyclically within (gap, index].
            if (index - home) & mask >= (index - gap) & mask {
                tags[gap] = tags[index]
                records.swapAt(gap, index)
                gap = index
            }
            index = (index + 1) & mask
        }
        tags[gap] = 0
        records[gap] = .none
        count -= 1
    }

    /// Visits every pair. The order differs from process to process: only for what does not depend on it.
    func forEachInNoOrder(_ body: (PairRecord) throws -> Void) rethrows {
        for index in tags.indices where tags[index] != 0 { try body(records[index]) }
    }

    private mutating func grow() {
        let size = max(8, 2 * tags.count)
        var oldTags = [UInt32](repeating: 0, count: size)
        var oldRecords = [PairRecord](repeating: .none, count: size)
        swap(&tags, &oldTags)
        swap(&records, &oldRecords)
        let mask = size - 1
        // Records are exchanged, which counts no references: a copy would touch each pair's memory.
        oldRecords.withUnsafeMutableBufferPointer { old in
            records.withUnsafeMutableBufferPointer { records in
                for index in oldTags.indices where oldTags[index] != 0 {
                    var place = Int(oldTags[index]) & mask
                    while tags[place] != 0 { place = (place + 1) & mask }
                    tags[place] = oldTags[index]
                    swap(&records[place], &old[index])
                }
            }
        }
    }

    private mutating func place(_ record: PairRecord, tag: UInt32) {
        let mask = tags.count - 1
        var index = Int(tag) & mask
        while tags[index] != 0 { index = (index + 1) & mask }
        tags[index] = tag
        records[index] = record
    }

    private static func tag(_ hash: UInt64) -> UInt32 {
        max(1, UInt32(truncatingIfNeeded: hash))
    }
}
