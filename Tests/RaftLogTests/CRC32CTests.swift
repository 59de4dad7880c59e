// The checksum against published values, and the CPU's way against the table's.

import RaftLog
import Testing

@Suite("CRC-32C")
struct CRC32CTests {
    /// RFC 3720, appendix B.4, and the check value of the CRC catalogues.
    static let vectors: [(bytes: [UInt8], checksum: UInt32)] = [
        ([], 0),
        (Array("123456789".utf8), 0xe306_9283),
        ([UInt8](repeating: 0, count: 32), 0x8a91_36aa),
        ([UInt8](repeating: 0xff, count: 32), 0x62a8_ab43),
        (Array(0..<32), 0x46dd_794e),
        (Array((0..<32).reversed()), 0x113f_db5c),
    ]

    @Test("both ways give the published checksums", arguments: vectors.indices)
    func published(_ index: Int) {
        let vector = Self.vectors[index]
        vector.bytes.withUnsafeBytes {
            #expect(CRC32C.checksum($0) == vector.checksum)
            #expect(CRC32C.tableChecksum($0) == vector.checksum)
        }
    }

    @Test("both ways agree at every length and alignment, in one piece and in two")
    func agree() {
        var generator = SeededGenerator(seed: 3)
        let bytes = (0..<200).map { _ in UInt8.random(in: 0...255, using: &generator) }
        bytes.withUnsafeBytes { all in
            for start in 0..<9 {
                for end in start...all.count {
                    let piece = UnsafeRawBufferPointer(rebasing: all[start..<end])
                    let whole = CRC32C.tableChecksum(piece)
                    #expect(CRC32C.checksum(piece) == whole)
                    let middle = (start + end) / 2
                    let first = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: all[start..<middle]))
                    let rest = UnsafeRawBufferPointer(rebasing: all[middle..<end])
                    #expect(CRC32C.checksum(rest, continuing: first) == whole)
                    #expect(CRC32C.tableChecksum(rest, continuing: first) == whole)
                }
            }
        }
    }
}
