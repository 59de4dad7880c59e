// Runs one scripted history up to every disk operation, cuts the power there, and looks at every way it may come back.

import RaftCore
import RaftLog

/// Explores a script on disks that a test may wrap to plant a bug.
struct CrashExploration {
    var script: [ScriptStep]
    /// Of what follows a recovery.
    var mood = ScriptMood.mixed
    var options = small(segmentSizeBytes: 7 << 10)
    var wrap: (MemoryDisk) -> any Disk = { $0 }
    /// One of so many recovered logs goes on with a script of its own.
    var livesOnOneOf: UInt64 = 16
    /// The power is cut at each operation, or at one of so many.
    var cutDistance = 1
    private(set) var census = CrashCensus()

    init(
        script: [ScriptStep],
        mood: ScriptMood = .mixed,
        options: WriteAheadLog.Options = small(segmentSizeBytes: 7 << 10),
        wrap: @escaping (MemoryDisk) -> any Disk = { $0 }
    ) {
        self.script = script
        self.mood = mood
        self.options = options
        self.wrap = wrap
    }

    /// Explores everything; returns what went wrong, at most one line for each cut.
    mutating func run(generator: inout SeededGenerator) -> [String] {
        let whole = MemoryDisk()
        _ = play(script, on: whole)
        let total = whole.operationCount
        var violations: [String] = []
        for cut in stride(from: 0, through: total, by: cutDistance) {
            let disk = MemoryDisk()
            disk.cutPower(atOperation: cut)
            let promise = play(script, on: disk)
            if let violation = explore(disk, promise, generator: &generator) {
                violations.append("power cut at operation \(cut) of \(total): \(violation)")
            }
        }
        return violations
    }

    /// Plays a script until it is through or the power goes.
    func play(_ script: [ScriptStep], on memory: MemoryDisk, from state: LogState = LogState()) -> Promise {
        let disk = wrap(memory)
        var promise = Promise(acknowledged: state, attempted: state, beforeLastBatch: state)
        var buffered = state
        do throws(LogError) {
            var log = try RaftLogTests.open(disk, options: options).log
            for step in script {
                switch step {
                case .append(let hardState, let added):
                    if let first = added.first, first.index <= promise.acknowledged.lastIndex {
                        promise.isReplacing = true
                    }
                    buffered.append(hardState, added)
                    try log.append(hardState: hardState, entries: added)
                case .sync:
                    promise.attempted = buffered
                    if log.hasPending { promise.beforeLastBatch = promise.acknowledged }
                    try log.sync()
                    promise.acknowledged = buffered
                    promise.isReplacing = false
                case .reopen:
                    log.close()
                    log = try RaftLogTests.open(disk, options: options).log
                case .snapshot(let position, let replacingLog):
                    let sealed = try writeSnapshot(position, disk)
                    buffered.adopt(position, replacingLog: replacingLog)
                    promise.attempted = buffered
                    promise.beforeLastBatch = promise.acknowledged
                    try log.adopt(sealed, replacingLog: replacingLog)
                    promise.acknowledged = buffered
                case .dropOldSegments:
                    try log.dropOldSegments(keeping: LogTail(entries: 2))
                case .setSpareAside:
                    try log.setSpareAside()
                }
            }
            log.close()
        } catch {}
        return promise
    }

    private mutating func explore(
        _ disk: MemoryDisk,
        _ promise: Promise,
        generator: inout SeededGenerator
    ) -> String? {
        let units = disk.unsyncedUnitCount
        // Prefixes in order (with a wider stride when there are many), all, none, and random subsets.
        for kept in stride(from: 0, through: units, by: max(1, units / 12)) {
            let crashed = disk.copy()
            crashed.crash { $0 < kept }
            if let violation = check(crashed, promise, &generator) { return "first \(kept): \(violation)" }
        }
        for _ in 0..<(units == 0 ? 0 : 8) {
            let mask = generator.next()
            let crashed = disk.copy()
            crash(crashed, mask)
            if let violation = check(crashed, promise, &generator) { return "subset \(mask): \(violation)" }
        }
        return nil
    }

    /// What is left is drawn from `mask`.
    private func crash(_ disk: MemoryDisk, _ mask: UInt64) {
        var coins = SeededGenerator(seed: mask)
        let share = UInt64.random(in: 1...9, using: &coins)
        disk.crash { _ in UInt64.random(in: 0..<10, using: &coins) < share }
    }

