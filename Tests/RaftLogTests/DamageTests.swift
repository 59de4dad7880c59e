// Bits that flip, sectors that go astray, files of garbage: found or harmless, never believed.

import Foundation
import RaftCore
import RaftLog
import Testing

@Suite("Damage")
struct DamageTests {
    private static let batchesSizeBytes = 780
    private static let options = small(segmentSizeBytes: 4096 + batchesSizeBytes, zeroAheadBytes: 0)

    /// A log of several batches over three segments, and the state after each.
    private func history() throws -> (disk: MemoryDisk, states: [LogState], ends: [(file: String, offset: Int)]) {
        let disk = MemoryDisk()
        var state = LogState()
        var states = [state]
        var ends: [(file: String, offset: Int)] = []
        let (log, _) = try open(disk, options: Self.options)
        var sealed = 0
        var segments = 1
        let batches: [(HardState?, [Entry])] = [
            (vote(1, 1), [entry(1, kind: .noop)]), (nil, entries(2...4)), (vote(2), []),
            (nil, entries(5...7, payloadBytes: 60)), (vote(3, 2), entries(4...6, term: 3)),
            (nil, entries(7...9, term: 3)),
            (nil, [entry(10, term: 3, payloadBytes: 0)]), (vote(4, 3), entries(11...13, term: 4, payloadBytes: 50)),
            (nil, entries(14...15, term: 4)), (nil, entries(16...19, term: 4, payloadBytes: 33)),
        ]
        for (hardState, added) in batches {
            let before = log.sizeBytes
            try log.append(hardState: hardState, entries: added)
            try log.sync()
            if log.segmentCount > segments {
                segments += 1
                sealed = before
            }
            state.append(hardState, added)
            states.append(state)
            ends.append((disk.segmentName(segments), log.sizeBytes - sealed))
        }
        log.close()
        try #require(segments == 3)
        return (disk, states, ends)
    }

    @Test(
        "P34: a flipped bit is harmless, or named and repaired; only in the very last batch it passes for a torn write"
    )
    func everyBit() throws {
        let (disk, states, ends) = try history()
        let last = try #require(ends.last)
        let lastStart = ends[ends.count - 2].offset
        try #require(ends[ends.count - 2].file == last.file)
        let final = states[states.count - 1]
        var quarantined = 0
        for number in 1...3 {
            let name = disk.segmentName(number)
            let size = 4096 + Self.batchesSizeBytes
            try expectUnread(disk, name, final)
            // Both copies of the header and everything behind its page.
            for byte in Array(0..<136) + Array(2040..<2180) + Array(4090..<size) {
                for bit in [byte % 8, (byte + 3) % 8] {
                    let place = "bit \(bit) of byte \(byte) of \(name)"
                    let damaged = disk.copy()
                    damaged.flipBit(of: name, byte: byte, bit: bit)
                    let inLastBatch = name == last.file && (lastStart..<last.offset).contains(byte)
                    do throws(LogError) {
                        let (log, recovered) = try openQuarantined(damaged, options: Self.options)
                        if recovered.damaged.isEmpty {
                            let cut =
                                inLastBatch && recovered.tornTail != nil && recovered.state == states[states.count - 2]
                            #expect(recovered.state == final || cut, "\(place)")
                            log.close()
                            continue
                        }
                        quarantined += 1
                        try repairAll(log, recovered, damaged, final, place)
                    } catch {
                        Issue.record("\(place): \(error)")
                    }
                }
            }
        }
        #expect(quarantined > 500)
    }

    /// The rest of the header's page holds nothing: a bit in each byte, some at a time.
    private func expectUnread(_ disk: MemoryDisk, _ name: String, _ final: LogState) throws {
        for start in stride(from: 132, to: 4096, by: 16) {
            let damaged = disk.copy()
            for byte in start..<min(start + 16, 4096) where byte < 2040 || byte >= 2180 {
                damaged.flipBit(of: name, byte: byte, bit: byte % 8)
            }
            #expect(try recover(damaged, options: Self.options).state == final, "bytes from \(start) of \(name)")
        }
    }

