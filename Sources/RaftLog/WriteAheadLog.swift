// The one ordered log of a server: hard state and entries in one file row, one sync a batch.

package import RaftCore

/// Appends hard state and entries, and makes everything appended durable with one sync.
///
/// Order is kept: what one `append` brings is never durable without all that earlier ones brought (raft-rules P9).
/// Nothing may be acknowledged before the `sync` that follows its `append` has returned (P8, P35).
///
/// Calls block on the disk and must come one at a time, from a thread that may wait. Dropping the log closes it; what was
/// appended and not synced is then lost. No entry stays in memory once it is written.
package final class WriteAheadLog {
    /// How the files are laid out. The defaults are for production; tests use small ones.
    package struct Options: Sendable {
        /// How much space a new segment sets aside.
        package var segmentSizeBytes = 64 << 20
        /// How far behind the end zeros are written ahead of small batches; 0 turns it off. See `writeZerosAhead`.
        package var zeroAheadBytes = 256 << 10
        /// Batches up to this size count as small.
        package var smallBatchBytes = 8 << 10
        /// How many segments that are no longer needed are kept to be used again; more are removed.
        package var spareSegments = 2

        package init() {}
    }

    /// What to do in a directory without a log.
    package enum IfMissing: Sendable {
        /// Begin a new log with the identity given.
        case create
        /// Throw `LogError.missing`: the caller knows that there has been one.
        case refuse
    }

    /// What to do when acknowledged entries are damaged.
    package enum IfDamaged: Sendable {
        /// Throw `LogError.corrupt`.
        case refuse
        /// Hand out what is intact and name the rest in `Recovered.damaged`.
        case quarantine
    }

    /// The largest payload an entry may have.
    package static let maximumPayloadBytes = FrameHeader.maximumPayloadBytes

    /// Whose log this is, with the incarnation found in the files.
    package let identity: LogIdentity
    /// The hard state last appended, durable or not.
    package private(set) var hardState: HardState
    /// The last complete snapshot.
    package internal(set) var snapshot: SnapshotInfo?
    /// No new segment could be set aside for want of space: what is left is the rest of the current one. Writes that
    /// can be refused should be, so that deletions still fit.
    package internal(set) var isLowOnSpace = false

    /// The last entry appended, durable or not; zero when there is none.
    package var lastIndex: LogIndex { terms.lastIndex }
    /// In front of the first entry.
    package var start: LogPosition { terms.start }
    /// How many segment files there are.
    package var segmentCount: Int { sealed.count + 1 }
    /// How many bytes are in use, headers included and space set aside left out.
    package var sizeBytes: Int { sealedBytes + segment.end }
    /// Whether something appended is not durable yet.
    package var hasPending: Bool { hardStateIsPending || !pendingEntries.isEmpty || !pendingRepairs.isEmpty }
    /// The entries that are damaged and not yet repaired, ascending.
    package var damagedEntries: [DamagedEntry] { damaged.values.sorted { $0.index < $1.index } }

    let disk: any Disk
    let options: Options
    private let lockFile: DiskFile
    var segment: ActiveSegment
    var sealed: [SealedSegment]
    var sealedBytes: Int
    var spares: SpareSegments
    var terms: TermRuns
    var damaged: [LogIndex: DamagedEntry]
    /// All bytes ever in the log, as far as this opening knows, and what they were at the last snapshot.
    private(set) var totalBytes = 0
    var bytesAtSnapshot = 0
    private var nextSequence: UInt64
    private var previousChecksum: UInt32
    private var previousBase: LogIndex
    /// Hard state and last entry as the files have them, without what is pending. A segment that is begun says so: should its first
    /// batch never arrive, another one may follow.
    private var writtenHardState: HardState
    private var writtenLast: LogPosition
    private var condition = Condition.healthy
    /// Appended and not yet written. Invariant: the entries' indexes have no gap and end at `lastIndex`.
    private var pendingEntries: [Entry] = []
    /// Where they follow. Meaningful while there are any.
    private var pendingBase = LogIndex.zero
    private var hardStateIsPending = false
    /// Up to here the log holds what its caller may not know it does, because entries before it are, or were, damaged.
    private var heldUpTo = LogIndex.zero
    /// Intact copies of damaged entries, to be written before `pendingEntries`.
    private var pendingRepairs: [Entry] = []
    private let buffer = RawStorage(capacity: 64 << 10)

    private enum Condition {
        case healthy
        /// A write or sync failed; the files are unknown from there on.
        case failed(DiskError)
        case closed
    }

    init(
        disk: any Disk,
        options: Options,
        lockFile: DiskFile,
        identity: LogIdentity,
        segment: ActiveSegment,
        sealed: [SealedSegment] = [],
        spares: SpareSegments,
        replay: Replay = Replay()
    ) {
        self.disk = disk
        self.options = options
        self.lockFile = lockFile
        self.identity = identity
        self.segment = segment
        self.sealed = sealed
        self.spares = spares
        sealedBytes = sealed.reduce(0) { $0 + $1.usedBytes }
        totalBytes = sealedBytes + segment.end
        nextSequence = replay.nextSequence
        previousChecksum = replay.previousChecksum
        previousBase = replay.previousBase
        hardState = replay.hardState
        writtenHardState = replay.hardState
        writtenLast = replay.last
        damaged = replay.damaged
        terms = TermRuns(start: replay.start)
        for position in replay.entries.indices { terms.append(replay.entries[position].term) }
        if !damaged.isEmpty { heldUpTo = terms.lastIndex }
    }

    deinit { close() }

    /// Closes the files and lets the next opener in. What was not synced is dropped.
    package func close() {
        if case .closed = condition { return }
        condition = .closed
        disk.close(segment.file)
        disk.close(lockFile)
    }
}

