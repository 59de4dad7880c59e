// What a server starts from.

/// What a server finds on its disk when it starts.
package struct RestoredState: Hashable, Sendable {
    /// The durable term and vote.
    package var hardState: HardState
    /// The snapshot the state machine starts from; nil: from nothing.
    package var snapshot: SnapshotMetadata?
    /// The durable log: consecutive, the first entry at index 1 or anywhere up to right behind the snapshot.
    package var entries: [Entry]
    /// What the disk lost of the log behind `entries`, or may have lost: indexes that this server may have acknowledged (rule
    /// P34). Nil: it lost nothing.
    package var lost: ClosedRange<LogIndex>?

    /// The state of a server that never ran, or what was read back.
    package init(
        hardState: HardState = HardState(),
        snapshot: SnapshotMetadata? = nil,
        entries: [Entry] = [],
        lost: ClosedRange<LogIndex>? = nil
    ) {
        self.hardState = hardState
        self.snapshot = snapshot
        self.entries = entries
        self.lost = lost
    }
}

/// Why a server must not start from what is on its disk. No crash leaves these behind: something was deleted or damaged.
package enum RestoreError: Error, Hashable, Sendable {
    /// Entries are missing between the snapshot, or the log's beginning, and the log (rule P30).
    case gap(snapshot: LogIndex, firstEntry: LogIndex)
    /// The entry at this index does not follow the one before it.
    case notConsecutive(LogIndex)
    /// The log ends in a later term than the durable one: term and log were written apart (rule P9).
    case termBehindLog(Term, LogPosition)
    /// The log has an entry of another term where the snapshot ends.
    case snapshotDisagrees(LogPosition)
    /// The configuration at this index cannot be read.
    case unreadableConfiguration(LogIndex)
}

extension RestoreError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .gap(let snapshot, let first):
            "the log begins at \(first), but the snapshot ends at \(snapshot): entries are missing. Restore the missing file, or remove this server and add it again with an empty directory."
        case .notConsecutive(let index): "the log's entry \(index) does not follow the one before it"
        case .termBehindLog(let term, let last):
            "the log ends in \(last.term), but the durable term is \(term): term and log were written apart"
        case .snapshotDisagrees(let position):
            "the log has another entry at \(position.index) than the snapshot, \(position.term)"
        case .unreadableConfiguration(let index): "the configuration at \(index) cannot be read"
        }
    }
}

extension RestoredState {
    /// Whether a server may start from this.
    package func check() throws(RestoreError) {
        let base = snapshot?.last ?? .start
        var previous = base
        if let first = entries.first {
            guard first.index <= base.index.next, first.index > .zero else {
                throw .gap(snapshot: base.index, firstEntry: first.index)
            }
            previous = LogPosition(index: first.index - 1, term: .zero)
        }
        for entry in entries {
            guard entry.index == previous.index.next, entry.term >= previous.term else {
                throw .notConsecutive(entry.index)
            }
            previous = LogPosition(index: entry.index, term: entry.term)
            if entry.index == base.index, entry.term != base.term { throw .snapshotDisagrees(base) }
            if entry.index == base.index.next, entry.term < base.term { throw .notConsecutive(entry.index) }
            if entry.kind == .configuration, Configuration(decoding: entry.payload) == nil {
                throw .unreadableConfiguration(entry.index)
            }
        }
        let last = max(previous.term, base.term)
        guard last <= hardState.term else {
            throw .termBehindLog(hardState.term, LogPosition(index: max(previous.index, base.index), term: last))
        }
    }

    /// The entries behind the snapshot.
    var entriesBehindSnapshot: ArraySlice<Entry> {
        guard let snapshot, let first = entries.first else { return entries[...] }
        return entries.dropFirst(max(0, snapshot.last.index - first.index + 1))
    }
}