    /// The rest is usable, what is damaged comes back from the truth of a peer, and stays.
    private func repairAll(
        _ log: WriteAheadLog,
        _ recovered: Recovered,
        _ disk: MemoryDisk,
        _ truth: LogState,
        _ place: String
    ) throws(LogError) {
        #expect(recovered.hardState == truth.hardState && recovered.entries.count == truth.entries.count, "\(place)")
        #expect(!recovered.corruptions.isEmpty, "\(place)")
        let lost = Set(recovered.damaged.map(\.index))
        for (found, expected) in zip(recovered.entries, truth.entries) where !lost.contains(found.index) {
            #expect(found == expected, "\(place)")
        }
        // Without quarantine the log is refused, and says what to do.
        log.close()
        do throws(LogError) {
            _ = try recover(disk, options: Self.options)
            Issue.record("\(place): opened in spite of damage")
        } catch {
            guard case .corrupt = error, error.description.contains("keep the directory for repair") else {
                Issue.record("\(place): \(error)")
                return
            }
        }
        let (again, _) = try openQuarantined(disk, options: Self.options)
        let copies = truth.entries.filter { lost.contains($0.index) }
        // A copy of another term is passed over.
        let wrong = copies.map { Entry(term: $0.term.next, index: $0.index, kind: $0.kind, payload: [1] + $0.payload) }
        if recovered.damaged.allSatisfy({ $0.term != nil }) {
            #expect(try again.repair(wrong).isEmpty, "\(place)")
        }
        #expect(try again.repair(copies).count == lost.count && again.damagedEntries.isEmpty, "\(place)")
        again.close()
        disk.crash { _ in false }
        #expect(try recover(disk, options: Self.options).state == truth, "\(place)")
    }