// MARK: Appending

extension WriteAheadLog {
    /// Adds to the next batch; nothing is written yet.
    ///
    /// - Parameter hardState: the new hard state, when it changed. Its term never goes back, and within a term a vote
    ///   that was given stays.
    /// - Parameter entries: without gaps, the first at most one after `lastIndex` and behind `start`. A smaller first index
    ///   replaces what the log holds from there on. In a log opened with damaged entries, what it holds already stays, and copies
    ///   of damaged entries repair them: it never becomes shorter than what this server has acknowledged, unless entries of
    ///   another term say so (raft-rules P34).
    /// - Throws: `LogError.failed` after a failed write or sync.
    package func append(hardState: HardState? = nil, entries: [Entry] = []) throws(LogError) {
        try requireHealthy()
        if let hardState {
            precondition(hardState.term >= self.hardState.term, "the term went back to \(hardState.term)")
            precondition(
                hardState.term > self.hardState.term || self.hardState.vote == nil
                    || hardState.vote == self.hardState.vote,
                "a second vote in \(hardState.term)"
            )
            self.hardState = hardState
            hardStateIsPending = true
        }
        add(entries[(entries.first?.index ?? .zero > heldUpTo ? 0 : placeOfFirstNew(entries))...])
    }

    private func add(_ entries: ArraySlice<Entry>) {
        guard let first = entries.first?.index else { return }
        precondition(first > start.index && first <= lastIndex.next, "\(first) leaves a gap after \(lastIndex)")
        if first <= lastIndex { cut(behind: first - 1) }
        for position in entries.indices {
            precondition(entries[position].index == lastIndex.next, "\(entries[position].index) after \(lastIndex)")
            let count = entries[position].payload.count
            precondition(count <= Self.maximumPayloadBytes, "payload of \(count) bytes")
            terms.append(entries[position].term)
        }
        if pendingEntries.isEmpty {
            pendingBase = first - 1
            pendingEntries = Array(entries)
        } else {
            pendingEntries += entries
        }
    }

    /// Passes over the entries that the log holds already, repairing the damaged ones among them; returns the place of the first
    /// that it does not hold.
    private func placeOfFirstNew(_ entries: [Entry]) -> Int {
        for place in entries.indices {
            let entry = entries[place]
            guard entry.index <= lastIndex else { return place }
            if let lost = damaged[entry.index] {
                guard lost.matches(entry), isBetweenNeighbours(entry) else { return place }
                stageRepair(entry)
            } else if terms.term(at: entry.index) != entry.term {
                return place
            }
        }
        return entries.count
    }

    /// Whether an entry's term fits to where its index is in this log.
    private func isBetweenNeighbours(_ entry: Entry) -> Bool {
        let before = terms.term(at: entry.index - 1) ?? .zero
        guard entry.index < lastIndex, damaged[entry.index.next] == nil else { return before <= entry.term }
        return before <= entry.term && entry.term <= terms.term(at: entry.index.next) ?? entry.term
    }

