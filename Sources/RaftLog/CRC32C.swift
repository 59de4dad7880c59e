// CRC-32C (Castagnoli), the checksum of everything the log writes: by the CPU where it can, by table elsewhere.

import ConclavePlatform

/// The Castagnoli CRC: it finds every single burst of damage up to 32 bits, and misses other damage once in 2³².
package enum CRC32C {
    /// The checksum of `bytes`, or of what `previous` covered followed by `bytes`.
    package static func checksum(_ bytes: UnsafeRawBufferPointer, continuing previous: UInt32 = 0) -> UInt32 {
        guard let start = bytes.baseAddress else { return previous }
        if isAccelerated { return ~conclave_crc32c_update(~previous, start, bytes.count) }
        return tableChecksum(bytes, continuing: previous)
    }

    /// Whether this CPU computes the checksum itself.
    package static let isAccelerated = conclave_crc32c_available() != 0

    /// The same value without help from the CPU: eight bytes a step, through eight tables ("slicing-by-8").
    package static func tableChecksum(_ bytes: UnsafeRawBufferPointer, continuing previous: UInt32 = 0) -> UInt32 {
        tables.withUnsafeBufferPointer { table in
            var state = ~previous
            var offset = 0
            while offset + 8 <= bytes.count {
                let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
                let low = UInt32(truncatingIfNeeded: word) ^ state
                let high = UInt32(truncatingIfNeeded: word >> 32)
                state = table[7 * 256 + Int(low & 0xff)]
                state ^= table[6 * 256 + Int((low >> 8) & 0xff)]
                state ^= table[5 * 256 + Int((low >> 16) & 0xff)]
                state ^= table[4 * 256 + Int(low >> 24)]
                state ^= table[3 * 256 + Int(high & 0xff)]
                state ^= table[2 * 256 + Int((high >> 8) & 0xff)]
                state ^= table[256 + Int((high >> 16) & 0xff)]
                state ^= table[Int(high >> 24)]
                offset += 8
            }
            while offset < bytes.count {
                state = (state >> 8) ^ table[Int((state ^ UInt32(bytes[offset])) & 0xff)]
                offset += 1
            }
            return ~state
        }
    }

    /// Eight tables of 256 words; table k advances a byte through k further zero bytes.
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            var state = UInt32(byte)
            for _ in 0..<8 { state = (state >> 1) ^ (state & 1 == 1 ? 0x82f6_3b78 : 0) }
            tables[byte] = state
        }
        for index in 256..<(8 * 256) {
            let shorter = tables[index - 256]
            tables[index] = (shorter >> 8) ^ tables[Int(shorter & 0xff)]
        }
        return tables
    }()
}
