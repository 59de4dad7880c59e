// Data of other builds: what the format before this one looked like, and what becomes of it.

import RaftCore
import RaftLog
import Testing

@Suite("Formats")
struct FormatTests {
    /// A segment as the build with format 1 wrote it: server n1, three entries in two batches. The rest of the header's page is zero.
    private static let format1 = (
        header:
            "434f4e434c57414c01000000000000000100000000000000efcdab89674523011032547698badcfe01000000000000004d00000000"
            + "00000001000000000000000000000000000000daf26d9e",
        batches: "4346524d10aa9b18010000000000000001000000000000006800000002000000589bc3300000000003000000300000000100"
            + "0000000000000100000000000000010000000000000000000000000000000100000000000000070000012984660753455420"
            + "612031004346524dd046414b0200000000000000030000000000000048000000010000004326465610aa9b18000000001000"
            + "0000010000000000000007000001aeb718fe53455420622032"
    )

    private func bytes(_ hexadecimal: String) throws -> [UInt8] {
        let digits = Array(hexadecimal.utf8)
        return try stride(from: 0, to: digits.count, by: 2).map {
            try #require(UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16))
        }
    }

    @Test("data of format 1 is refused, says what to do, and is left as it is")
    func format1() throws {
        let header = try bytes(Self.format1.header)
        let segment = header + [UInt8](repeating: 0, count: 4096 - header.count) + (try bytes(Self.format1.batches))
        let disk = MemoryDisk()
        let name = disk.segmentName(1)
        disk.install(name, segment, sizeBytes: 8 << 10)
        let expected = LogError.unknownVersion(file: "memory/\(name)", found: 1, supported: 2)
        #expect(throws: expected) { try open(disk) }
        #expect(throws: expected) { try WriteAheadLog.identity(on: disk) }
        #expect("\(expected)".contains("is in log format 1, this build reads format 2: start the build that wrote it"))
        #expect(disk.contents(of: name) == segment)
        #expect(try disk.list() == [name])
    }
}
