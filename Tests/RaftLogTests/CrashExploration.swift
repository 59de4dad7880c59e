// Runs one scripted history up to every disk operation, cuts the power there, and looks at every way it may come back.

import RaftCore
import RaftLog

/// What a caller of the log may rely on, or has asked for.
struct LogState: Hashable {
    var hardState = HardState()
    /// In front of the entries; the log itself may begin later, up to the snapshot.
    var start = LogPosition.start
    var entries: [Entry] = []
    var snapshot = LogPosition.start

    var lastIndex: LogIndex { start.index + entries.count }

    mutating func append(_ hardState: HardState?, _ added: [Entry]) {
        if let hardState { self.hardState = hardState }
        guard let first = added.first else { return }
        entries.removeSubrange((first.index - start.index - 1)...)
        entries += added
    }

    mutating func adopt(_ position: LogPosition, replacingLog: Bool) {
        snapshot = position
        guard replacingLog else { return }
        start = position
        entries = []
    }

    /// Whether a recovered log is this one: it may lack entries that the snapshot stands for, and nothing else.
    func isKept(by other: LogState) -> Bool {
        other.hardState == hardState && other.snapshot == snapshot && other.lastIndex == lastIndex
            && other.start.index >= start.index && other.start.index <= snapshot.index
            && other.entries == Array(entries.suffix(other.entries.count))
    }
}

extension Recovered {
    var state: LogState {
        LogState(hardState: hardState, start: start, entries: entries, snapshot: snapshot?.position ?? .start)
    }
}

/// What a snapshot at this position holds in these tests: more than a chunk now and then.
func machineState(at position: LogPosition) -> [UInt8] {
    let count = position.index.rawValue % 5 == 0 ? 300_000 : 700
    return [UInt8](
        repeating: UInt8(truncatingIfNeeded: position.index.rawValue &+ position.term.rawValue),
        count: count
    )
}

/// Writes the snapshot of a position; not yet the server's.
func writeSnapshot(_ position: LogPosition, _ disk: any Disk) throws(LogError) -> SealedSnapshot {
    let writer = try SnapshotFiles(disk: disk, cluster: cluster).write(at: position)
    try writer.write(machineState(at: position))
    return try writer.finish(configuration: [1, 2, 3], sessions: [UInt8](repeating: 9, count: 40))
}

/// What is wrong with the recovered snapshot's content, if anything.
func snapshotFault(_ recovered: Recovered, _ disk: any Disk) -> String? {
    guard let info = recovered.snapshot else { return nil }
    do {
        let reader = try SnapshotFiles(disk: disk, cluster: cluster).read(info)
        var state: [UInt8] = []
        try reader.readState { state += $0 }
        let isRight =
            try state == machineState(at: info.position) && reader.configuration() == [1, 2, 3]
            && reader.sessions() == [UInt8](repeating: 9, count: 40)
        return isRight ? nil : "the snapshot at \(info.position) has another content"
    } catch {
        return "the snapshot at \(info.position) is unreadable: \(error)"
    }
}

/// One thing the script does.
enum ScriptStep {
    case append(HardState?, [Entry])
    case sync
    case reopen
    /// Takes a snapshot, of the log as it is or, as if a leader had sent it, in its place.
    case snapshot(LogPosition, replacingLog: Bool)
    case dropOldSegments
    case setSpareAside
}

/// A history of appends, suffix replacements, syncs, snapshots, compactions and restarts, drawn from a seed.
struct ScriptMaker {
    private var generator: SeededGenerator
    private var script: [ScriptStep] = []
    private var terms: [Int: Int] = [:]
    private var last = 0
    private var snapshot = 0
    private var term = 1

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    mutating func make(steps: Int) -> [ScriptStep] {
        for _ in 0..<steps {
            switch Int.random(in: 0..<13, using: &generator) {
            case 0..<5: append()
            case 5..<9: script.append(.sync)
            case 9: script += [.sync, .reopen]
            case 10: takeSnapshot()
            case 11: script += [.sync, .dropOldSegments]
            default: script.append(.setSpareAside)
            }
        }
        script.append(.sync)
        return script
    }

