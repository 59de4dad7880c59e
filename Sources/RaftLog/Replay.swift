// The log's content as a value that batches, and the loss of batches, are applied to.

import RaftCore

/// The log's content as the batches build it up: a pure value.
struct Replay {
    var hardState = HardState()
    /// In front of the first entry.
    var start = LogPosition.start
    /// Invariant: consecutive from `start` on. A damaged one is there with its index, the least term it can have and no payload.
    var entries: [Entry] = []
    /// The entries whose content is lost. Invariant: each lies in `entries`.
    var damaged: [LogIndex: DamagedEntry] = [:]
    /// A batch is lost that replaced entries up to here; which of ours are the old ones is unknown.
    var doubtfulUpTo = LogIndex.zero
    /// The last snapshot recorded.
    var snapshot = LogPosition.start
    /// The sequence the next batch must have.
    var nextSequence: UInt64 = 1
    /// The checksum the next batch must name.
    var previousChecksum: UInt32 = 0
    /// Where the last batch cut the log.
    var previousBase = LogIndex.zero

    init() {}

    /// What a segment's header says of all before it.
    init(_ header: SegmentHeader) {
        hardState = header.hardState
        start = header.base
        snapshot = header.snapshot
        nextSequence = header.firstSequence
        previousChecksum = header.previousChecksum
        previousBase = header.previousBase
    }

    /// The end of the log.
    var last: LogPosition {
        entries.last.map { LogPosition(index: $0.index, term: $0.term) } ?? start
    }

    /// The term at `index`; nil when the log does not reach it.
    func term(at index: LogIndex) -> Term? {
        let offset = index - start.index
        if offset == 0 { return start.term }
        return offset > 0 && offset <= entries.count ? entries[offset - 1].term : nil
    }

    /// Whether this header is that of the batch that comes next.
    func expects(_ header: FrameHeader) -> Bool {
        header.sequence == nextSequence && header.previousChecksum == previousChecksum
    }

    /// Whether a segment with this header continues the log without loss.
    func expects(_ header: SegmentHeader) -> Bool {
        header.firstSequence == nextSequence && header.previousChecksum == previousChecksum
    }
}

// MARK: Batches

extension Replay {
    /// Applies a frame whose header is sound; false when it contradicts what is before it, which no crash can bring about.
    mutating func apply(_ header: FrameHeader, _ frame: UnsafeRawBufferPointer, _ verdict: FrameHeader.Verdict) -> Bool
    {
        guard header.hardState.term >= hardState.term else { return false }
        hardState = header.hardState
        nextSequence = header.sequence + 1
        previousChecksum = header.checksum
        previousBase = header.base.index
        // A replacing record stands at its snapshot's position, so that even without its table this is known.
        if header.purpose == .replacingSnapshot { reset(to: header.base) }
        guard cut(behind: header.base) else { return false }
        let hasTable = verdict != .tableDamaged
        switch header.purpose {
        case .append where !hasTable:
            lose(header.entryCount)
        case .append:
            header.forEachEntry(in: frame, damaged: verdict.damagedPlaces) { append($0, $1) }
        case .snapshot, .replacingSnapshot:
            if header.purpose == .replacingSnapshot { snapshot = header.base }
            if hasTable { snapshot = header.snapshot(in: frame) }
        case .repair:
            if hasTable {
                header.forEachEntry(in: frame, damaged: verdict.damagedPlaces) { if $1 == nil { repair($0) } }
            }
        }
        return true
    }

    /// Drops what lies behind `base`; false when the log does not hold that position.
    private mutating func cut(behind base: LogPosition) -> Bool {
        if liesBeforeStart(base) {
            // What the first segment follows was replaced later, and the segment it was in is dropped. So was all that has been
            // appended behind it since.
            reset(to: base)
            return true
        }
        guard holds(base) else { return false }
        truncate(behind: base.index)
        return true
    }

    /// Whether the log has this position, as far as is known.
    func holds(_ position: LogPosition) -> Bool {
        guard let term = term(at: position.index) else { return false }
        return term == position.term || damaged[position.index] != nil || position.index <= doubtfulUpTo
    }

    /// Whether a batch may follow this position although the log begins behind it: the segment that held it is dropped, and what the
    /// first one that is left follows was replaced. What a snapshot stands for is never replaced.
    private func liesBeforeStart(_ position: LogPosition) -> Bool {
        position.index < start.index && position.index >= snapshot.index
    }

    /// Whether a segment may begin behind this position: its first batch may replace what the log holds behind it.
    func reaches(_ position: LogPosition) -> Bool { holds(position) || liesBeforeStart(position) }

