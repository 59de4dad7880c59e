// Damage to logs with a past: dropped segments, recycled files, replaced ends, snapshots.

import Foundation
import RaftCore
import RaftLog
import Testing

@Suite("Damaged histories")
struct DamagedHistoryTests {
    /// What became of the damage.
    private enum Outcome: String, CaseIterable {
        case harmless, cutAsTorn, repaired, refused
    }

    private static let options = small(segmentSizeBytes: 7 << 10)

    static let histories: [CrashTests.History] = {
        let environment = ProcessInfo.processInfo.environment
        let mood = environment["RAFTLOG_MOOD"].flatMap(ScriptMood.init(rawValue:))
        let seed = environment["RAFTLOG_SEED"].flatMap { UInt64($0) }
        let count = seed == nil ? environment["RAFTLOG_SEEDS"].flatMap { Int($0) } ?? 1 : 1
        // Several batches are lost, and with them that entries before them were replaced.
        let kept = seed == nil && mood == nil ? [CrashTests.History(seed: 1_833_376_457, mood: .restarting)] : []
        return kept
            + (0..<count).flatMap { _ in
                (mood.map { [$0] } ?? ScriptMood.allCases).map {
                    CrashTests.History(seed: seed ?? .random(in: 1...UInt64(UInt32.max)), mood: $0)
                }
            }
    }()

    @Test(
        "P34: a flipped bit or a lost sector of a log with any past is harmless, or named and repaired, or refused",
        arguments: histories
    )
    func anyDamage(history: CrashTests.History) throws {
        var generator = SeededGenerator(seed: history.seed)
        let exploration = CrashExploration(
            script: makeScript(seed: history.seed, mood: history.mood, steps: 80),
            options: Self.options
        )
        let disk = MemoryDisk()
        let promise = exploration.play(exploration.script, on: disk)
        let segments = try disk.list().filter { $0.hasPrefix("segment-") }
        var outcomes: [Outcome: Int] = [:]
        for round in 0..<200 {
            let damaged = disk.copy()
            let name = try #require(segments.randomElement(using: &generator))
            let place = damage(damaged, name, &generator)
            let said =
                "\(place) of \(name), round \(round)\nreplay: RAFTLOG_SEED=\(history.seed) RAFTLOG_MOOD=\(history.mood.rawValue) swift test --filter DamagedHistory"
            do throws(LogError) {
                let outcome = try judge(damaged, promise, said)
                outcomes[outcome, default: 0] += 1
            } catch {
                guard case .corrupt = error, error.description.contains("keep the directory for repair") else {
                    Issue.record("\(error), \(said)")
                    continue
                }
                outcomes[.refused, default: 0] += 1
            }
        }
        print(
            history.testDescription,
            Outcome.allCases.map { "\($0.rawValue) \(outcomes[$0] ?? 0)" }.joined(separator: ", ")
        )
    }

    /// One bit, or a whole sector that reads as zeros. Says where.
    private func damage(_ disk: MemoryDisk, _ name: String, _ generator: inout SeededGenerator) -> String {
        var bytes = disk.contents(of: name) ?? []
        let inHeader = Int.random(in: 0..<10, using: &generator) == 0
        let byte = Int.random(in: inHeader ? 0..<140 : 4096..<max(bytes.count, 4097), using: &generator)
        let sector = byte / 512 * 512
        // Without a trace of a later batch, a batch that reads as zeros was never written.
        if Bool.random(using: &generator) || sector + 512 > lastFrame(bytes) {
            disk.flipBit(of: name, byte: byte, bit: Int.random(in: 0..<8, using: &generator))
            return "byte \(byte)"
        }
        for place in sector..<sector + 512 { bytes[place] = 0 }
        disk.install(name, bytes, sizeBytes: Self.options.segmentSizeBytes)
        return "sector at \(sector)"
    }

    /// Where a segment's last batch begins.
    private func lastFrame(_ bytes: [UInt8]) -> Int {
        func word(_ offset: Int, _ size: Int = 8) -> UInt64 {
            (0..<size).reduce(0) {
                $0 | (offset + $1 < bytes.count ? UInt64(bytes[offset + $1]) << (8 * UInt64($1)) : 0)
            }
        }
        var (offset, last, sequence) = (4096, 4096, word(56))
        while word(offset + 8) == sequence {
            last = offset
            offset += Int(word(offset + 48, 4))
            sequence += 1
        }
        return last
    }

    private func judge(_ disk: MemoryDisk, _ promise: Promise, _ said: String) throws(LogError) -> Outcome {
        let truth = promise.acknowledged
        let strict = disk.copy()
        let (log, recovered) = try openQuarantined(disk, options: Self.options)
        let state = recovered.state
        if recovered.damaged.isEmpty {
            if truth.isKept(by: state) { return .harmless }
            let isCut = recovered.tornTail != nil && promise.beforeLastBatch.isKept(by: state)
            #expect(isCut, "\(said): \(state.hardState), snapshot \(state.snapshot), up to \(state.lastIndex)")
            return .cutAsTorn
        }
        #expect(state.hardState == truth.hardState && state.lastIndex == truth.lastIndex, "\(said)")
        #expect(!recovered.corruptions.isEmpty, "\(said)")
        #expect(throws: LogError.self, "\(said)") { try recover(strict, options: Self.options) }
        let lost = Set(recovered.damaged.map(\.index))
        let known = truth.entries.suffix(state.entries.count)
        let wrong = zip(state.entries, known).filter { !lost.contains($0.index) && !areEqual([$0], [$1]) }.map(
            \.0.index
        )
        #expect(wrong.isEmpty, "\(said)")
        let copies = known.filter { lost.contains($0.index) }
        let repaired = try log.repair(copies)
        #expect(
            repaired.count == lost.count && log.damagedEntries.isEmpty,
            "\(said): \(recovered.damaged), but \(log.damagedEntries) after \(copies.map { "\($0.index)@\($0.term)" })"
        )
        log.close()
        disk.crash { _ in false }
        #expect(try truth.isKept(by: recover(disk, options: Self.options).state), "\(said)")
        return .repaired
    }
}