    private mutating func append() {
        var changed: HardState?
        if Int.random(in: 0..<3, using: &generator) == 0 {
            term += 1
            changed = HardState(term: Term(UInt64(term)), vote: Bool.random(using: &generator) ? NodeID(2) : nil)
        }
        let count = Int.random(in: 0...6, using: &generator)
        // A cut without new entries cannot be said to the log, and what a snapshot holds is never cut.
        if count > 0, Int.random(in: 0..<4, using: &generator) == 0 {
            last -= Int.random(in: 0...min(last - snapshot, 5), using: &generator)
        }
        let size = Int.random(in: 0...400, using: &generator)
        let added = (0..<count).map { entry(last + 1 + $0, term: term, payloadBytes: size) }
        for entry in added { terms[Int(entry.index.rawValue)] = term }
        last += count
        script.append(.append(changed, added))
    }

    private mutating func takeSnapshot() {
        script.append(.sync)
        if Int.random(in: 0..<4, using: &generator) == 0 {
            last += 3
            snapshot = last
            terms[last] = term
            script.append(.snapshot(position(last), replacingLog: true))
        } else if last > snapshot {
            snapshot = Int.random(in: snapshot + 1...last, using: &generator)
            script.append(.snapshot(position(snapshot), replacingLog: false))
        }
    }

    private func position(_ index: Int) -> LogPosition {
        LogPosition(index: LogIndex(UInt64(index)), term: Term(UInt64(terms[index] ?? 0)))
    }
}

func makeScript(seed: UInt64, steps: Int = 60) -> [ScriptStep] {
    var maker = ScriptMaker(seed: seed)
    return maker.make(steps: steps)
}

/// What one run of the script was sure of when the power went, and what it was in the middle of.
struct Promise {
    /// Durable for certain: the last sync, or the last opening, that returned.
    var acknowledged = LogState()
    /// Durable or not, as one: what the sync that failed was writing.
    var attempted = LogState()

    func allows(_ state: LogState) -> Bool { acknowledged.isKept(by: state) || attempted.isKept(by: state) }
}

/// Explores a script on disks that a test may wrap to plant a bug.
struct CrashExploration {
    var script: [ScriptStep]
    var options = small(segmentSizeBytes: 7 << 10)
    var wrap: (MemoryDisk) -> any Disk = { $0 }

    /// Explores everything; returns what went wrong, at most one line for each cut.
    func run(generator: inout SeededGenerator) -> [String] {
        let whole = MemoryDisk()
        _ = play(on: whole)
        let total = whole.operationCount
        var violations: [String] = []
        for cut in 0...total {
            let disk = MemoryDisk()
            disk.cutPower(atOperation: cut)
            let promise = play(on: disk)
            if let violation = explore(disk, promise, generator: &generator) {
                violations.append("power cut at operation \(cut) of \(total): \(violation)")
            }
        }
        return violations
    }

    /// Plays the script until it is through or the power goes.
    private func play(on memory: MemoryDisk) -> Promise {
        let disk = wrap(memory)
        var promise = Promise()
        var buffered = LogState()
        do throws(LogError) {
            var log = try RaftLogTests.open(disk, options: options).log
            for step in script {
                switch step {
                case .append(let hardState, let added):
                    buffered.append(hardState, added)
                    try log.append(hardState: hardState, entries: added)
                case .sync:
                    promise.attempted = buffered
                    try log.sync()
                    promise.acknowledged = buffered
                case .reopen:
                    log.close()
                    log = try RaftLogTests.open(disk, options: options).log
                case .snapshot(let position, let replacingLog):
                    let sealed = try writeSnapshot(position, disk)
                    buffered.adopt(position, replacingLog: replacingLog)
                    promise.attempted = buffered
                    try log.adopt(sealed, replacingLog: replacingLog)
                    promise.acknowledged = buffered
                case .dropOldSegments:
                    var tail = LogTail()
                    tail.entries = 2
                    try log.dropOldSegments(keeping: tail)
                case .setSpareAside:
                    try log.setSpareAside()
                }
            }
            log.close()
        } catch {}
        return promise
    }

    private func explore(_ disk: MemoryDisk, _ promise: Promise, generator: inout SeededGenerator) -> String? {
        let units = disk.unsyncedUnitCount
        // Prefixes in order (with a wider stride when there are many), all, none, and random subsets.
        for kept in stride(from: 0, through: units, by: max(1, units / 12)) {
            let crashed = disk.copy()
            crashed.crash { $0 < kept }
            if let violation = check(crashed, promise, generator: &generator) { return "first \(kept): \(violation)" }
        }
        for _ in 0..<(units == 0 ? 0 : 8) {
            let mask = generator.next()
            var coins = SeededGenerator(seed: mask)
            let share = UInt64.random(in: 1...9, using: &coins)
            let crashed = disk.copy()
            crashed.crash { _ in UInt64.random(in: 0..<10, using: &coins) < share }
            if let violation = check(crashed, promise, generator: &generator) { return "subset \(mask): \(violation)" }
        }
        return nil
    }

