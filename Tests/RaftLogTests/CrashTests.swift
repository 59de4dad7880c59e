// Power cuts everywhere: nothing synced is lost, nothing is invented, hard state and entries stay together.

import Foundation
import RaftCore
import RaftLog
import Testing

@Suite("Crashes")
struct CrashTests {
    /// What to explore: one script, or many fresh ones, as the environment says, or a few that stay and a fresh one.
    struct History: CustomTestStringConvertible, Sendable {
        var seed: UInt64
        var mood = ScriptMood.mixed

        var testDescription: String { "\(mood.rawValue) \(seed)" }
        var replay: String {
            "replay: RAFTLOG_SEED=\(seed) RAFTLOG_MOOD=\(mood.rawValue) swift test --filter CrashTests"
        }

        func explore(oneCutOf distance: Int = 1) -> (violations: [String], census: CrashCensus) {
            var generator = SeededGenerator(seed: seed)
            var exploration = CrashExploration(script: makeScript(seed: seed, mood: mood), mood: mood)
            exploration.cutDistance = distance
            return (exploration.run(generator: &generator), exploration.census)
        }
    }

    /// Those that stay found something once.
    static let kept: [History] = [
        // These two drop a segment whose end was replaced after entries had been appended to the next one.
        History(seed: 4_003_176_801), History(seed: 1_010_924_480),
        // A crash right behind the header of a new segment; what comes there after the restart is another batch than the one it was
        // begun for.
        History(seed: 3_143_700_556, mood: .replacing),
        // In a recycled segment, the rest of a torn batch that was cut looks like the beginning of another one.
        History(seed: 2_473_412_982),
    ]

    static let histories: [History] = {
        let environment = ProcessInfo.processInfo.environment
        let mood = environment["RAFTLOG_MOOD"].flatMap(ScriptMood.init(rawValue:))
        if let seed = environment["RAFTLOG_SEED"].flatMap({ UInt64($0) }) {
            return [History(seed: seed, mood: mood ?? .mixed)]
        }
        func fresh(_ number: Int) -> History {
            let moods = ScriptMood.allCases
            return History(seed: .random(in: 3...UInt64(UInt32.max)), mood: mood ?? moods[number % moods.count])
        }
        if let count = environment["RAFTLOG_SEEDS"].flatMap({ Int($0) }) { return (0..<count).map(fresh) }
        return kept + [fresh(.random(in: 0..<100))]
    }()

    @Test(
        "P8, P9, P29, P35: whatever a power cut leaves, recovery yields what was acknowledged, or that and the whole next step",
        arguments: histories
    )
    func everyCut(history: History) {
        let (violations, census) = history.explore()
        #expect(violations.isEmpty, "\(history.replay)\n\(violations.prefix(3).joined(separator: "\n"))")
        print("\(history.testDescription): \(census)")
    }

