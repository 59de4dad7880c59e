// Small logs that use all the format has, and how they look on the disk.

import Foundation
import RaftCore
import RaftLog

/// A log written for the sake of its bytes.
enum FormatSample: String, CaseIterable, Sendable {
    /// Votes, all kinds of entries, a replaced end, a second and a third segment, a snapshot, dropped segments, one of which is used again.
    case led
    /// A snapshot in the place of the log, and a damaged entry that was written again.
    case repaired
    /// The first one as earlier builds wrote it: a segment's header says what its first batch is about to bring.
    case eager

    /// What today's build writes.
    static let written: [FormatSample] = [.led, .repaired]

    static let options = small(segmentSizeBytes: 4096 + 800, zeroAheadBytes: 0)

    static let configuration = Configuration(
        voters: [NodeID(1), NodeID(2), NodeID(3)],
        outgoing: [NodeID(1), NodeID(4)],
        learners: [NodeID(5)],
        learnersNext: [NodeID(4)],
        records: [
            MemberRecord(NodeID(1), peerAddress: "127.0.0.1:7001", clientAddress: "127.0.0.1:6001", incarnation: 77),
            MemberRecord(NodeID(5), peerAddress: "localhost:7005", isToBePromoted: true),
        ]
    )

    private static func configurationEntry(_ index: UInt64) -> Entry {
        Entry(term: Term(1), index: LogIndex(index), kind: .configuration, payload: configuration.encoded())
    }

    /// What a reader finds.
    var state: LogState {
        var state = LogState()
        switch self {
        case .led, .eager:
            state.hardState = vote(4)
            state.start = LogPosition(index: LogIndex(6), term: Term(2))
            state.entries = entries(7...13, term: 2, payloadBytes: 60) + entries(14...20, term: 4, payloadBytes: 70)
            state.snapshot = LogPosition(index: LogIndex(13), term: Term(2))
        case .repaired:
            state.hardState = vote(3, 2)
            state.start = LogPosition(index: LogIndex(40), term: Term(3))
            state.entries = entries(41...43, term: 3)
            state.snapshot = state.start
        }
        return state
    }

    func write(to disk: MemoryDisk) throws {
        var (log, _) = try open(disk, options: Self.options)
        func put(_ hardState: HardState? = nil, _ added: [Entry] = []) throws {
            try log.append(hardState: hardState, entries: added)
            try log.sync()
        }
        func takeSnapshot(_ index: UInt64, _ term: UInt64, replacingLog: Bool) throws {
            let position = LogPosition(index: LogIndex(index), term: Term(term))
            let writer = try log.snapshotFiles.write(at: position)
            try writer.write(Array("a = 1, b = 2".utf8))
            let sealed = try writer.finish(configuration: Self.configuration.encoded(), sessions: [9, 9, 9])
            try log.adopt(sealed, replacingLog: replacingLog)
        }
        switch self {
        case .led, .eager:
            try put(vote(1, 1), [entry(1, payloadBytes: 0, kind: .noop), Self.configurationEntry(2)])
            try put(nil, entries(3...9))
            try put(vote(2, 3), entries(5...6, term: 2))
            try put(nil, entries(7...13, term: 2, payloadBytes: 60))
            try put(vote(3))
            try takeSnapshot(13, 2, replacingLog: false)
            try log.dropOldSegments(keeping: .none)
            try put(vote(4), entries(14...20, term: 4, payloadBytes: 70))
        case .repaired:
            try put(vote(3, 2), entries(1...3, term: 2))
            try takeSnapshot(40, 3, replacingLog: true)
            let place = log.sizeBytes
            try put(nil, [entry(41, term: 3)])
            try put(nil, entries(42...43, term: 3))
            log.close()
            disk.flipBit(of: disk.segmentName(1), byte: place + 80 + 16 + 5, bit: 3)
            log = try openQuarantined(disk, options: Self.options).log
            _ = try log.repair([entry(41, term: 3)])
        }
        log.close()
    }
}

/// A directory's files as text: `file`, name and size, then an offset and up to 32 bytes a line; zeros are left out.
struct FormatFixture {
    private static let bytesPerLine = 32
    var text: String

    init(of disk: MemoryDisk) throws {
        var lines: [String] = []
        for name in try disk.list() {
            let file = try disk.open(name)
            defer { disk.close(file) }
            lines.append("file \(name) \(try disk.size(of: file))")
            let bytes = disk.contents(of: name) ?? []
            for start in stride(from: 0, to: bytes.count, by: Self.bytesPerLine) {
                let line = bytes[start..<min(start + Self.bytesPerLine, bytes.count)]
                guard line.contains(where: { $0 != 0 }) else { continue }
                lines.append("\(start) " + line.map { String(format: "%02x", $0) }.joined())
            }
        }
        text = lines.joined(separator: "\n") + "\n"
    }

    private init(text: String) { self.text = text }

    static func read(_ sample: FormatSample) throws -> FormatFixture {
        FormatFixture(text: try String(contentsOf: url(sample), encoding: .utf8))
    }

    func save(_ sample: FormatSample) throws {
        try text.write(to: Self.url(sample), atomically: true, encoding: .utf8)
    }

    private static func url(_ sample: FormatSample) -> URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Formats/2-\(sample.rawValue).txt")
    }

    func install(on disk: MemoryDisk) throws {
        struct Malformed: Error { let line: Substring }
        var file: (name: String, sizeBytes: Int, bytes: [UInt8])?
        func finish() { if let file { disk.install(file.name, file.bytes, sizeBytes: file.sizeBytes) } }
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 3, words[0] == "file", let size = Int(words[2]) {
                finish()
                file = (String(words[1]), size, [])
                continue
            }
            guard words.count == 2, let offset = Int(words[0]), file != nil else { throw Malformed(line: line) }
            let digits = Array(words[1].utf8)
            let bytes = stride(from: 0, to: digits.count, by: 2).compactMap {
                UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16)
            }
            let gap = [UInt8](repeating: 0, count: offset - (file?.bytes.count ?? 0))
            file?.bytes += gap + bytes
        }
        finish()
    }
}
