// The log as its caller sees it, on a disk in memory.

import RaftCore
import RaftLog
import Testing

@Suite("Write-ahead log")
struct WriteAheadLogTests {
    @Test("what was synced is recovered, hard state and entries alike")
    func roundTrip() throws {
        let disk = MemoryDisk()
        let (log, fresh) = try open(disk)
        #expect(fresh.entries.isEmpty && fresh.hardState == HardState() && fresh.tornTail == nil)
        try log.append(hardState: vote(1, 1), entries: [entry(1, kind: .noop)])
        try log.sync()
        try log.append(entries: entries(2...9))
        try log.append(hardState: vote(2, 3))
        try log.sync()
        log.close()
        let recovered = try recover(disk)
        #expect(recovered.entries == [entry(1, kind: .noop)] + entries(2...9))
        #expect(recovered.hardState == vote(2, 3))
        #expect(recovered.identity == identity)
        #expect(recovered.tornTail == nil)
    }

    @Test("the log goes on where it was closed, time after time")
    func reopen() throws {
        let disk = MemoryDisk()
        for round in 0..<20 {
            let (log, recovered) = try open(disk)
            #expect(recovered.entries == (round == 0 ? [] : entries(1...(round * 3))))
            #expect(log.lastIndex == LogIndex(UInt64(round * 3)))
            try log.append(entries: entries((round * 3 + 1)...(round * 3 + 3)))
            try log.sync()
            log.close()
        }
    }

    @Test("P7: a smaller first index replaces the suffix, whether it was synced, buffered or both")
    func suffixReplaced() throws {
        let disk = MemoryDisk()
        let (log, _) = try open(disk)
        try log.append(entries: entries(1...10, term: 1))
        try log.sync()
        try log.append(entries: entries(11...14, term: 1))
        try log.append(entries: entries(13...15, term: 2))
        try log.append(entries: entries(8...9, term: 3))
        #expect(log.lastIndex == LogIndex(9))
        try log.append(entries: entries(10...11, term: 3))
        try log.sync()
        log.close()
        #expect(try recover(disk).entries == entries(1...7, term: 1) + entries(8...11, term: 3))
    }

    @Test("segments roll over, count, and recover in order; each states the hard state for itself")
    func rollOver() throws {
        let disk = MemoryDisk()
        let (log, _) = try open(disk)
        try log.append(hardState: vote(4, 2))
        for index in 1...200 {
            try log.append(entries: [entry(index, term: 4, payloadBytes: 100)])
            try log.sync()
        }
        #expect(log.segmentCount > 5)
        #expect(log.sizeBytes > 200 * 100)
        let size = log.sizeBytes
        log.close()
        let (again, recovered) = try open(disk)
        #expect(recovered.entries == entries(1...200, term: 4, payloadBytes: 100))
        #expect(recovered.hardState == vote(4, 2))
        #expect(again.sizeBytes == size)
    }

    @Test("a batch larger than a segment gets a segment that holds it")
    func oversizeBatch() throws {
        let disk = MemoryDisk()
        let (log, _) = try open(disk)
        try log.append(entries: entries(1...2))
        try log.sync()
        try log.append(entries: entries(3...5, payloadBytes: 20_000))
        try log.sync()
        try log.append(entries: entries(6...7))
        try log.sync()
        log.close()
        #expect(try recover(disk).entries == entries(1...2) + entries(3...5, payloadBytes: 20_000) + entries(6...7))
    }

    @Test("more than a frame holds becomes several batches, none over the bound")
    func severalFrames() throws {
        let disk = MemoryDisk()
        let (log, _) = try open(disk)
        let big = (1...4).map { index in
            let payload = [UInt8](repeating: UInt8(index), count: 12 << 20)
            return Entry(term: Term(1), index: LogIndex(UInt64(index)), kind: .command, payload: payload)
        }
        try log.append(hardState: vote(1, 1), entries: big)
        try log.sync()
        log.close()
        let recovered = try recover(disk)
        #expect(recovered.entries == big)
        #expect(recovered.hardState == vote(1, 1))
    }

    @Test("P9: hard state and entries of one batch are recovered together or not at all")
    func oneOrderedLog() throws {
        let disk = MemoryDisk()
        let (log, _) = try open(disk, options: small(zeroAheadBytes: 0))
        try log.append(hardState: vote(1, 1), entries: entries(1...2))
        try log.sync()
        // Power is left for the batch's write, not for its sync.
        disk.cutPower(atOperation: disk.operationCount + 1)
        try log.append(hardState: vote(2, 3), entries: entries(3...40, term: 2, payloadBytes: 40))
        #expect(throws: LogError.self) { try log.sync() }
        let units = disk.unsyncedUnitCount
        try #require(units > 3)
        for kept in 0...units {
            let crashed = disk.copy()
            crashed.crash { $0 < kept }
            let recovered = try recover(crashed)
            if recovered.hardState == vote(2, 3) {
                #expect(recovered.entries.count == 40)
            } else {
                #expect(recovered.hardState == vote(1, 1) && recovered.entries == entries(1...2))
            }
        }
    }
}
