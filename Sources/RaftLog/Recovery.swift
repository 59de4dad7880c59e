// What a server knows after a restart: reads all segments in order and decides where the log ends.

import ConclavePlatform
package import RaftCore

/// What was found when a log was opened.
package struct Recovered: Sendable {
    /// The identity in the files, with the incarnation drawn when they were created.
    package var identity: LogIdentity
    /// The latest durable hard state; term zero and no vote in a new log.
    package var hardState: HardState
    /// All entries, in order, the first with index 1.
    package var entries: [Entry]
    /// What was cut off the end, if anything.
    package var tornTail: TornTail?
}

/// A last batch that a crash cut short, so that it was never acknowledged.
///
/// A last batch that *was* acknowledged and got damaged later looks the same: nothing after it proves that its sync
/// returned. Recovery cuts both and reports it here; the other servers still hold the entries.
package struct TornTail: Hashable, Sendable, CustomStringConvertible {
    package var file: String
    package var offset: Int
    /// How far behind `offset` there was something other than zeros.
    package var lengthBytes: Int
    /// The entries of the cut batch, when its header is readable.
    package var entries: ClosedRange<LogIndex>?

    package var description: String {
        let what = entries.map { "entries \($0.lowerBound) to \($0.upperBound)" } ?? "an unreadable batch"
        return "cut \(what) off the end of \(file): \(lengthBytes) bytes at byte \(offset) were not written completely"
    }
}

/// The log's content as the batches build it up: a pure value.
struct Replay {
    var hardState = HardState()
    var entries: [Entry] = []
    /// The sequence the next batch must have.
    var nextSequence: UInt64 = 1
    /// The checksum the next batch must name.
    var previousChecksum: UInt32 = 0

    var lastIndex: LogIndex { entries.last?.index ?? .zero }

    /// Whether this header is that of the batch that comes next.
    func expects(_ header: FrameHeader) -> Bool {
        header.sequence == nextSequence && header.previousChecksum == previousChecksum
    }

    /// Applies a verified frame; false when it contradicts what is before it, which no crash can bring about.
    mutating func apply(_ header: FrameHeader, _ frame: UnsafeRawBufferPointer) -> Bool {
        if let next = header.hardState(in: frame) {
            guard next.term >= hardState.term else { return false }
            hardState = next
        }
        if header.entryCount > 0 {
            guard header.firstIndex <= lastIndex.next else { return false }
            entries.removeLast(lastIndex.next - header.firstIndex)
            header.appendEntries(in: frame, to: &entries)
        }
        nextSequence += 1
        previousChecksum = header.checksum
        return true
    }
}

/// One pass over the segments.
struct Recovery {
    let disk: any Disk
    let expected: LogIdentity
    private(set) var replay = Replay()
    /// The identity in the first segment.
    private(set) var identity: LogIdentity?
    private let storage = RawStorage(capacity: SegmentReader.windowSizeBytes)

    init(disk: any Disk, expected: LogIdentity) {
        self.disk = disk
        self.expected = expected
    }

    /// Where the sound batches of a segment end, and why.
    private struct Stop {
        var offset: Int
        /// Where the last sound batch begins; nil when the segment has none.
        var lastFrame: Range<Int>?
        /// The header of the batch at `offset`, when it is sound and the one that should come.
        var header: FrameHeader?
        var damage: FrameHeader.Damage?
    }

    /// The last segment, ready to be appended to.
    struct Tail {
        var file: DiskFile
        var id: UInt64
        var checksum: UInt32
        var sizeBytes: Int
        var end: Int
        /// What the segments before it occupy.
        var sealedBytes: Int
        var torn: TornTail?
    }

    /// Reads the segments with these ids, ascending and at least one; makes durable what it found, and the cut.
    mutating func run(_ ids: [UInt64]) throws(LogError) -> Tail {
        var previous: (id: UInt64, stop: Stop)?
        var sealedBytes = 0
        for id in ids {
            let file = try io { () throws(DiskError) in try disk.open(SegmentHeader.fileName(id)) }
            do throws(LogError) {
                var reader = try io { () throws(DiskError) in
                    try SegmentReader(disk: disk, file: file, storage: storage)
                }
                let (header, checksum) = try readHeader(&reader, id: id)
                try check(header, after: previous)
                let stop = try scan(&reader, seed: checksum)
                if id == ids.last {
                    let torn = try cutTail(&reader, stop, seed: checksum)
                    try makeDurable(&reader, stop)
                    return Tail(
                        file: file,
                        id: id,
                        checksum: checksum,
                        sizeBytes: reader.sizeBytes,
                        end: stop.offset,
                        sealedBytes: sealedBytes,
                        torn: torn
                    )
                }
                sealedBytes += stop.offset
                previous = (id, stop)
            } catch {
                disk.close(file)
                throw error
            }
            disk.close(file)
        }
        preconditionFailure("recovery of a log without segments")
    }
}

