/// A hash with fixed constants, the same in every process and on every machine, to compare the contents of servers.
/// FNV-1a over the bytes (Fowler, Noll, Vo), finished with the mixer of MurmurHash3. Not against wilful collisions.
enum ContentHash {
    static func pair(_ key: Bytes, _ value: Bytes) -> UInt64 {
        var state: UInt64 = 0xCBF2_9CE4_8422_2325
        // The length keeps ("a", "bc") and ("ab", "c") apart.
        add(UInt64(key.count), &state)
        for byte in key { add(UInt64(byte), &state) }
        for byte in value { add(UInt64(byte), &state) }
        return mix(state)
    }

    private static func add(_ word: UInt64, _ state: inout UInt64) {
        state = (state ^ word) &* 0x0000_0100_0000_01B3
    }

    private static func mix(_ state: UInt64) -> UInt64 {
        var word = state
        word = (word ^ (word >> 33)) &* 0xFF51_AFD7_ED55_8CCD
        word = (word ^ (word >> 33)) &* 0xC4CE_B9FE_1A85_EC53
        return word ^ (word >> 33)
    }
}
