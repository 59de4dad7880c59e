// What a log promises its caller, and what a snapshot of it holds: the truth that a recovery is compared with.

import Foundation
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
            && areEqual(other.entries[...], entries.suffix(other.entries.count))
    }
}

extension Recovered {
    var state: LogState {
        LogState(hardState: hardState, start: start, entries: entries, snapshot: snapshot?.position ?? .start)
    }
}

/// The same as `==`, which costs some hundred times as much in a build that is not optimised.
func areEqual(_ some: ArraySlice<Entry>, _ others: ArraySlice<Entry>) -> Bool {
    guard some.count == others.count else { return false }
    return zip(some, others).allSatisfy {
        $0.index == $1.index && $0.term == $1.term && $0.kind == $1.kind && areEqual($0.payload, $1.payload)
    }
}

func areEqual(_ some: [UInt8], _ others: [UInt8]) -> Bool {
    some.count == others.count
        && some.withUnsafeBytes { one in
            others.withUnsafeBytes { one.count == 0 || memcmp(one.baseAddress!, $0.baseAddress!, one.count) == 0 }
        }
}

/// What a snapshot at this position holds in these tests: more than a chunk now and then.
func machineState(at position: LogPosition) -> [UInt8] {
    let count = position.index.rawValue % 16 == 0 ? 300_000 : 700
    let byte = UInt8(truncatingIfNeeded: position.index.rawValue &+ position.term.rawValue)
    return [UInt8](unsafeUninitializedCapacity: count) { bytes, filled in
        memset(bytes.baseAddress!, Int32(byte), count)
        filled = count
    }
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
            try areEqual(state, machineState(at: info.position)) && reader.configuration() == [1, 2, 3]
            && reader.sessions() == [UInt8](repeating: 9, count: 40)
        return isRight ? nil : "the snapshot at \(info.position) has another content"
    } catch {
        return "the snapshot at \(info.position) is unreadable: \(error)"
    }
}

/// What one run of the script was sure of when the power went, and what it was in the middle of.
struct Promise {
    /// Durable for certain: the last sync, or the last opening, that returned.
    var acknowledged = LogState()
    /// Durable or not, as one: what the sync that failed was writing.
    var attempted = LogState()
    /// Acknowledged without the last batch.
    var beforeLastBatch = LogState()
    /// What is not acknowledged takes the place of something that is.
    var isReplacing = false

    func allows(_ state: LogState) -> Bool { acknowledged.isKept(by: state) || attempted.isKept(by: state) }
}

extension Promise: CustomStringConvertible {
    var description: String {
        "\(acknowledged.lastIndex) and \(acknowledged.hardState) and \(acknowledged.snapshot) acknowledged, "
            + "\(attempted.lastIndex) and \(attempted.hardState) and \(attempted.snapshot) attempted"
    }
}