    private func stageRepair(_ entry: Entry) {
        damaged[entry.index] = nil
        terms.replaceTerm(at: entry.index, with: entry.term)
        pendingRepairs.append(entry)
    }

    /// Drops what lies behind `index`. What was only buffered never gets written.
    private func cut(behind index: LogIndex) {
        terms.truncate(behind: index)
        heldUpTo = min(heldUpTo, index)
        if !damaged.isEmpty { damaged = damaged.filter { $0.key <= index } }
        if !pendingRepairs.isEmpty { pendingRepairs.removeAll { $0.index > index } }
        guard !pendingEntries.isEmpty else { return }
        pendingEntries.removeLast(min(pendingEntries.count, max(0, pendingBase + pendingEntries.count - index)))
    }

    /// Writes what was appended as one batch and returns once it is on stable storage.
    ///
    /// More than 32 MiB at once becomes several batches, in order.
    /// - Throws: `LogError.diskFull` when a new segment, or exceptionally the batch, does not fit: nothing is lost, the next call
    ///   tries again. `LogError.failed` when a write or the sync failed otherwise: the log is unusable from then on.
    package func sync() throws(LogError) {
        try requireHealthy()
        while let entry = pendingRepairs.first {
            let base = pendingEntries.isEmpty ? terms.last : pendingPosition
            try write(.repair, base, entries: [entry], payloadBytes: entry.payload.count)
            pendingRepairs.removeFirst()
            hardStateIsPending = false
        }
        while hasPending {
            let taken = prefixThatFits()
            let base = pendingEntries.isEmpty ? terms.last : pendingPosition
            try write(.append, base, entries: pendingEntries[..<taken.count], payloadBytes: taken.payloadBytes)
            hardStateIsPending = false
            segment.highestIndex = max(segment.highestIndex, base.index + taken.count)
            if taken.count == pendingEntries.count {
                pendingEntries = []
            } else {
                pendingEntries.removeFirst(taken.count)
                pendingBase = pendingBase + taken.count
            }
        }
    }

    /// Writes intact copies of damaged entries, durably (raft-rules P34).
    ///
    /// - Parameter copies: from peers, in any order. Where `DamagedEntry.term` is unknown, of committed entries only.
    /// - Returns: the indexes repaired; a copy that is not of a damaged entry, or not the right one, is passed over.
    /// - Throws: as `sync`.
    package func repair(_ copies: [Entry]) throws(LogError) -> [LogIndex] {
        try requireHealthy()
        var repaired: [LogIndex] = []
        for entry in copies {
            guard let lost = damaged[entry.index], lost.matches(entry), isBetweenNeighbours(entry) else { continue }
            stageRepair(entry)
            repaired.append(entry.index)
        }
        try sync()
        return repaired
    }

    /// The position in front of what is pending. What lies behind it on the disk, the next batch cuts.
    private var pendingPosition: LogPosition {
        LogPosition(index: pendingBase, term: terms.term(at: pendingBase) ?? .zero)
    }

    /// Says durably that a snapshot is complete, and with `replacingLog` that the log begins anew behind it.
    func record(_ snapshot: LogPosition, replacingLog: Bool) throws(LogError) {
        try sync()
        let base = replacingLog ? snapshot : terms.last
        try write(replacingLog ? .replacingSnapshot : .snapshot, base, snapshot, entries: [], payloadBytes: 0)
        if replacingLog {
            terms = TermRuns(start: snapshot)
            damaged = [:]
        }
        segment.highestIndex = max(segment.highestIndex, base.index)
    }
}

// MARK: Writing

extension WriteAheadLog {
    func requireHealthy() throws(LogError) {
        switch condition {
        case .healthy: return
        case .failed(let error): throw .failed(error)
        case .closed: preconditionFailure("the log is closed")
        }
    }

    func fail(_ error: DiskError) -> LogError {
        condition = .failed(error)
        return .failed(error)
    }

    /// How many pending entries, with their payload bytes, go into the next frame.
    private func prefixThatFits() -> (count: Int, payloadBytes: Int) {
        let limit = FrameHeader.maximumLengthBytes - 2 * FrameHeader.sizeBytes
        var taken = (count: 0, payloadBytes: 0)
        for position in pendingEntries.indices {
            let payloadBytes = taken.payloadBytes + pendingEntries[position].payload.count
            if payloadBytes + (taken.count + 1) * FrameHeader.entrySizeBytes > limit { break }
            taken = (taken.count + 1, payloadBytes)
        }
        return taken
    }

