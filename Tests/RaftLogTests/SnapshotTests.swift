// Snapshots and the log together: in which order, what stays, what a restart makes of it.

import RaftCore
import RaftLog
import Synchronization
import Testing

@Suite("Snapshots")
struct SnapshotTests {
    private func position(_ index: Int, _ term: Int = 1) -> LogPosition {
        LogPosition(index: LogIndex(UInt64(index)), term: Term(UInt64(term)))
    }

    private func fill(_ log: WriteAheadLog, _ indexes: ClosedRange<Int>, term: Int = 1) throws {
        for index in indexes {
            try log.append(hardState: vote(term, 1), entries: [entry(index, term: term, payloadBytes: 200)])
            try log.sync()
        }
    }

    /// The operations of a disk, by name.
    private final class Recorder: Sendable {
        let operations = Mutex<[DiskError.Operation]>([])
    }

    @Test(
        "P29: a crash at each step of a snapshot leaves the old one or the new one, with a log that goes with it",
        arguments: [false, true]
    )
    func everyStep(replacingLog: Bool) throws {
        func prepare() throws -> (MemoryDisk, WriteAheadLog, LogState) {
            let disk = MemoryDisk()
            let (log, _) = try open(disk)
            try fill(log, 1...100)
            try log.adopt(try writeSnapshot(position(40), disk), replacingLog: false)
            var state = LogState(hardState: vote(1, 1), entries: entries(1...100, payloadBytes: 200))
            state.snapshot = position(40)
            return (disk, log, state)
        }
        let next = replacingLog ? position(130, 2) : position(90)
        func takeSnapshot(_ disk: MemoryDisk, _ log: WriteAheadLog) throws {
            try log.adopt(try writeSnapshot(next, disk), replacingLog: replacingLog)
            try log.dropOldSegments(keeping: .none)
        }

        let (whole, wholeLog, before) = try prepare()
        let recorder = Recorder()
        whole.setFaults { operation, _, _ in
            recorder.operations.withLock { $0.append(operation) }
            return nil
        }
        let first = whole.operationCount
        try takeSnapshot(whole, wholeLog)
        let steps = recorder.operations.withLock { $0 }
        // Temporary name, content, sync, directory; record, sync; new name, directory, the old one goes; the log is cut.
        let expected: [DiskError.Operation] = [
            .create, .write, .sync, .syncDirectory, .write, .sync, .rename, .syncDirectory, .remove, .rename,
            .syncDirectory,
        ]
        var rest = steps[...]
        for step in expected {
            let place = try #require(rest.firstIndex(of: step), "\(step) in \(steps)")
            rest = rest[(place + 1)...]
        }
        var after = before
        after.adopt(next, replacingLog: replacingLog)

        for cut in 0...steps.count {
            for share in 0...4 {
                let (disk, log, _) = try prepare()
                disk.cutPower(atOperation: first + cut)
                do { try takeSnapshot(disk, log) } catch { #expect(error is LogError) }
                disk.crash { unit in share == 4 || (share > 0 && (unit + share) % 3 == 0) }
                let recovered = try recover(disk)
                let isOld = before.isKept(by: recovered.state)
                #expect(isOld || after.isKept(by: recovered.state), "cut \(cut), share \(share)")
                #expect(snapshotFault(recovered, disk) == nil)
                if cut == steps.count { #expect(!isOld) }
                let names = try disk.list()
                #expect(!names.contains { $0.hasSuffix(".tmp") } && names.count { $0.hasSuffix(".snap") } == 1)
            }
        }
    }

    @Test(
        "P29, P30: a crash at each step of replacing a damaged snapshot leaves the damaged one or the sound one, and the log"
    )
    func damagedOneReplaced() throws {
        func prepare() throws -> (MemoryDisk, WriteAheadLog) {
            let disk = MemoryDisk()
            let (log, _) = try open(disk)
            try fill(log, 1...100)
            let sealed = try writeSnapshot(position(90), disk)
            try log.adopt(sealed, replacingLog: false)
            try log.dropOldSegments(keeping: .none)
            try fill(log, 101...110)
            disk.flipBit(of: sealed.info.fileName, byte: 90, bit: 1)
            return (disk, log)
        }
        func replace(_ disk: MemoryDisk, _ log: WriteAheadLog) throws {
            try log.adopt(try writeSnapshot(position(90), disk), replacingLog: false)
            try log.dropOldSegments(keeping: .none)
        }
        let (whole, wholeLog) = try prepare()
        #expect(snapshotFault(try recover(whole.copy()), whole) != nil)
        let first = whole.operationCount
        try replace(whole, wholeLog)
        let count = whole.operationCount - first
        #expect(count > 5)
        var kept = 0
        for cut in 0...count {
            for share in 0...4 {
                let (disk, log) = try prepare()
                disk.cutPower(atOperation: first + cut)
                do { try replace(disk, log) } catch { #expect(error is LogError) }
                disk.crash { unit in share == 4 || (share > 0 && (unit + share) % 3 == 0) }
                let recovered = try recover(disk)
                #expect(recovered.snapshot?.position == position(90) && recovered.state.lastIndex == LogIndex(110))
                let isDamaged = snapshotFault(recovered, disk) != nil
                if isDamaged { kept += 1 }
                if cut == count { #expect(!isDamaged) }
                let names = try disk.list()
                #expect(!names.contains { $0.hasSuffix(".tmp") } && names.count { $0.hasSuffix(".snap") } == 1)
            }
        }
        #expect(kept > 0)
    }

    @Test("P30: a log that begins behind the snapshot is refused with both numbers, and changes nothing")
    func gap() throws {
        let disk = MemoryDisk()
        let (log, _) = try open(disk)
        try fill(log, 1...100)
        try log.adopt(try writeSnapshot(position(90), disk), replacingLog: false)
        try log.dropOldSegments(keeping: .none)
        log.close()
        #expect(try recover(disk).start > .start)
        let name = try #require(try disk.list().first { $0.hasSuffix(".snap") })
        try disk.remove(name)
        let error = #expect(throws: LogError.self) { try recover(disk) }
        guard case .gap(_, let first, .zero) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(first > LogIndex(1))
        // An older snapshot than the log needs.
        let older = try writeSnapshot(position(3), disk).info
        try disk.rename(older.fileName + ".tmp", to: older.fileName)
        #expect(throws: LogError.gap(location: "memory", first: first, snapshot: LogIndex(3))) { try recover(disk) }
    }

    @Test("a damaged snapshot that the log needs is named; one that it can do without is passed over")
    func damagedSnapshot() throws {
        for drops in [false, true] {
            let disk = MemoryDisk()
            let (log, _) = try open(disk)
            try fill(log, 1...100)
            let info = try writeSnapshot(position(90), disk)
            try log.adopt(info, replacingLog: false)
            if drops { try log.dropOldSegments(keeping: .none) }
            log.close()
            disk.flipBit(of: info.info.fileName, byte: 40, bit: 1)
            if drops {
                let file = "memory/\(info.info.fileName)"
                #expect(throws: LogError.snapshotDamaged(file: file, offset: 0)) { try recover(disk) }
            } else {
                let recovered = try recover(disk)
                #expect(recovered.snapshot == nil && recovered.entries.count == 100)
            }
        }
    }

    @Test(
        "whole segments in front of the snapshot are dropped, the tail asked for stays, and the log says where it begins"
    )
    func drops() throws {
        var starts: [LogIndex] = []
        for tailEntries in [0, 30, 1_000] {
            let disk = MemoryDisk()
            let (log, _) = try open(disk)
            try fill(log, 1...200)
            let segments = log.segmentCount
            try log.adopt(try writeSnapshot(position(150), disk), replacingLog: false)
            try log.dropOldSegments(keeping: LogTail(entries: tailEntries))
            #expect((log.segmentCount < segments) == (tailEntries < 1_000))
            #expect(log.start.index <= LogIndex(150) - min(tailEntries, 150))
            starts.append(log.start.index)
            let start = log.start
            try fill(log, 201...210)
            log.close()
            let recovered = try recover(disk)
            #expect(recovered.start == start && recovered.snapshot?.position == position(150))
            #expect(recovered.entries == entries(Int(start.index.rawValue) + 1...210, payloadBytes: 200))
        }
        #expect(starts[0] > starts[1] && starts[1] > starts[2] && starts[2] == .zero)
    }

    @Test("a tail is bounded in bytes as well")
    func tailBytes() throws {
        let disk = MemoryDisk()
        let (log, _) = try open(disk)
        try fill(log, 1...200)
        try log.adopt(try writeSnapshot(position(200), disk), replacingLog: false)
        try log.dropOldSegments(keeping: LogTail(entries: 1_000, bytes: 20_000))
        #expect(log.sizeBytes <= 20_000 + 8_192 && log.start.index > .zero)
    }

    @Test("dropped segments are used again, and what is left in them from before is never taken for the log")
    func recycled() throws {
        let disk = MemoryDisk()
        let (log, _) = try open(disk)
        var next = 1
        for round in 1...12 {
            try fill(log, next...next + 39, term: round)
            next += 40
            try log.adopt(try writeSnapshot(position(next - 5, round), disk), replacingLog: false)
            try log.dropOldSegments(keeping: .none)
            let crashed = disk.copy()
            crashed.crash { _ in false }
            let recovered = try recover(crashed)
            #expect(
                recovered.tornTail == nil && recovered.damaged.isEmpty && recovered.entries.last?.index == log.lastIndex
            )
            #expect(snapshotFault(recovered, crashed) == nil)
        }
        let names = try disk.list()
        #expect(names.count { $0.hasPrefix("spare-") } <= 2)
        #expect(names.count { $0.hasPrefix("segment-") } == log.segmentCount && log.segmentCount <= 3)
    }

    @Test("a batch torn in a recycled segment is cut and said, as in a fresh one")
    func tornInRecycled() throws {
        let disk = MemoryDisk()
        let (log, _) = try open(disk)
        try fill(log, 1...80)
        try log.adopt(try writeSnapshot(position(80), disk), replacingLog: false)
        try log.dropOldSegments(keeping: .none)
        var last = 80
        let segments = log.segmentCount
        while log.segmentCount == segments {
            last += 1
            try fill(log, last...last)
        }
        try #require(try !disk.list().contains { $0.hasPrefix("fresh-") })
        for kept in 0...3 {
            let cut = disk.copy()
            let (again, _) = try open(cut)
            cut.cutPower(atOperation: cut.operationCount + 1)
            try again.append(entries: entries(last + 1...last + 4, payloadBytes: 400))
            #expect(throws: LogError.self) { try again.sync() }
            cut.crash { $0 < kept }
            let recovered = try recover(cut)
            #expect(recovered.entries.last?.index == log.lastIndex)
            let torn = recovered.tornTail?.entries
            #expect(torn == (kept > 0 ? log.lastIndex.next...(log.lastIndex + 4) : nil))
        }
    }

    @Test("damage to entries that a snapshot stands for needs no repair")
    func damageCovered() throws {
        let disk = MemoryDisk()
        let (log, _) = try open(disk)
        try fill(log, 1...30)
        try log.adopt(try writeSnapshot(position(20), disk), replacingLog: false)
        log.close()
        disk.flipBit(of: disk.segmentName(1), byte: 4096 + 200, bit: 3)
        let recovered = try recover(disk)
        #expect(recovered.start == position(20) && recovered.entries == entries(21...30, payloadBytes: 200))
        #expect(!recovered.corruptions.isEmpty && recovered.damaged.isEmpty)
        // The next opening finds the same.
        #expect(try recover(disk).entries == recovered.entries)
    }

    @Test("a replaced log begins behind its snapshot, and goes on from there")
    func replaced() throws {
        let disk = MemoryDisk()
        let (log, _) = try open(disk)
        try fill(log, 1...10)
        try log.adopt(try writeSnapshot(position(500, 4), disk), replacingLog: true)
        #expect(log.start == position(500, 4) && log.lastIndex == LogIndex(500))
        try log.append(hardState: vote(5), entries: entries(501...503, term: 5))
        try log.sync()
        log.close()
        let recovered = try recover(disk)
        #expect(recovered.start == position(500, 4) && recovered.entries == entries(501...503, term: 5))
        #expect(recovered.hardState == vote(5))
    }

    @Test("a snapshot is due after so many bytes or so many entries")
    func policy() throws {
        var policy = SnapshotPolicy()
        policy.entries = 50
        policy.logBytes = 1 << 20
        let disk = MemoryDisk()
        let (log, _) = try open(disk)
        try fill(log, 1...60)
        #expect(!log.needsSnapshot(policy, appliedUpTo: LogIndex(49)))
        #expect(log.needsSnapshot(policy, appliedUpTo: LogIndex(50)))
        policy.logBytes = 10_000
        #expect(log.needsSnapshot(policy, appliedUpTo: LogIndex(1)))
        try log.adopt(try writeSnapshot(position(60), disk), replacingLog: false)
        #expect(!log.needsSnapshot(policy, appliedUpTo: LogIndex(60)))
    }

    @Test(
        "without space for a spare segment the log says so while there is still room, until an old segment comes free"
    )
    func lowOnSpace() throws {
        let disk = MemoryDisk()
        let (log, _) = try open(disk)
        try fill(log, 1...60)
        disk.setFaults { operation, _, _ in operation == .reserve ? .noSpace : nil }
        #expect(log.wantsSpare)
        try log.setSpareAside()
        #expect(log.isLowOnSpace)
        #expect(try !disk.list().contains { $0.hasPrefix("fresh-") })
        try fill(log, 61...61)
        try log.adopt(try writeSnapshot(position(60), disk), replacingLog: false)
        try log.dropOldSegments(keeping: .none)
        #expect(!log.isLowOnSpace && !log.wantsSpare)
        // The spare is enough to go on without any new space.
        try fill(log, 62...90)
        disk.setFaults(nil)
        try log.setSpareAside()
        log.close()
        #expect(try recover(disk).entries.last?.index == LogIndex(90))
    }
}