    /// Recovers, possibly with a second power cut on the way, goes on writing, loses power again.
    private func check(_ disk: MemoryDisk, _ promise: Promise, generator: inout SeededGenerator) -> String? {
        let twice = disk.copy()
        twice.cutPower(atOperation: twice.operationCount + Int.random(in: 0...8, using: &generator))
        var seen: LogState?
        do throws(LogError) { seen = try RaftLogTests.open(wrap(twice), options: options).recovered.state } catch {}
        var coins = SeededGenerator(seed: generator.next())
        twice.crash { _ in Bool.random(using: &coins) }

        for (name, disk) in [("", disk), (" after a cut recovery", twice)] {
            do throws(LogError) {
                let (log, recovered) = try RaftLogTests.open(wrap(disk), options: options)
                var state = recovered.state
                guard promise.allows(state) else { return "recovered\(name) \(summary(state)) for \(promise)" }
                if !name.isEmpty, let seen, seen != state { return "recovered\(name) differs from what was handed out" }
                if let fault = snapshotFault(recovered, disk) { return fault }
                if try leavesTemporaries(disk) { return "recovered\(name) and left temporary files" }
                let added = [entry(Int(state.lastIndex.rawValue) + 1, term: 99, payloadBytes: 9)]
                state.append(HardState(term: Term(99), vote: NodeID(1)), added)
                try log.append(hardState: state.hardState, entries: added)
                try log.sync()
                disk.crash { _ in false }
                let again = try RaftLogTests.open(wrap(disk), options: options).recovered
                guard again.state == state else { return "went on\(name) and lost \(summary(again.state))" }
                if again.tornTail != nil { return "went on\(name) and found a torn tail that was cut before" }
            } catch {
                return "refused\(name): \(error)"
            }
        }
        return nil
    }

    private func leavesTemporaries(_ disk: MemoryDisk) throws(LogError) -> Bool {
        do {
            return try disk.list().contains { $0.hasSuffix(".tmp") || $0.hasSuffix(".part") }
        } catch {
            throw .io(error)
        }
    }

    private func summary(_ state: LogState) -> String {
        "\(state.hardState), snapshot \(state.snapshot), \(state.entries.count) entries from \(state.start) "
            + "up to \(state.lastIndex)"
    }
}

extension Promise: CustomStringConvertible {
    var description: String {
        "\(acknowledged.lastIndex) and \(acknowledged.hardState) and \(acknowledged.snapshot) acknowledged, "
            + "\(attempted.lastIndex) and \(attempted.hardState) and \(attempted.snapshot) attempted"
    }
}

/// A disk that passes everything on, for tests to override a call of.
class ForwardingDisk: Disk, @unchecked Sendable {
    // SAFETY: `base` is the only field here and immutable; a subclass with fields of its own is used by one thread.
    let base: any Disk
    init(_ base: any Disk) { self.base = base }

    var location: String { base.location }
    func lock() throws(DiskError) -> DiskFile { try base.lock() }
    func list() throws(DiskError) -> [String] { try base.list() }
    func open(_ name: String) throws(DiskError) -> DiskFile { try base.open(name) }
    func create(_ name: String) throws(DiskError) -> DiskFile { try base.create(name) }
    func size(of file: DiskFile) throws(DiskError) -> Int { try base.size(of: file) }
    func read(
        _ file: DiskFile,
        at offset: Int,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(DiskError) -> Int { try base.read(file, at: offset, into: buffer) }
    func write(_ file: DiskFile, at offset: Int, _ bytes: UnsafeRawBufferPointer) throws(DiskError) {
        try base.write(file, at: offset, bytes)
    }
    func reserve(_ file: DiskFile, sizeBytes: Int) throws(DiskError) {
        try base.reserve(file, sizeBytes: sizeBytes)
    }
    func sync(_ file: DiskFile) throws(DiskError) { try base.sync(file) }
    func close(_ file: DiskFile) { base.close(file) }
    func rename(_ name: String, to newName: String) throws(DiskError) { try base.rename(name, to: newName) }
    func remove(_ name: String) throws(DiskError) { try base.remove(name) }
    func syncDirectory() throws(DiskError) { try base.syncDirectory() }
}