extension Recovery {
    private func readHeader(
        _ reader: inout SegmentReader,
        id: UInt64
    ) throws(LogError) -> (header: SegmentHeader, checksum: UInt32) {
        let name = SegmentHeader.fileName(id)
        let damaged = LogError.corrupt(Corruption(kind: .segmentHeader, location: disk.location, file: name, offset: 0))
        let bytes: UnsafeRawBufferPointer?
        do { bytes = try reader.bytes(at: 0, count: SegmentHeader.batchesOffset) } catch { throw .io(error) }
        guard let bytes else { throw damaged }
        switch SegmentHeader.decode(bytes) {
        case .header(let header, let checksum):
            guard header.id == id else { throw damaged }
            return (header, checksum)
        case .unknownVersion(let version):
            throw .unknownVersion(
                file: "\(disk.location)/\(name)",
                found: version,
                supported: SegmentHeader.formatVersion
            )
        case .damaged:
            throw damaged
        }
    }

    /// Whether this segment is ours and begins where the one before it ended.
    private mutating func check(_ header: SegmentHeader, after previous: (id: UInt64, stop: Stop)?) throws(LogError) {
        let found = header.identity
        guard let previous, let identity else {
            guard found.cluster == expected.cluster else {
                throw .wrongCluster(location: disk.location, found: found.cluster, expected: expected.cluster)
            }
            guard found.node == expected.node else {
                throw .wrongNode(location: disk.location, found: found.node, expected: expected.node)
            }
            identity = found
            guard header.id == 1 else { throw missing(1) }
            return
        }
        guard header.id == previous.id + 1 else { throw missing(previous.id + 1) }
        guard found == identity else {
            let name = SegmentHeader.fileName(header.id)
            throw .corrupt(Corruption(kind: .mixedIdentities, location: disk.location, file: name, offset: 0))
        }
        // A segment is begun only once everything before it is synced: what is missing there was acknowledged.
        guard header.firstSequence == replay.nextSequence, header.previousChecksum == replay.previousChecksum else {
            throw corruption(SegmentHeader.fileName(previous.id), previous.stop)
        }
    }

    private func missing(_ id: UInt64) -> LogError {
        let name = SegmentHeader.fileName(id)
        return .corrupt(Corruption(kind: .missingSegment, location: disk.location, file: name, offset: 0))
    }

    /// Applies batch after batch until one is not as it should be.
    private mutating func scan(_ reader: inout SegmentReader, seed: UInt32) throws(LogError) -> Stop {
        var stop = Stop(offset: SegmentHeader.batchesOffset)
        do {
            while let bytes = try reader.bytes(at: stop.offset, count: FrameHeader.sizeBytes),
                let header = FrameHeader(bytes, seed: seed), replay.expects(header)
            {
                stop.header = header
                guard let frame = try reader.bytes(at: stop.offset, count: header.lengthBytes) else { break }
                do throws(FrameHeader.Damage) { try header.verify(frame) } catch {
                    if case .unknownKind = error { throw corruption(reader.file.name, stop, error) }
                    stop.damage = error
                    break
                }
                guard replay.apply(header, frame) else {
                    throw corruption(reader.file.name, stop, kind: .discontinuity)
                }
                stop.lastFrame = stop.offset..<stop.offset + header.lengthBytes
                stop.offset += header.lengthBytes
                stop.header = nil
            }
        } catch let error as LogError {
            throw error
        } catch let error as DiskError {
            throw .io(error)
        } catch {
            preconditionFailure("unexpected error \(error)")
        }
        return stop
    }