    @Test("the explorations meet every kind of crash that recovery has to get right")
    func everyKind() {
        var census = CrashCensus()
        for mood in ScriptMood.allCases {
            let history = History(seed: 2, mood: mood)
            let (violations, met) = history.explore(oneCutOf: 6)
            #expect(violations.isEmpty, "\(history.replay)\n\(violations.prefix(3).joined(separator: "\n"))")
            census.add(met)
        }
        print(census)
        for kind in CrashCensus.Kind.allCases { #expect(census.counts[kind] ?? 0 > 2, "\(kind): \(census)") }
    }

    @Test(
        "a segment that was begun for a batch that never arrived takes another one, and can be the first that is left"
    )
    func batchNeverArrived() throws {
        for isReplacing in [false, true] {
            let disk = MemoryDisk()
            let options = small(zeroAheadBytes: 0)
            let (log, _) = try open(disk, options: options)
            try log.append(hardState: vote(1, 1), entries: entries(1...10, payloadBytes: 300))
            try log.sync()
            // The header of the next segment is written, and nothing more.
            let second = disk.segmentName(2)
            disk.setFaults { operation, name, _ in
                operation == .write && name == second ? .system(code: 5, message: "I/O error") : nil
            }
            try log.append(
                hardState: vote(2, 2),
                entries: entries(isReplacing ? 6...9 : 11...14, term: 2, payloadBytes: 300)
            )
            #expect(throws: LogError.self) { try log.sync() }
            log.close()
            disk.setFaults(nil)
            disk.crash { _ in true }
            #expect(try disk.list().contains(second))

            let (again, recovered) = try open(disk, options: options)
            #expect(recovered.hardState == vote(1, 1) && recovered.state.lastIndex == LogIndex(10))
            try again.append(entries: entries(11...12))
            try again.sync()
            try again.adopt(writeSnapshot(LogPosition(index: LogIndex(11), term: Term(1)), disk), replacingLog: false)
            try again.dropOldSegments(keeping: .none)
            #expect(again.segmentCount == 1)
            again.close()
            let last = try recover(disk, options: options)
            #expect(last.hardState == vote(1, 1) && last.entries == entries(11...12))
        }
    }

    private final class SyncSkippingDisk: ForwardingDisk, @unchecked Sendable {
        override func sync(_ file: DiskFile) throws(DiskError) {}
    }

    private final class DirectorySyncSkippingDisk: ForwardingDisk, @unchecked Sendable {
        override func syncDirectory() throws(DiskError) {}
    }

    private final class CutSkippingDisk: ForwardingDisk, @unchecked Sendable {
        // The cut of a torn tail is the only write of nothing but zeros when no zeros are written ahead.
        override func write(_ file: DiskFile, at offset: Int, _ bytes: UnsafeRawBufferPointer) throws(DiskError) {
            if bytes.contains(where: { $0 != 0 }) { try base.write(file, at: offset, bytes) }
        }
    }

    @Test("the exploration notices a log that does not sync, does not sync names, or does not clear what it cut")
    func plantedBugs() {
        let wraps: [(MemoryDisk) -> any Disk] = [
            { SyncSkippingDisk($0) }, { DirectorySyncSkippingDisk($0) }, { CutSkippingDisk($0) },
        ]
        for wrap in wraps {
            var generator = SeededGenerator(seed: 1)
            let options = small(segmentSizeBytes: 7 << 10, zeroAheadBytes: 0)
            var exploration = CrashExploration(script: makeScript(seed: 1, steps: 20), options: options, wrap: wrap)
            #expect(!exploration.run(generator: &generator).isEmpty)
        }
    }

    @Test("a torn last batch is cut, said, and its remains never come back behind shorter batches")
    func tornTailStaysGone() throws {
        let disk = MemoryDisk()
        let (log, _) = try open(disk, options: small(zeroAheadBytes: 0))
        try log.append(hardState: vote(1, 1), entries: entries(1...2))
        try log.sync()
        disk.cutPower(atOperation: disk.operationCount + 1)
        try log.append(entries: entries(3...12, payloadBytes: 200))
        #expect(throws: LogError.self) { try log.sync() }
        // All but the second sector of the batch arrives.
        disk.crash { $0 != 1 }
        let (again, recovered) = try open(disk, options: small(zeroAheadBytes: 0))
        let torn = try #require(recovered.tornTail)
        #expect(recovered.entries == entries(1...2))
        #expect(torn.file == "segment-0000000000000001.wal")
        #expect(torn.entries == LogIndex(3)...LogIndex(12))
        #expect("\(torn)".contains("entries i3 to i12"))
        for index in 3...8 {
            try again.append(entries: [entry(index, term: 2, payloadBytes: 8)])
            try again.sync()
            let crashed = disk.copy()
            crashed.crash { _ in false }
            let now = try recover(crashed)
            #expect(now.entries == entries(1...2) + entries(3...index, term: 2, payloadBytes: 8))
            #expect(now.tornTail == nil)
        }
    }

    /// A log of one entry, and torn behind it a batch whose value holds the batches of another log, where frames are
    /// looked for.
    private func tornLookAlike(ofIncarnation incarnation: UInt64) throws -> MemoryDisk {
        let options = small(segmentSizeBytes: 64 << 10, zeroAheadBytes: 0)
        let foreign = MemoryDisk()
        var other = identity
        other.incarnation = incarnation
        let (source, _) = try open(foreign, other, options: options)
        for index in 1...6 {
            try source.append(entries: [entry(index)])
            try source.sync()
        }
        let batches = try #require(foreign.contents(of: "segment-0000000000000001.wal"))[4096...]

        let disk = MemoryDisk()
        let (log, _) = try open(disk, options: options)
        try log.append(entries: [entry(1)])
        try log.sync()
        disk.cutPower(atOperation: disk.operationCount + 1)
        let value = [UInt8](repeating: 1, count: 512) + batches
        try log.append(entries: [Entry(term: Term(1), index: LogIndex(2), kind: .command, payload: value)])
        #expect(throws: LogError.self) { try log.sync() }
        disk.crash { $0 > 0 }
        return disk
    }

    @Test("a value that looks like a later batch does not turn a torn batch into corruption")
    func lookAlikeValue() throws {
        let recovered = try recover(tornLookAlike(ofIncarnation: 78))
        #expect(recovered.entries == [entry(1)])
        #expect(recovered.tornTail != nil)
        // The checksums' seed does it: batches of this very log would be proof of corruption.
        #expect(throws: LogError.self) { try recover(tornLookAlike(ofIncarnation: 77)) }
    }
}
