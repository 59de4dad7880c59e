// What a server knows after a restart.

package import RaftCore

/// What was found when a log was opened.
package struct Recovered: Sendable {
    /// The identity in the files, with the incarnation drawn when they were created.
    package var identity: LogIdentity
    /// The latest durable hard state; term zero and no vote in a new log.
    package var hardState: HardState
    /// The position in front of `entries`: zero, or that of an entry that a snapshot stands for.
    package var start = LogPosition.start
    /// All entries behind `start`, in order. A damaged one stands there with its index, the least term it can have and without
    /// its payload: see `damaged`.
    package var entries: [Entry]
    /// The last complete snapshot. It reaches at least to `start`.
    package var snapshot: SnapshotInfo?
    /// What was cut off the end, if anything.
    package var tornTail: TornTail?
    /// Entries that were acknowledged and whose content is lost here, ascending. Never empty only where the caller asked
    /// for it with `IfDamaged.quarantine`; then the server must not campaign, nor deny that it has these entries, until each
    /// was brought back with `WriteAheadLog.repair` (raft-rules P34).
    package var damaged: [DamagedEntry] = []
    /// What is damaged in the files, for a person to read.
    package var corruptions: [Corruption] = []

    /// The entries in front of the first damaged one; those a server in quarantine may work with.
    package var intactEntries: [Entry] {
        damaged.first.map { Array(entries[..<($0.index - start.index - 1)]) } ?? entries
    }
    /// The indexes behind `intactEntries`, all of which this server may have acknowledged; nil when nothing is damaged.
    package var lost: ClosedRange<LogIndex>? {
        damaged.first.map { $0.index...(start.index + entries.count) }
    }
}

/// An entry that was here and cannot be read any more.
package struct DamagedEntry: Hashable, Sendable, CustomStringConvertible {
    package var index: LogIndex
    /// The term, when it is known; with the index it names the entry (Raft paper §5.3, log matching).
    package var term: Term?
    /// The checksum of its payload, when it is known.
    package var checksum: UInt32?

    package init(index: LogIndex, term: Term?, checksum: UInt32? = nil) {
        self.index = index
        self.term = term
        self.checksum = checksum
    }

    /// Whether a peer's copy is this very entry, as far as can be told. Where the term is unknown only a committed entry
    /// may be taken.
    package func matches(_ entry: Entry) -> Bool {
        guard entry.index == index, term == nil || entry.term == term else { return false }
        guard let checksum else { return true }
        return entry.payload.withUnsafeBytes { CRC32C.checksum($0) } == checksum
    }

    package var description: String { "\(index)@\(term?.description ?? "unknown term")" }
}

/// A last batch that a crash cut short, so that it was never acknowledged.
///
/// A last batch that *was* acknowledged and got damaged later looks the same: nothing after it proves that its sync
/// returned. Recovery cuts both and reports it here; the other servers still hold the entries.
package struct TornTail: Hashable, Sendable, CustomStringConvertible {
    package var file: String
    package var offset: Int
    /// How far behind `offset` there was something other than zeros; in a recycled file, the length of the batch.
    package var lengthBytes: Int
    /// The entries of the cut batch, when its header is readable.
    package var entries: ClosedRange<LogIndex>?

    package var description: String {
        let what = entries.map { "entries \($0.lowerBound) to \($0.upperBound)" } ?? "an unreadable batch"
        return "cut \(what) off the end of \(file): \(lengthBytes) bytes at byte \(offset) were not written completely"
    }
}