    private func corruption(
        _ file: String,
        _ stop: Stop,
        _ damage: FrameHeader.Damage? = nil,
        kind: Corruption.Kind = .batch
    ) -> LogError {
        var corruption = Corruption(kind: kind, location: disk.location, file: file, offset: stop.offset)
        corruption.entries = stop.header?.indexes
        switch damage ?? stop.damage {
        case .payloads(let names): corruption.damaged = names
        case .unknownKind(let byte): corruption.kind = .unknownEntryKind(byte)
        case .table, nil: break
        }
        return .corrupt(corruption)
    }

    /// Looks at what follows the last sound batch: nothing, a torn batch (cut durably) or proof of corruption (thrown).
    ///
    /// Only one batch is ever written between two syncs, so a batch later than the missing one proves that the missing
    /// one was synced. The cut is done by writing zeros: from then on everything behind the end is zero again, and no
    /// remnant can meet a batch written later.
    private func cutTail(
        _ reader: inout SegmentReader,
        _ stop: Stop,
        seed: UInt32
    ) throws(LogError) -> TornTail? {
        do {
            var garbageEnd = stop.offset
            var offset = stop.offset
            while offset < reader.sizeBytes {
                let count = min(SegmentReader.windowSizeBytes, reader.sizeBytes - offset)
                guard let chunk = try reader.bytes(at: offset, count: count), let start = chunk.baseAddress else {
                    break
                }
                if conclave_is_zero(start, count) == 0 {
                    if holdsLaterFrame(chunk, seed: seed) { throw corruption(reader.file.name, stop) }
                    garbageEnd = offset + (chunk.lastIndex { $0 != 0 } ?? 0) + 1
                }
                // Chunks overlap by a header, so that one across their border is seen whole.
                let isLast = offset + count == reader.sizeBytes
                offset += isLast ? count : count - FrameHeader.sizeBytes
            }
            guard garbageEnd > stop.offset else { return nil }
            try overwriteWithZeros(reader.file, stop.offset..<garbageEnd)
            return TornTail(
                file: reader.file.name,
                offset: stop.offset,
                lengthBytes: garbageEnd - stop.offset,
                entries: stop.header?.indexes
            )
        } catch let error as LogError {
            throw error
        } catch let error as DiskError {
            throw .io(error)
        } catch {
            preconditionFailure("unexpected error \(error)")
        }
    }

    private func holdsLaterFrame(_ chunk: UnsafeRawBufferPointer, seed: UInt32) -> Bool {
        var offset = 0
        while offset + FrameHeader.sizeBytes <= chunk.count {
            if chunk.integer(at: offset, as: UInt32.self) == FrameHeader.magic,
                let header = FrameHeader(chunk.part(offset, FrameHeader.sizeBytes), seed: seed),
                header.sequence > replay.nextSequence
            {
                return true
            }
            offset += 8
        }
        return false
    }

    private func overwriteWithZeros(_ file: DiskFile, _ range: Range<Int>) throws(DiskError) {
        let zeros = RawStorage(capacity: min(range.count, SegmentReader.windowSizeBytes))
        _ = zeros.bytes.initializeMemory(as: UInt8.self, repeating: 0)
        var offset = range.lowerBound
        while offset < range.upperBound {
            let count = min(zeros.bytes.count, range.upperBound - offset)
            try disk.write(file, at: offset, UnsafeRawBufferPointer(zeros.bytes).part(0, count))
            offset += count
        }
    }

    /// Makes sure that what was read is on the disk and not only in the operating system's memory: the process may have
    /// died between writing its last batch and syncing it, and the server now vouches for that batch.
    ///
    /// It is written again first, because after a *failed* sync the system may hold the pages for clean though they
    /// never reached the disk, and a sync alone would do nothing (raft-rules P32).
    private func makeDurable(_ reader: inout SegmentReader, _ stop: Stop) throws(LogError) {
        do throws(DiskError) {
            if let range = stop.lastFrame, let frame = try reader.bytes(at: range.lowerBound, count: range.count) {
                try disk.write(reader.file, at: range.lowerBound, frame)
            }
            try disk.sync(reader.file)
            try disk.syncDirectory()
        } catch {
            throw .io(error)
        }
    }
}

/// Runs a disk call of the opening phase.
func io<Result>(_ body: () throws(DiskError) -> Result) throws(LogError) -> Result {
    do { return try body() } catch { throw .io(error) }
}
