// The one ordered log of a server: hard state and entries in one file row, one sync a batch.

package import RaftCore

/// Appends hard state and entries, and makes everything appended durable with one sync.
///
/// Order is kept: what one `append` brings is never durable without all that earlier ones brought (raft-rules P9).
/// Nothing may be acknowledged before the `sync` that follows its `append` has returned (P8, P35).
///
/// Calls block on the disk and must come one at a time, from a thread that may wait. Dropping the log closes it; what was
/// appended and not synced is then lost.
package final class WriteAheadLog {
    /// How the files are laid out. The defaults are for production; tests use small ones.
    package struct Options: Sendable {
        /// How much space a new segment sets aside.
        package var segmentSizeBytes = 64 << 20
        /// How far behind the end zeros are written ahead of small batches; 0 turns it off. See `writeZerosAhead`.
        package var zeroAheadBytes = 256 << 10
        /// Batches up to this size count as small.
        package var smallBatchBytes = 8 << 10

        package init() {}
    }

    /// What to do in a directory without a log.
    package enum IfMissing: Sendable {
        /// Begin a new log with the identity given.
        case create
        /// Throw `LogError.missing`: the caller knows that there has been one.
        case refuse
    }

    /// The largest payload an entry may have.
    package static let maximumPayloadBytes = FrameHeader.maximumPayloadBytes

    /// Whose log this is, with the incarnation found in the files.
    package let identity: LogIdentity
    /// The last entry appended, durable or not; zero when there is none.
    package private(set) var lastIndex: LogIndex
    /// The hard state last appended, durable or not.
    package private(set) var hardState: HardState
    /// How many segment files there are.
    package var segmentCount: Int { Int(segment.id) }
    /// How many bytes are in use, headers included and space set aside left out.
    package var sizeBytes: Int { sealedBytes + segment.end }

    private let disk: any Disk
    private let options: Options
    private let lockFile: DiskFile
    private var segment: ActiveSegment
    private var sealedBytes: Int
    private var nextSequence: UInt64
    private var previousChecksum: UInt32
    private var condition = Condition.healthy
    /// Appended and not yet written. Invariant: the entries' indexes have no gap and end at `lastIndex`.
    private var pendingEntries: [Entry] = []
    private var pendingHardState: HardState?
    private let buffer = RawStorage(capacity: 64 << 10)

    private enum Condition {
        case healthy
        /// A write or sync failed; the files are unknown from there on.
        case failed(DiskError)
        case closed
    }

    private init(
        disk: any Disk,
        options: Options,
        lockFile: DiskFile,
        identity: LogIdentity,
        segment: ActiveSegment,
        sealedBytes: Int,
        replay: Replay
    ) {
        self.disk = disk
        self.options = options
        self.lockFile = lockFile
        self.identity = identity
        self.segment = segment
        self.sealedBytes = sealedBytes
        nextSequence = replay.nextSequence
        previousChecksum = replay.previousChecksum
        lastIndex = replay.lastIndex
        hardState = replay.hardState
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

// MARK: Opening

extension WriteAheadLog {
    /// Opens the log on this disk, recovering what is there, or creates it.
    ///
    /// - Parameter identity: whose data this must be. The incarnation is used for a new log only; an existing one keeps
    ///   its own, see `Recovered.identity`.
    /// - Throws: `LogError`; nothing has been changed then, unless the error is `.io`.
    package static func open(
        disk: any Disk,
        identity: LogIdentity,
        ifMissing: IfMissing,
        options: Options = Options()
    ) throws(LogError) -> (log: WriteAheadLog, recovered: Recovered) {
        let lockFile = try lock(disk)
        do throws(LogError) {
            let names = try io { () throws(DiskError) in try disk.list() }
            let ids = names.compactMap(SegmentHeader.id(fromFileName:)).sorted()
            if ids.isEmpty {
                guard ifMissing == .create else { throw .missing(location: disk.location) }
                return try create(disk, lockFile, identity, options)
            }
            return try recover(disk, lockFile, identity, options, ids)
        } catch {
            disk.close(lockFile)
            throw error
        }
    }

    /// Whose log is on this disk; nil when there is none. Takes no lock and reads one page.
    package static func identity(on disk: any Disk) throws(LogError) -> LogIdentity? {
        let names = try io { () throws(DiskError) in try disk.list() }
        guard let id = names.compactMap(SegmentHeader.id(fromFileName:)).min() else { return nil }
        let name = SegmentHeader.fileName(id)
        let file = try io { () throws(DiskError) in try disk.open(name) }
        defer { disk.close(file) }
        let page = RawStorage(capacity: SegmentHeader.batchesOffset)
        let count = try io { () throws(DiskError) in try disk.read(file, at: 0, into: page.bytes) }
        switch SegmentHeader.decode(UnsafeRawBufferPointer(page.bytes).part(0, count)) {
        case .header(let header, _):
            return header.identity
        case .unknownVersion(let version):
            throw .unknownVersion(
                file: "\(disk.location)/\(name)",
                found: version,
                supported: SegmentHeader.formatVersion
            )
        case .damaged:
            throw .corrupt(Corruption(kind: .segmentHeader, location: disk.location, file: name, offset: 0))
        }
    }

    private static func lock(_ disk: any Disk) throws(LogError) -> DiskFile {
        do {
            return try disk.lock()
        } catch {
            if case .lockHeld(let pid) = error.cause { throw .alreadyInUse(location: disk.location, processID: pid) }
            throw .io(error)
        }
    }

    private static func create(
        _ disk: any Disk,
        _ lockFile: DiskFile,
        _ identity: LogIdentity,
        _ options: Options
    ) throws(LogError) -> (log: WriteAheadLog, recovered: Recovered) {
        let replay = Replay()
        let header = SegmentHeader(id: 1, identity: identity, firstSequence: replay.nextSequence, previousChecksum: 0)
        let segment: ActiveSegment
        do {
            segment = try .create(on: disk, header, sizeBytes: options.segmentSizeBytes)
        } catch {
            throw error.cause == .noSpace ? .diskFull(error) : .io(error)
        }
        let log = WriteAheadLog(
            disk: disk,
            options: options,
            lockFile: lockFile,
            identity: identity,
            segment: segment,
            sealedBytes: 0,
            replay: replay
        )
        return (log, Recovered(identity: identity, hardState: HardState(), entries: []))
    }

    private static func recover(
        _ disk: any Disk,
        _ lockFile: DiskFile,
        _ identity: LogIdentity,
        _ options: Options,
        _ ids: [UInt64]
    ) throws(LogError) -> (log: WriteAheadLog, recovered: Recovered) {
        var recovery = Recovery(disk: disk, expected: identity)
        let tail = try recovery.run(ids)
        let found = recovery.identity ?? identity
        let segment = ActiveSegment(
            file: tail.file,
            id: tail.id,
            seed: tail.checksum,
            sizeBytes: tail.sizeBytes,
            end: tail.end
        )
        let log = WriteAheadLog(
            disk: disk,
            options: options,
            lockFile: lockFile,
            identity: found,
            segment: segment,
            sealedBytes: tail.sealedBytes,
            replay: recovery.replay
        )
        let recovered = Recovered(
            identity: found,
            hardState: recovery.replay.hardState,
            entries: recovery.replay.entries,
            tornTail: tail.torn
        )
        return (log, recovered)
    }
}

// MARK: Appending

extension WriteAheadLog {
    /// Adds to the next batch; nothing is written yet.
    ///
    /// - Parameter hardState: the new hard state, when it changed. Its term never goes back, and within a term a vote
    ///   that was given stays.
    /// - Parameter entries: without gaps, the first at most one after `lastIndex`. A smaller first index replaces what
    ///   the log holds from there on.
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
            pendingHardState = hardState
        }
        guard let first = entries.first else { return }
        precondition(
            first.index > .zero && first.index <= lastIndex.next,
            "\(first.index) leaves a gap after \(lastIndex)"
        )
        var index = first.index
        for entry in entries {
            precondition(entry.index == index, "\(entry.index) where \(index) belongs")
            precondition(entry.payload.count <= Self.maximumPayloadBytes, "payload of \(entry.payload.count) bytes")
            index = index.next
        }
        // What was only buffered and is now replaced never gets written.
        let replaced = min(pendingEntries.count, lastIndex.next - first.index)
        pendingEntries.removeLast(replaced)
        if pendingEntries.isEmpty { pendingEntries = entries } else { pendingEntries += entries }
        lastIndex = index - 1
    }

    /// Writes what was appended as one batch and returns once it is on stable storage.
    ///
    /// More than 32 MiB at once becomes several batches, in order.
    /// - Throws: `LogError.diskFull` when a new segment is needed and does not fit: nothing is lost, the next call tries
    ///   again. `LogError.failed` when a write or the sync failed: the log is unusable from then on.
    package func sync() throws(LogError) {
        try requireHealthy()
        while pendingHardState != nil || !pendingEntries.isEmpty {
            let taken = prefixThatFits()
            var length = frameLength(taken)
            if segment.end + length > segment.sizeBytes {
                // A segment states the hard state for itself, so that those before it can be dropped one day.
                if hardState != HardState() { pendingHardState = hardState }
                length = frameLength(taken)
                try rollOver(atLeast: length)
            }
            try write(taken, length)
        }
    }

    private func requireHealthy() throws(LogError) {
        switch condition {
        case .healthy: return
        case .failed(let error): throw .failed(error)
        case .closed: preconditionFailure("the log is closed")
        }
    }

    /// How many pending entries, with their payload bytes, go into the next frame.
    private func prefixThatFits() -> (count: Int, payloadBytes: Int) {
        let limit = FrameHeader.maximumLengthBytes - 64
        var taken = (count: 0, payloadBytes: 0)
        for entry in pendingEntries {
            let payloadBytes = taken.payloadBytes + entry.payload.count
            if payloadBytes + (taken.count + 1) * FrameHeader.entrySizeBytes > limit - FrameHeader.sizeBytes { break }
            taken = (taken.count + 1, payloadBytes)
        }
        return taken
    }

    private func frameLength(_ taken: (count: Int, payloadBytes: Int)) -> Int {
        FrameHeader.lengthBytes(
            hardState: pendingHardState != nil,
            entryCount: taken.count,
            payloadBytes: taken.payloadBytes
        )
    }

    private func write(_ taken: (count: Int, payloadBytes: Int), _ length: Int) throws(LogError) {
        buffer.require(length)
        let frame = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<length])
        let batch = Batch(
            sequence: nextSequence,
            previousChecksum: previousChecksum,
            hardState: pendingHardState,
            entries: pendingEntries[..<taken.count]
        )
        let checksum = batch.encode(into: frame, seed: segment.seed)
        do {
            if length <= options.smallBatchBytes { try writeZerosAhead(of: segment.end + length) }
            try disk.write(segment.file, at: segment.end, UnsafeRawBufferPointer(frame))
            try disk.sync(segment.file)
        } catch {
            throw fail(error)
        }
        segment.end += length
        segment.zeroedEnd = max(segment.zeroedEnd, segment.end)
        nextSequence += 1
        previousChecksum = checksum
        pendingHardState = nil
        if taken.count == pendingEntries.count {
            pendingEntries = []
        } else {
            pendingEntries.removeFirst(taken.count)
        }
        buffer.shrink(to: 1 << 20)
    }

    /// Writes zeros behind a small batch, so that the next ones overwrite blocks the file system already counts as written.
    ///
    /// Syncing a write into space that is only set aside also commits the file system's journal. Measured on ext4, three
    /// writers at once, 4 KiB a sync: 250 µs without, 180 µs with zeros ahead; the same bytes reach the disk, since the
    /// journal's block is as large as the batch. For large batches it is not worth it: at 20 kB it saves 70 µs of 360 but
    /// writes 60 % more bytes. Zeroing a whole 64 MiB segment at once would cost 120 ms and delay whoever syncs meanwhile.
    private func writeZerosAhead(of end: Int) throws(DiskError) {
        guard end > segment.zeroedEnd, options.zeroAheadBytes > 0 else { return }
        let zeroedEnd = min(end + options.zeroAheadBytes, segment.sizeBytes)
        let zeros = RawStorage(capacity: max(zeroedEnd - end, 1))
        _ = zeros.bytes.initializeMemory(as: UInt8.self, repeating: 0)
        try disk.write(segment.file, at: end, UnsafeRawBufferPointer(zeros.bytes).part(0, zeroedEnd - end))
        segment.zeroedEnd = zeroedEnd
    }

    /// Begins the next segment. It costs about a millisecond per 64 MiB: three syncs and an allocation, nothing worth
    /// doing ahead of time.
    private func rollOver(atLeast length: Int) throws(LogError) {
        let header = SegmentHeader(
            id: segment.id + 1,
            identity: identity,
            firstSequence: nextSequence,
            previousChecksum: previousChecksum
        )
        let sizeBytes = max(options.segmentSizeBytes, SegmentHeader.batchesOffset + length)
        let next: ActiveSegment
        do {
            next = try .create(on: disk, header, sizeBytes: sizeBytes)
        } catch {
            // Once the segment may have its final name it is part of the log, and only its batch may follow.
            let isPublished = error.operation == .rename || error.operation == .syncDirectory
            throw error.cause == .noSpace && !isPublished ? .diskFull(error) : fail(error)
        }
        disk.close(segment.file)
        sealedBytes += segment.end
        segment = next
    }

    private func fail(_ error: DiskError) -> LogError {
        condition = .failed(error)
        return .failed(error)
    }
}
