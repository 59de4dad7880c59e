// Power cuts everywhere: nothing synced is lost, nothing is invented, hard state and entries stay together.

import Foundation
import RaftCore
import RaftLog
import Testing

@Suite("Crashes")
struct CrashTests {
    /// Seeds to explore: from RAFTLOG_SEED (replays one), or RAFTLOG_SEEDS many, or a few fixed and one fresh.
    static let seeds: [UInt64] = {
        let environment = ProcessInfo.processInfo.environment
        if let seed = environment["RAFTLOG_SEED"].flatMap({ UInt64($0) }) { return [seed] }
        let count = environment["RAFTLOG_SEEDS"].flatMap { Int($0) } ?? 1
        // The last two drop a segment whose end was replaced after entries had been appended to the next one.
        return [1, 2, 4_003_176_801, 1_010_924_480] + (0..<count).map { _ in UInt64.random(in: 3...UInt64(UInt32.max)) }
    }()

    @Test(
        "P8, P9, P29, P35: whatever a power cut leaves, recovery yields what was acknowledged, or that and the whole next step",
        arguments: seeds
    )
    func everyCut(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let exploration = CrashExploration(script: makeScript(seed: seed))
        let violations = exploration.run(generator: &generator)
        #expect(
            violations.isEmpty,
            "replay: RAFTLOG_SEED=\(seed) swift test --filter CrashTests\n\(violations.prefix(3).joined(separator: "\n"))"
        )
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
            let exploration = CrashExploration(script: makeScript(seed: 1, steps: 20), options: options, wrap: wrap)
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
