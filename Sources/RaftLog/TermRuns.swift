// The term of each index, without the entries.

import RaftCore

/// Which term each entry of a log is of: one run for each change, of which there are few.
struct TermRuns: Hashable {
    /// In front of the first entry.
    private(set) var start: LogPosition
    /// The last entry, or `start`.
    private(set) var lastIndex: LogIndex
    /// Invariant: first indexes and terms ascend; the first run begins right behind `start`, unless there is none.
    private var runs: [LogPosition] = []

    init(start: LogPosition) {
        self.start = start
        lastIndex = start.index
    }

    var last: LogPosition { LogPosition(index: lastIndex, term: runs.last?.term ?? start.term) }

    /// The next entry is of this term.
    mutating func append(_ term: Term) {
        lastIndex = lastIndex.next
        if runs.last?.term != term { runs.append(LogPosition(index: lastIndex, term: term)) }
    }

    /// Drops all behind `index`.
    mutating func truncate(behind index: LogIndex) {
        precondition(index >= start.index, "\(index) is before the log's start, \(start)")
        lastIndex = min(lastIndex, index)
        while let run = runs.last, run.index > index { runs.removeLast() }
    }

    /// The term at `index`; nil outside the log.
    func term(at index: LogIndex) -> Term? {
        guard index >= start.index, index <= lastIndex else { return nil }
        return runs.last { $0.index <= index }?.term ?? start.term
    }

    /// The entry at `index` turned out to be of this term, which fits between its neighbours'.
    mutating func replaceTerm(at index: LogIndex, with term: Term) {
        guard let place = runs.lastIndex(where: { $0.index <= index }), runs[place].term != term else { return }
        let old = runs[place].term
        let nextRun = place + 1 < runs.count ? runs[place + 1].index : lastIndex.next
        var parts: [LogPosition] = []
        if runs[place].index < index { parts.append(runs[place]) }
        parts.append(LogPosition(index: index, term: term))
        if index.next < nextRun { parts.append(LogPosition(index: index.next, term: old)) }
        runs.replaceSubrange(place...place, with: parts)
    }

    /// Forgets all up to `position`.
    mutating func drop(upTo position: LogPosition) {
        while runs.count > 1, runs[1].index <= position.index.next { runs.removeFirst() }
        start = position
        if lastIndex <= position.index {
            lastIndex = position.index
            runs = []
        } else if runs[0].index <= position.index {
            runs[0].index = position.index.next
        }
    }
}
