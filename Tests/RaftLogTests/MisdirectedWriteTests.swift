// A write that lands somewhere else: found at the next start, wherever it went.

import RaftCore
import RaftLog
import Testing

@Suite("Misdirected writes")
struct MisdirectedWriteTests {
    private static let options = small(segmentSizeBytes: 4096 + 1_500, zeroAheadBytes: 0)

    /// A log of many batches over three segments, and what is in it.
    private func history() throws -> (disk: MemoryDisk, truth: LogState) {
        let disk = MemoryDisk()
        let (log, _) = try open(disk, options: Self.options)
        var truth = LogState()
        let batches: [(HardState?, [Entry])] = [
            (vote(1, 1), [entry(1, kind: .noop)]), (nil, entries(2...4)), (vote(2), []),
            (nil, [entry(5, term: 2)]), (nil, [entry(6, term: 2)]), (nil, entries(7...9, term: 2, payloadBytes: 60)),
            (vote(3, 2), entries(8...10, term: 3)), (nil, [entry(11, term: 3, payloadBytes: 0)]),
            (nil, [entry(12, term: 3)]), (nil, [entry(13, term: 3)]), (vote(4, 3), []),
            (nil, entries(14...16, term: 4, payloadBytes: 50)), (nil, [entry(17, term: 4)]),
            (nil, entries(18...20, term: 4, payloadBytes: 33)), (nil, [entry(21, term: 4)]),
            (nil, [entry(22, term: 4)]), (nil, [entry(23, term: 4)]), (nil, [entry(24, term: 4)]),
            (nil, [entry(25, term: 4)]), (nil, entries(26...28, term: 4)), (vote(5, 1), [entry(29, term: 5)]),
            (nil, [entry(30, term: 5)]), (vote(6), entries(30...31, term: 6)), (nil, [entry(32, term: 6)]),
            (nil, [entry(33, term: 6)]), (nil, [entry(34, term: 6)]), (nil, [entry(35, term: 6)]),
        ]
        for (hardState, added) in batches {
            try log.append(hardState: hardState, entries: added)
            try log.sync()
            truth.append(hardState, added)
        }
        try #require(log.segmentCount == 3)
        log.close()
        return (disk, truth)
    }

    @Test(
        "P34: a batch that was written elsewhere, and what it overwrote, is named or still there; or the log is refused"
    )
    func everyBatchEverywhere() throws {
        let (disk, truth) = try history()
        let segments = (1...3).map { disk.segmentName($0) }
        var outcomes = (harmless: 0, quarantined: 0, refused: 0)
        for (number, segment) in segments.enumerated() {
            var batches = disk.batches(of: segment)
            // That the last one of all is missing cannot be told from that it was never written.
            if number == 2 { batches.removeLast() }
            for batch in batches {
                for file in segments[...number] {
                    // Also between the places at which batches can begin.
                    for offset in stride(from: 4096, through: 4096 + 1_500 - batch.count, by: 4) {
                        let damaged = disk.copy()
                        let write = MisdirectedWrite(batch, of: segment, to: offset, of: file)
                        if write.file == write.segment, write.offset == batch.lowerBound { continue }
                        damaged.misdirect(write)
                        do throws(LogError) {
                            if try judge(damaged, truth, write) {
                                outcomes.quarantined += 1
                            } else {
                                outcomes.harmless += 1
                            }
                        } catch {
                            guard case .corrupt = error, error.description.contains("keep the directory for repair")
                            else {
                                Issue.record("\(write): \(error)")
                                continue
                            }
                            outcomes.refused += 1
                        }
                    }
                }
            }
        }
        print("misdirected writes:", outcomes)
        #expect(outcomes.quarantined > 2_000)
    }

    @Test("P34: the last batch, written into an earlier one, is found there, and the log goes on behind all others")
    func lastBatchIntoAnEarlierOne() throws {
        let disk = MemoryDisk()
        let (log, _) = try open(disk, options: Self.options)
        var truth = LogState()
        let batches = [entries(1...2, payloadBytes: 200), [entry(3)], [entry(4)], [entry(5)]]
        for added in batches {
            try log.append(hardState: vote(1), entries: added)
            try log.sync()
            truth.append(vote(1), added)
        }
        log.close()
        let segment = disk.segmentName(1)
        let places = disk.batches(of: segment)
        let last = places[places.count - 1]
        for offset in stride(from: places[0].lowerBound + 80, through: places[0].upperBound - last.count, by: 8) {
            let damaged = disk.copy()
            let write = MisdirectedWrite(last, of: segment, to: offset, of: segment)
            damaged.misdirect(write)
            let recovered = try openQuarantined(damaged.copy(), options: Self.options).recovered
            #expect(recovered.damaged.allSatisfy { $0.index <= LogIndex(2) }, "\(write)")
            #expect(try judge(damaged, truth, write), "\(write)")
        }
    }

    @Test("P34: the last batch, written anywhere before its place, is found there")
    func lastBatchAnywhereBefore() throws {
        let (disk, truth) = try history()
        let segment = disk.segmentName(3)
        let places = disk.batches(of: segment)
        let last = places[places.count - 1]
        var outcomes = (harmless: 0, quarantined: 0, refused: 0)
        for offset in stride(from: places[0].lowerBound, through: last.lowerBound - last.count, by: 8) {
            let damaged = disk.copy()
            let write = MisdirectedWrite(last, of: segment, to: offset, of: segment)
            damaged.misdirect(write)
            do throws(LogError) {
                if try judge(damaged, truth, write) { outcomes.quarantined += 1 } else { outcomes.harmless += 1 }
            } catch {
                guard case .corrupt = error, error.description.contains("keep the directory for repair") else {
                    Issue.record("\(write): \(error)")
                    continue
                }
                outcomes.refused += 1
            }
        }
        print("last batch misdirected:", outcomes)
        #expect(outcomes.quarantined > 0)
    }

    /// Opens the log, repairs it and goes on with it. True: something is damaged.
    ///
    /// - Throws: that it is refused.
    private func judge(_ disk: MemoryDisk, _ truth: LogState, _ write: MisdirectedWrite) throws(LogError) -> Bool {
        let (log, recovered) = try openQuarantined(disk, options: Self.options)
        // Who refuses must do so at once.
        do throws(LogError) { return try goOn(log, recovered, on: disk, truth, write) } catch {
            Issue.record("\(write): once it was opened, \(error)")
            return true
        }
    }

    /// True: something is damaged, and was repaired.
    private func goOn(
        _ log: WriteAheadLog,
        _ recovered: Recovered,
        on disk: MemoryDisk,
        _ truth: LogState,
        _ write: MisdirectedWrite
    ) throws(LogError) -> Bool {
        #expect(recovered.hardState == truth.hardState, "\(write)")
        guard recovered.entries.count == truth.entries.count else {
            Issue.record("\(write): \(recovered.entries.count) entries of \(truth.entries.count)")
            return true
        }
        let lost = Set(recovered.damaged.map(\.index))
        for (found, expected) in zip(recovered.entries, truth.entries) where !lost.contains(found.index) {
            #expect(found == expected, "\(write)")
        }
        #expect(try log.repair(truth.entries.filter { lost.contains($0.index) }).count == lost.count, "\(write)")
        // The log goes on where it should.
        var state = truth
        let last = truth.entries.count
        for index in last + 1...last + 3 {
            let added = [entry(index, term: 6)]
            try log.append(entries: added)
            try log.sync()
            state.append(nil, added)
        }
        log.close()
        disk.crash { _ in false }
        #expect(try recover(disk, options: Self.options).state == state, "\(write)")
        return !lost.isEmpty
    }
}