    @Test("damage before the last batch names file, offset, entries and the payloads hit")
    func namesDamage() throws {
        let disk = MemoryDisk()
        let (log, _) = try open(disk, options: small(segmentSizeBytes: 64 << 10))
        try log.append(entries: entries(1...2))
        try log.sync()
        let offset = log.sizeBytes
        try log.append(entries: entries(3...5, term: 6, payloadBytes: 100))
        try log.sync()
        try log.append(entries: [entry(6, term: 6)])
        try log.sync()
        log.close()
        // The middle one of three payloads behind header and table.
        disk.flipBit(of: disk.segmentName(1), byte: offset + 80 + 3 * 16 + 150, bit: 0)
        let error = #expect(throws: LogError.self) { try open(disk) }
        guard case .corrupt(let corruption) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(corruption.kind == .batch && corruption.offset == offset)
        #expect(corruption.entries == LogIndex(3)...LogIndex(5))
        #expect(
            corruption.damaged == [
                DamagedEntry(
                    index: LogIndex(4),
                    term: Term(6),
                    checksum: payloadChecksum(entry(4, term: 6, payloadBytes: 100))
                )
            ]
        )
        #expect(corruption.description.contains("damaged: i4@t6"))
    }

    @Test("P34: entries that a leader sends again repair a quarantined log, and never make it shorter than it was")
    func sentAgain() throws {
        let disk = MemoryDisk()
        let (log, _) = try open(disk, options: small(segmentSizeBytes: 64 << 10))
        var offsets: [Int] = []
        for index in 1...20 {
            offsets.append(log.sizeBytes)
            try log.append(entries: [entry(index, term: index / 8 + 1)])
            try log.sync()
        }
        log.close()
        // A payload, and a whole header.
        disk.flipBit(of: disk.segmentName(1), byte: offsets[9] + 100, bit: 0)
        disk.flipBit(of: disk.segmentName(1), byte: offsets[12] + 20, bit: 0)
        let truth = (1...20).map { entry($0, term: $0 / 8 + 1) }
        for first in stride(from: 10, through: 18, by: 2) {
            let copy = disk.copy()
            let (again, recovered) = try openQuarantined(copy, options: Self.options)
            #expect(recovered.damaged.map(\.index) == [LogIndex(10), LogIndex(13)])
            #expect(recovered.intactEntries == Array(truth[..<9]) && recovered.lost == LogIndex(10)...LogIndex(20))
            // The caller knows nothing of what lies behind the damage.
            var next = 10
            while next <= first {
                try again.append(entries: Array(truth[(next - 1)..<min(next + 1, 20)]))
                try again.sync()
                next += 2
                let crashed = copy.copy()
                crashed.crash { _ in false }
                let now = try openQuarantined(crashed, options: Self.options).recovered
                #expect(now.entries.count == 20 && now.lost?.lowerBound != LogIndex(10))
            }
            if first < 12 { continue }
            #expect(again.damagedEntries.isEmpty && again.lastIndex == LogIndex(20))
            // Another leader's entries do cut it.
            try again.append(entries: [entry(next, term: 9)])
            try again.sync()
            again.close()
            #expect(try recover(copy).entries == Array(truth[..<(next - 1)]) + [entry(next, term: 9)])
        }
    }

    @Test("damage at the end of a segment is corruption when the next segment has been begun, even if that is empty")
    func damageBeforeEmptySegment() throws {
        let disk = MemoryDisk()
        let (log, _) = try open(disk, options: Self.options)
        // The roll-over happens, the batch after it never arrives.
        let second = disk.segmentName(2)
        disk.setFaults { operation, name, _ in
            operation == .write && name == second ? .system(code: 5, message: "I/O error") : nil
        }
        var end = 0
        var index = 0
        var failure: LogError?
        while failure == nil, index < 100 {
            index += 1
            end = log.sizeBytes
            try log.append(entries: [entry(index)])
            do throws(LogError) { try log.sync() } catch { failure = error }
        }
        log.close()
        disk.crash { _ in true }
        #expect(try disk.list() == ["IDENTITY", disk.segmentName(1), second])
        #expect(try recover(disk, options: Self.options).entries == entries(1...(index - 1)))
        disk.flipBit(of: disk.segmentName(1), byte: end - 9, bit: 0)
        #expect(throws: LogError.self) { try recover(disk, options: Self.options) }
    }

    /// Reads at most what a window or a whole file holds, or else the test fails.
    private final class WatchfulDisk: ForwardingDisk, @unchecked Sendable {
        private(set) var largestRead = 0

        override func read(
            _ file: DiskFile,
            at offset: Int,
            into buffer: UnsafeMutableRawBufferPointer
        ) throws(DiskError) -> Int {
            largestRead = max(largestRead, buffer.count)
            return try base.read(file, at: offset, into: buffer)
        }
    }

    static let fuzzSeeds: [UInt64] = {
        let environment = ProcessInfo.processInfo.environment
        if let seed = environment["RAFTLOG_SEED"].flatMap({ UInt64($0) }) { return [seed] }
        return [1, 2, 3, UInt64.random(in: 4...UInt64(UInt32.max))]
    }()

    @Test("garbage in the files gives a typed error or a state the log was in, in bounded memory", arguments: fuzzSeeds)
    func garbage(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let (disk, states, _) = try history()
        for round in 0..<400 {
            let damaged = disk.copy()
            let name = damaged.segmentName(Int.random(in: 1...3, using: &generator))
            damaged.install(name, mutate(try #require(disk.contents(of: name)), &generator))
            let watchful = WatchfulDisk(damaged)
            do throws(LogError) {
                let recovered = try recover(watchful, options: Self.options)
                #expect(
                    states.contains(recovered.state),
                    "round \(round); replay: RAFTLOG_SEED=\(seed) swift test --filter DamageTests"
                )
            } catch {
                #expect(!error.description.isEmpty)
            }
            #expect(watchful.largestRead <= 1 << 20)
        }
    }

    private func mutate(_ original: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
        var bytes = original + [UInt8](repeating: 0, count: 64)
        let batches = 4096
        switch Int.random(in: 0..<7, using: &generator) {
        case 0:  // Nothing but noise.
            return (0..<Int.random(in: 0...9_000, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
        case 1:  // A sound header and noise.
            for index in batches..<bytes.count { bytes[index] = UInt8.random(in: 0...255, using: &generator) }
        case 2:  // A run of noise.
            let start = Int.random(in: 0..<bytes.count, using: &generator)
            for index in start..<min(bytes.count, start + Int.random(in: 1...300, using: &generator)) {
                bytes[index] = UInt8.random(in: 0...255, using: &generator)
            }
        case 3:  // Cut short.
            bytes.removeLast(Int.random(in: 0...bytes.count, using: &generator))
        case 4:  // A misdirected write: one part over another.
            let count = min(Int.random(in: 1...512, using: &generator), bytes.count - batches)
            let from = Int.random(in: batches...bytes.count - count, using: &generator) & ~7
            let to = Int.random(in: batches...bytes.count - count, using: &generator) & ~7
            bytes.replaceSubrange(to..<to + count, with: Array(bytes[from..<from + count]))
        case 5:  // Every length field of a frame claims the most it can.
            let at = batches + Int.random(in: 0..<(bytes.count - batches - 8), using: &generator) & ~7
            for index in at..<at + 8 { bytes[index] = 0xff }
        default:  // Something of a sector lost.
            let start = Int.random(in: batches..<bytes.count, using: &generator) / 512 * 512
            for index in start..<min(start + 512, bytes.count) { bytes[index] = 0 }
        }
        return bytes
    }
}

private func payloadChecksum(_ entry: Entry) -> UInt32 { entry.payload.withUnsafeBytes { CRC32C.checksum($0) } }

extension MemoryDisk {
    func segmentName(_ number: Int) -> String {
        let digits = String(number, radix: 16)
        return "segment-" + String(repeating: "0", count: 16 - digits.count) + digits + ".wal"
    }
}
