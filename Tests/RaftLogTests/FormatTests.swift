// Data of other builds: what this format and the one before it look like, byte by byte, and what becomes of them.

import Foundation
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
        #expect("\(expected)".contains("is in format 1, this build reads format 2: start the build that wrote it"))
        #expect(disk.contents(of: name) == segment)
        #expect(try disk.list() == [name])
    }

    @Test(
        "data of a format to come is refused, says what to do, and is left as it is",
        arguments: FormatSample.allCases
    )
    func formatToCome(sample: FormatSample) throws {
        let disk = MemoryDisk()
        try FormatFixture.read(sample).install(on: disk)
        let names = try disk.list()
        for (suffix, supported) in [(".wal", 2), (".snap", 1)] {
            let future = disk.copy()
            var refused = ""
            for name in names where name.hasPrefix("s") && name.hasSuffix(suffix) {
                var bytes = try #require(future.contents(of: name))
                // In the second copy of a segment's header, too. Whatever else the format to come has elsewhere, its version is there;
                // and a snapshot's header has its checksum there.
                for offset in suffix == ".wal" ? [8, 2056] : [8] { bytes[offset] = 7 }
                if suffix == ".snap" {
                    let checksum = bytes[..<60].withUnsafeBytes { CRC32C.checksum($0) }
                    for byte in 0..<4 { bytes[60 + byte] = UInt8(truncatingIfNeeded: checksum >> (8 * UInt32(byte))) }
                }
                let size = try sizeBytes(of: name, on: future)
                future.install(name, bytes, sizeBytes: size)
                if refused.isEmpty { refused = name }
            }
            let before = names.map { future.contents(of: $0) }
            let expected = LogError.unknownVersion(file: "memory/\(refused)", found: 7, supported: UInt32(supported))
            #expect(throws: expected) { try open(future) }
            #expect(
                "\(expected)".contains("is in format 7, this build reads format \(supported): start the build that")
            )
            #expect(try future.list() == names && names.map { future.contents(of: $0) } == before)
        }
    }

    private func sizeBytes(of name: String, on disk: MemoryDisk) throws -> Int {
        let file = try disk.open(name)
        defer { disk.close(file) }
        return try disk.size(of: file)
    }

    @Test("what the present format wrote is read", arguments: FormatSample.allCases)
    func present(sample: FormatSample) throws {
        let disk = MemoryDisk()
        try FormatFixture.read(sample).install(on: disk)
        #expect(try WriteAheadLog.identity(on: disk) == identity)
        let (log, recovered) = try open(disk, identity, .refuse, options: FormatSample.options)
        #expect(recovered.identity == identity && recovered.state == sample.state)
        #expect(recovered.damaged.isEmpty && recovered.tornTail == nil)
        // What was repaired is still there, damaged, in front of its repair.
        #expect(recovered.corruptions.isEmpty == (sample != .repaired))
        let reader = try SnapshotFiles(disk: disk, cluster: cluster).read(try #require(recovered.snapshot))
        var state: [UInt8] = []
        try reader.readState { state += $0 }
        #expect(String(decoding: state, as: UTF8.self) == "a = 1, b = 2")
        #expect(Configuration(decoding: try reader.configuration()) == FormatSample.configuration)
        #expect(try reader.sessions() == [9, 9, 9])
        // And it can be gone on with.
        let next = entry(Int(recovered.state.lastIndex.rawValue) + 1, term: 9)
        try log.append(hardState: vote(9, 2), entries: [next])
        try log.sync()
        log.close()
        disk.crash { _ in false }
        #expect(try recover(disk, options: FormatSample.options).entries.last == next)
    }

    /// Whoever changes the format raises its version and says what becomes of data in the one before: moves the present files in
    /// `Formats` to the tests of that, and has this test write new ones by `FORMAT_REWRITE=1 swift test --filter FormatTests`.
    @Test("what is written is, to the byte, what the format's files say", arguments: FormatSample.written)
    func unchanged(sample: FormatSample) throws {
        let disk = MemoryDisk()
        try sample.write(to: disk)
        let written = try FormatFixture(of: disk)
        if ProcessInfo.processInfo.environment["FORMAT_REWRITE"] != nil { return try written.save(sample) }
        let expected = try FormatFixture.read(sample)
        let (old, new) = (expected.text.split(separator: "\n"), written.text.split(separator: "\n"))
        let difference = zip(old, new).first { $0 != $1 }.map { "\"\($0)\" has become \"\($1)\"" } ?? "other lengths"
        #expect(
            expected.text == written.text,
            "the format has changed and its version has not, or the log writes other batches: \(difference)"
        )
    }

    @Test("one byte elsewhere, and the comparison fails")
    func comparisonCanFail() throws {
        let disk = MemoryDisk()
        try FormatSample.led.write(to: disk)
        let name = try #require(try disk.list().first { $0.hasPrefix("segment") })
        disk.flipBit(of: name, byte: 4200, bit: 0)
        #expect(try FormatFixture(of: disk).text != FormatFixture.read(.led).text)
    }
}
