// A server of a world: a core, its disk, and a state machine small enough to compare.

package import RaftCore

/// A state machine that is nothing but a running hash of what it was given: two servers agree on it only if they applied the same
/// entries in the same order.
package struct HashMachine: Hashable, Sendable {
    /// The last entry applied.
    package var index = LogIndex.zero
    package var hash: UInt64 = 14_695_981_039_346_656_037

    package init() {}

    package mutating func apply(_ entry: Entry) {
        index = entry.index
        for value in [entry.term.rawValue, UInt64(entry.kind.rawValue)] + entry.payload.map(UInt64.init) {
            hash = (hash ^ value) &* 1_099_511_628_211
        }
    }

    /// Bytes of a snapshot.
    package static let sizeBytes = 16

    package var encoded: [UInt8] {
        [index.rawValue, hash].flatMap { number in (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }
    }

    /// Nil unless `bytes` are a whole snapshot.
    package init?(decoding bytes: [UInt8]) {
        guard bytes.count == Self.sizeBytes else { return nil }
        func number(_ start: Int) -> UInt64 { (0..<8).reduce(0) { $0 | UInt64(bytes[start + $1]) << (8 * UInt64($1)) } }
        index = LogIndex(number(0))
        hash = number(8)
    }
}

/// A server and its disk. What was not synced is lost in a crash.
package struct Server: Sendable {
    package let id: NodeID
    /// What the cluster began with, as far as this server knew.
    package var beginning: Configuration
    /// Nil while the server is down.
    package var core: RaftCore?
    /// What a restart finds.
    package var disk = RestoredState()
    /// The state in the durable snapshot.
    package var diskMachine = HashMachine()
    /// Pieces of a snapshot that is being received. Not durable.
    package var pieces: [UInt8] = []
    /// Outputs whose writes are under way, the oldest first.
    package var unsynced: [RaftOutput] = []
    /// Nothing becomes durable meanwhile.
    package var isDiskStalled = false
    package var starts: UInt64 = 0
    package var machine = HashMachine()

    /// Whether the disk has this entry, or a snapshot behind it, or had it and knows that it lost it: then the server will not help
    /// to elect anyone who lacks it (rule P34).
    package func holds(_ position: LogPosition) -> Bool {
        if let lost = disk.lost, lost.contains(position.index) { return true }
        if let snapshot = disk.snapshot, snapshot.last.index >= position.index { return true }
        // What a running server has dropped from its log again, it would not give back.
        if let core, core.lastIndex < position.index { return false }
        guard let first = disk.entries.first, position.index >= first.index else { return false }
        let place = position.index - first.index
        return place < disk.entries.count && disk.entries[place].term == position.term
    }

    /// Makes an output's writes durable.
    mutating func write(_ output: RaftOutput, installing machine: HashMachine?) {
        if let hardState = output.hardState { disk.hardState = hardState }
        if let snapshot = output.snapshotToInstall, let machine {
            disk.snapshot = snapshot
            disk.entries = []
            disk.lost = nil
            diskMachine = machine
        }
        guard let first = output.entriesToAppend.first else { return }
        disk.append(output.entriesToAppend, from: first.index)
        if let lost = disk.lost, let last = disk.entries.last, last.index >= lost.upperBound { disk.lost = nil }
    }
}

extension RestoredState {
    /// Replaces all entries from `index` on.
    mutating func append(_ more: [Entry], from index: LogIndex) {
        guard let last = entries.last, index <= last.index.next, index > entries[0].index else {
            entries = more
            return
        }
        entries.removeLast(last.index.next - index)
        entries += more
    }
}
