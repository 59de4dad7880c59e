// The log in memory.

/// Consecutive entries in one array, addressed by log index.
///
/// Whatever leaves this type is a copy (`Array(…)` of a range): a slice would share the buffer, and the next append would then copy
/// the whole log.
struct EntryLog: Sendable {
    /// Invariant: `entries[i].index == start.index + 1 + i`, and terms never decrease.
    private var entries: [Entry]
    /// The position in front of `entries`: what was there and before is in a snapshot.
    private(set) var start: LogPosition

    /// The log that a restart found, right behind `start`. The entries must be consecutive, with terms that never decrease.
    init(_ entries: some Sequence<Entry>, behind start: LogPosition = .start) {
        self.entries = Array(entries)
        self.start = start
        var previous = start
        for entry in self.entries {
            precondition(
                entry.index == previous.index.next && entry.term >= previous.term,
                "a restored log must be consecutive: \(entry.index) \(entry.term) follows \(previous)"
            )
            previous = LogPosition(index: entry.index, term: entry.term)
        }
    }

    /// The last entry's index, zero when there is none.
    var lastIndex: LogIndex { start.index + entries.count }

    /// The last entry's position.
    var last: LogPosition {
        entries.isEmpty ? start : LogPosition(index: lastIndex, term: entries[entries.count - 1].term)
    }

    /// The term of the entry at `index`; nil when the log does not hold one there.
    func term(at index: LogIndex) -> Term? {
        let offset = index - start.index
        if offset == 0 { return start.term }
        return offset > 0 && offset <= entries.count ? entries[offset - 1].term : nil
    }

    /// Whether the log holds this very position. Then all before it is equal too (log matching, Raft §5.3).
    func contains(_ position: LogPosition) -> Bool { term(at: position.index) == position.term }

    /// Copies the entries in `range`, which must lie within the log.
    func copy(_ range: ClosedRange<LogIndex>) -> [Entry] {
        Array(entries[(range.lowerBound - start.index - 1)...(range.upperBound - start.index - 1)])
    }

    /// What one message carries.
    struct Batch {
        let first: LogIndex
        let entries: [Entry]
        /// The payloads' size.
        let bytes: Int

        /// No batch: no entry has index zero.
        static let none = Batch(first: .zero, entries: [], bytes: 0)
    }

    /// Copies entries from `first` on, as many as `count` and `bytes` of payload allow but at least one.
    func batch(from first: LogIndex, count: Int, bytes: Int) -> Batch {
        let low = first - start.index - 1
        let limit = min(entries.count, low + count)
        var high = low
        var size = 0
        while high < limit {
            let more = entries[high].payload.count
            if high > low && size + more > bytes { break }
            size += more
            high += 1
        }
        return Batch(first: first, entries: Array(entries[low..<high]), bytes: size)
    }

    /// Adds an entry right behind the last one.
    mutating func append(_ entry: Entry) {
        assert(entry.index == lastIndex.next && entry.term >= last.term)
        entries.append(entry)
    }

    /// Adds consecutive entries right behind the last one.
    mutating func append(_ more: ArraySlice<Entry>) {
        assert(more.first.map { $0.index == lastIndex.next && $0.term >= last.term } ?? true)
        entries.append(contentsOf: more)
    }

    /// Drops the entry at `index` and all behind it.
    mutating func truncate(from index: LogIndex) {
        entries.removeLast(lastIndex - index + 1)
    }

    /// Forgets the entry at `index` and all before it. Costs as much as what stays.
    mutating func compact(upTo index: LogIndex) {
        guard index > start.index else { return }
        guard let term = term(at: index) else { preconditionFailure("compaction to \(index), beyond \(lastIndex)") }
        entries.removeFirst(index - start.index)
        start = LogPosition(index: index, term: term)
    }

    /// The payloads' size behind `low` and up to `high`, both within the log.
    func payloadBytes(behind low: LogIndex, upTo high: LogIndex) -> Int {
        var bytes = 0
        for offset in (low - start.index)..<max(high - start.index, low - start.index) {
            bytes += entries[offset].payload.count
        }
        return bytes
    }

    /// The first index behind which the entries up to `end` are no more, and their payloads no larger, than `tail` allows. Costs as much
    /// as what lies in between.
    func startOfTail(_ tail: LogTail, upTo end: LogIndex) -> LogIndex {
        let high = end - start.index
        var low = high
        var bytes = 0
        while low > 0 && high - low < tail.entries {
            bytes += entries[low - 1].payload.count
            if bytes > tail.bytes { break }
            low -= 1
        }
        return start.index + low
    }

    /// The last position at or before `index` with a term of at most `term`: the last one at which this log and
    /// another, known to have `term` at or after `index`, may agree (rule P13; etcd `findConflictByTerm`).
    ///
    /// Terms never decrease along a log, so a binary search finds it.
    func lastPosition(atOrBefore index: LogIndex, termAtMost term: Term) -> LogPosition {
        var low = 0
        // In front of the log there is only its start: what lies there is committed, and so agrees.
        var high = max(0, min(index, lastIndex) - start.index)
        while low < high {
            let middle = (low + high + 1) / 2
            if entries[middle - 1].term <= term { low = middle } else { high = middle - 1 }
        }
        return low == 0 ? start : LogPosition(index: start.index + low, term: entries[low - 1].term)
    }
}