    /// Recovers, also with a second power cut on the way, goes on writing, loses power again.
    private mutating func check(
        _ disk: MemoryDisk,
        _ promise: Promise,
        _ generator: inout SeededGenerator,
        livesOn: Bool = true
    ) -> String? {
        let twice = disk.copy()
        let another = livesOn && generator.next() % livesOnOneOf == 0 ? disk.copy() : nil
        do throws(LogError) {
            let before = disk.operationCount
            let remains = CrashCensus.Remains(disk, try names(on: disk))
            let (log, recovered) = try RaftLogTests.open(wrap(disk), options: options)
            let operations = disk.operationCount - before
            guard promise.allows(recovered.state) else {
                return "recovered \(summary(recovered.state)) for \(promise)"
            }
            census.note(remains, recovered, promise)
            if let violation = try goOn(disk, log, recovered) { return violation }
            if generator.next() % 2 == 0, let violation = try interrupt(twice, operations, promise, &generator) {
                return "\(violation), after a cut recovery"
            }
            if let another, let violation = liveOn(another, recovered.state, &generator) {
                return "\(violation), in a second life"
            }
        } catch {
            return "refused: \(error)"
        }
        return nil
    }

    /// Cuts the power during a recovery that takes so many operations, mostly at its end, where it writes.
    private mutating func interrupt(
        _ disk: MemoryDisk,
        _ operations: Int,
        _ promise: Promise,
        _ generator: inout SeededGenerator
    ) throws(LogError) -> String? {
        let last = generator.next() % 4 == 0 ? operations : min(operations, 12)
        disk.cutPower(atOperation: disk.operationCount + operations - Int.random(in: 0...last, using: &generator))
        var seen: LogState?
        do throws(LogError) { seen = try RaftLogTests.open(wrap(disk), options: options).recovered.state } catch {}
        census.note(.interruptedRecovery, if: seen == nil && disk.unsyncedUnitCount > 0)
        crash(disk, generator.next())
        let (log, recovered) = try RaftLogTests.open(wrap(disk), options: options)
        guard promise.allows(recovered.state) else { return "recovered \(summary(recovered.state)) for \(promise)" }
        if let seen, seen.start != recovered.start || !seen.isKept(by: recovered.state) {
            return "recovered something else than was handed out"
        }
        return try goOn(disk, log, recovered)
    }

    /// What was recovered is in order; one more batch is written, the power cut, and nothing is lost.
    private func goOn(
        _ disk: MemoryDisk,
        _ log: WriteAheadLog,
        _ recovered: Recovered
    ) throws(LogError) -> String? {
        if let fault = snapshotFault(recovered, disk) { return fault }
        if try names(on: disk).contains(where: { $0.hasSuffix(".tmp") || $0.hasSuffix(".part") }) {
            return "left temporary files"
        }
        var state = recovered.state
        let added = [entry(Int(state.lastIndex.rawValue) + 1, term: 99, payloadBytes: 9)]
        state.append(HardState(term: Term(99), vote: NodeID(1)), added)
        try log.append(hardState: state.hardState, entries: added)
        try log.sync()
        disk.crash { _ in false }
        let again = try RaftLogTests.open(wrap(disk), options: options).recovered
        guard again.start == state.start, state.isKept(by: again.state) else {
            return "went on and lost \(summary(again.state))"
        }
        return again.tornTail == nil ? nil : "went on and found a torn tail that was cut before"
    }

    /// A recovered log goes on with a script of its own, and loses power once more.
    private mutating func liveOn(
        _ disk: MemoryDisk,
        _ state: LogState,
        _ generator: inout SeededGenerator
    ) -> String? {
        census.note(.secondLife)
        var maker = ScriptMaker(seed: generator.next(), mood: mood, after: state)
        let script = maker.make(steps: 16)
        let whole = disk.copy()
        _ = play(script, on: whole, from: state)
        disk.cutPower(atOperation: Int.random(in: disk.operationCount...whole.operationCount, using: &generator))
        let promise = play(script, on: disk, from: state)
        crash(disk, generator.next())
        return check(disk, promise, &generator, livesOn: false)
    }

    private func names(on disk: MemoryDisk) throws(LogError) -> [String] {
        do { return try disk.list() } catch { throw .io(error) }
    }

    private func summary(_ state: LogState) -> String {
        "\(state.hardState), snapshot \(state.snapshot), \(state.entries.count) entries from \(state.start) "
            + "up to \(state.lastIndex)"
    }
}