    mutating func truncate(behind index: LogIndex) {
        let surplus = last.index - index
        guard surplus > 0 else { return }
        entries.removeLast(surplus)
        if !damaged.isEmpty { damaged = damaged.filter { $0.key <= index } }
        doubtfulUpTo = min(doubtfulUpTo, index)
    }

    private mutating func append(_ entry: Entry, _ lostChecksum: UInt32?) {
        entries.append(entry)
        if let lostChecksum {
            damaged[entry.index] = DamagedEntry(index: entry.index, term: entry.term, checksum: lostChecksum)
        }
    }

    private mutating func repair(_ entry: Entry) {
        guard let lost = damaged[entry.index], lost.term == nil || lost.term == entry.term else { return }
        damaged[entry.index] = nil
        entries[entry.index - start.index - 1] = entry
    }

    /// The log is empty, and begins behind `position`.
    mutating func reset(to position: LogPosition) {
        start = position
        entries = []
        damaged = [:]
        doubtfulUpTo = .zero
    }

    /// Forgets the entries up to a position within the log: a snapshot stands for them.
    mutating func drop(upTo position: LogPosition) {
        entries.removeFirst(position.index - start.index)
        start = position
        damaged = damaged.filter { $0.key > position.index }
        if doubtfulUpTo <= position.index { doubtfulUpTo = .zero }
    }
}

// MARK: Loss

extension Replay {
    /// Batches are lost before one with this header; false when the header contradicts what is known.
    mutating func bridge(to header: FrameHeader) -> Bool {
        let lost = header.sequence - nextSequence
        guard resume(header.hardState, header.sequence, header.previousChecksum) else { return false }
        // Whatever was lost, the log begins anew here.
        if header.purpose == .replacingSnapshot { return true }
        return bridge(to: header.base, lost: lost, lastCut: header.previousBase)
    }

    /// Batches are lost at the end of the segment before the one with this header.
    mutating func bridge(to header: SegmentHeader) -> Bool {
        let lost = header.firstSequence - nextSequence
        guard resume(header.hardState, header.firstSequence, header.previousChecksum) else { return false }
        if header.snapshot.index > snapshot.index { snapshot = header.snapshot }
        return bridge(to: header.base, lost: lost, lastCut: header.previousBase)
    }

    private mutating func resume(_ hardState: HardState, _ sequence: UInt64, _ checksum: UInt32) -> Bool {
        guard hardState.term >= self.hardState.term else { return false }
        self.hardState = hardState
        nextSequence = sequence
        previousChecksum = checksum
        return true
    }

    /// So many batches are lost, the last of which cut the log behind `lastCut`; what comes next follows `base`.
    private mutating func bridge(to base: LogPosition, lost: UInt64, lastCut: LogIndex) -> Bool {
        if liesBeforeStart(base) {
            reset(to: base)
            return true
        }
        guard base.index >= start.index else { return false }
        // What was there behind the last cut has been replaced.
        truncate(behind: max(lastCut, start.index))
        if base.index > last.index {
            // Terms never go back along a log: what lies between two entries of one term is of that term.
            let known = last.term == base.term ? base.term : nil
            // What the batches before the last one replaced is not known. Nothing, where our last entry is of the term of one behind it
            // (log matching), of the present term, or in a snapshot.
            if lost > 1, known == nil, last.term < hardState.term, last.index > snapshot.index {
                doubtfulUpTo = last.index
            }
            while last.index < base.index {
                let index = last.index.next
                let term = index == base.index ? base.term : known
                entries.append(Entry(term: term ?? last.term, index: index, kind: .noop))
                damaged[index] = DamagedEntry(index: index, term: term)
            }
            return true
        }
        truncate(behind: base.index)
        guard term(at: base.index) != base.term else { return true }
        if let lost = damaged[base.index], lost.term == nil {
            damaged[base.index]?.term = base.term
        } else {
            // One of the lost batches replaced entries up to here, from an unknown one on.
            doubtfulUpTo = base.index
        }
        return true
    }

    /// A batch that appended `count` entries is readable in its header only.
    private mutating func lose(_ count: Int) {
        for _ in 0..<count {
            let index = last.index.next
            // An entry is of no later term than the server that writes it.
            let term = last.term == hardState.term ? hardState.term : nil
            entries.append(Entry(term: last.term, index: index, kind: .noop))
            damaged[index] = DamagedEntry(index: index, term: term)
        }
    }
}

extension FrameHeader.Verdict {
    /// The places of the damaged payloads.
    fileprivate var damagedPlaces: Set<Int> {
        if case .payloadsDamaged(let places) = self { places } else { [] }
    }
}