    /// Writes one frame and syncs it, into the next segment when it does not fit into this one.
    private func write(
        _ purpose: FrameHeader.Purpose,
        _ base: LogPosition,
        _ snapshot: LogPosition = .start,
        entries: ArraySlice<Entry>,
        payloadBytes: Int
    ) throws(LogError) {
        let length = FrameHeader.lengthBytes(purpose, entryCount: entries.count, payloadBytes: payloadBytes)
        if segment.end + length > segment.sizeBytes {
            try rollOver(atLeast: length)
        }
        buffer.require(length)
        let frame = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<length])
        let batch = Batch(
            sequence: nextSequence,
            previousChecksum: previousChecksum,
            previousBase: previousBase,
            base: base,
            hardState: hardState,
            purpose: purpose,
            snapshot: snapshot,
            entries: entries
        )
        let checksum = batch.encode(into: frame, seed: segment.seed)
        do {
            if length <= options.smallBatchBytes { try writeZerosAhead(of: segment.end + length) }
            try disk.write(segment.file, at: segment.end, UnsafeRawBufferPointer(frame))
            try disk.sync(segment.file)
        } catch {
            // Where space set aside does not hold what is promised, as on file systems that copy on write, what was written of
            // the batch counts for nothing: the next try writes over it.
            throw error.cause == .noSpace && error.operation == .write ? .diskFull(error) : fail(error)
        }
        segment.end += length
        totalBytes += length
        segment.zeroedEnd = max(segment.zeroedEnd, segment.end)
        nextSequence += 1
        previousChecksum = checksum
        previousBase = base.index
        writtenHardState = hardState
        writtenLast = base
        if purpose == .append, let last = entries.last { writtenLast = LogPosition(index: last.index, term: last.term) }
        buffer.shrink(to: 1 << 20)
    }

    /// Writes zeros behind a small batch, so that the next ones overwrite blocks the file system already counts as written.
    ///
    /// Syncing a write into space that is only set aside also commits the file system's journal. Measured on ext4, three
    /// writers at once, 4 KiB a sync: 250 µs without, 180 µs with zeros ahead; the same bytes reach the disk, since the
    /// journal's block is as large as the batch. For large batches it is not worth it: at 20 kB it saves 70 µs of 360 but
    /// writes 60 % more bytes. Zeroing a whole 64 MiB segment at once would cost 120 ms and delay whoever syncs meanwhile.
    /// A recycled segment needs none of it: all its blocks were written before.
    private func writeZerosAhead(of end: Int) throws(DiskError) {
        guard end > segment.zeroedEnd, options.zeroAheadBytes > 0 else { return }
        let zeroedEnd = min(end + options.zeroAheadBytes, segment.sizeBytes)
        let zeros = RawStorage(zeros: max(zeroedEnd - end, 1))
        try disk.write(segment.file, at: end, UnsafeRawBufferPointer(zeros.bytes).part(0, zeroedEnd - end))
        segment.zeroedEnd = zeroedEnd
    }

    /// Begins the next segment, in a spare one where there is one.
    private func rollOver(atLeast length: Int) throws(LogError) {
        let fitsSpare = SegmentHeader.batchesOffset + length <= options.segmentSizeBytes
        let spare = fitsSpare ? spares.take() : nil
        let header = SegmentHeader(
            id: segment.id + 1,
            identity: identity,
            isRecycled: spare.map(SpareSegments.isRecycled) ?? false,
            firstSequence: nextSequence,
            previousChecksum: previousChecksum,
            previousBase: previousBase,
            base: writtenLast,
            hardState: writtenHardState,
            snapshot: snapshot?.position ?? .start
        )
        let sizeBytes = max(options.segmentSizeBytes, SegmentHeader.batchesOffset + length)
        let next: ActiveSegment
        do {
            if let spare {
                next = try .reuse(spare, on: disk, header)
            } else {
                next = try .create(on: disk, header, sizeBytes: sizeBytes)
            }
        } catch {
            // Once the segment may have its final name it is part of the log, and only its batch may follow.
            let isPublished = error.operation == .rename || error.operation == .syncDirectory
            guard error.cause == .noSpace, !isPublished else { throw fail(error) }
            if let spare { spares.add(spare) }
            throw .diskFull(error)
        }
        disk.close(segment.file)
        sealed.append(segment.sealed)
        sealedBytes += segment.end
        segment = next
    }
}
