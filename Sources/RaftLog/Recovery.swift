// Reads all segments in order and decides where the log ends.

import ConclavePlatform
import RaftCore

/// One pass over the segments. Only reads; what it decides is made durable by `Tail`.
struct Recovery {
    let disk: any Disk
    let expected: LogIdentity
    private(set) var replay = Replay()
    /// The identity in the first segment.
    private(set) var identity: LogIdentity?
    /// What is damaged, in the order of the log.
    private(set) var corruptions: [Corruption] = []
    /// The segments before the last, in order.
    private(set) var sealed: [SealedSegment] = []
    private let storage = RawStorage(capacity: SegmentReader.windowSizeBytes)

    init(disk: any Disk, expected: LogIdentity) {
        self.disk = disk
        self.expected = expected
    }

    /// Where the readable batches of a segment end.
    struct Stop {
        /// Where the log goes on.
        var offset = SegmentHeader.batchesOffset
        /// Where the last batch that was applied is.
        var lastFrame: Range<Int>?
        /// The highest index any batch of the segment names.
        var highestIndex: LogIndex
        /// The header of an unreadable batch at `offset`, when it is sound and the one that should come.
        var header: FrameHeader?
    }

    /// The last segment, still open.
    struct Tail {
        var reader: SegmentReader
        var header: SegmentHeader
        var seed: UInt32
        var stop: Stop
    }

    /// Reads the segments with these ids, which are consecutive and at least one.
    mutating func run(_ ids: ArraySlice<UInt64>) throws(LogError) -> Tail {
        var last: (id: UInt64, stop: Stop)?
        for id in ids {
            let file = try io { () throws(DiskError) in try disk.open(SegmentHeader.fileName(id)) }
            do throws(LogError) {
                var reader = try SegmentReader(disk: disk, file: file, storage: storage)
                let (header, seed) = try readHeader(&reader, id: id)
                try check(header, after: last)
                let nextSequence = id == ids.last ? nil : try firstSequence(ofSegment: id + 1)
                let stop = try scan(&reader, seed: seed, endsBefore: nextSequence)
                if id == ids.last { return Tail(reader: reader, header: header, seed: seed, stop: stop) }
                sealed.append(
                    SealedSegment(
                        id: id,
                        base: header.base,
                        highestIndex: stop.highestIndex,
                        usedBytes: stop.offset,
                        sizeBytes: reader.sizeBytes
                    )
                )
                last = (id, stop)
            } catch {
                disk.close(file)
                throw error
            }
            disk.close(file)
        }
        preconditionFailure("recovery of a log without segments")
    }

    /// Takes a complete snapshot, which the log holds, into account: what it stands for need not be intact.
    mutating func rely(on snapshot: LogPosition) {
        let needsIt = replay.damaged.keys.contains { $0 <= snapshot.index } || replay.doubtfulUpTo > .zero
        if needsIt, snapshot.index > replay.start.index { replay.drop(upTo: snapshot) }
    }

    /// The log begins behind a snapshot that it does not reach or does not agree with.
    mutating func restart(at snapshot: LogPosition) { replay.reset(to: snapshot) }
}

// MARK: Headers

extension Recovery {
    private func readHeader(
        _ reader: inout SegmentReader,
        id: UInt64
    ) throws(LogError) -> (header: SegmentHeader, checksum: UInt32) {
        let name = SegmentHeader.fileName(id)
        let damaged = LogError.corrupt(Corruption(kind: .segmentHeader, location: disk.location, file: name, offset: 0))
        guard let bytes = try reader.bytes(at: 0, count: SegmentHeader.batchesOffset) else { throw damaged }
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

    private func firstSequence(ofSegment id: UInt64) throws(LogError) -> UInt64 {
        let file = try io { () throws(DiskError) in try disk.open(SegmentHeader.fileName(id)) }
        defer { disk.close(file) }
        var reader = try SegmentReader(
            disk: disk,
            file: file,
            storage: RawStorage(capacity: SegmentHeader.batchesOffset),
            windowSizeBytes: SegmentHeader.batchesOffset
        )
        return try readHeader(&reader, id: id).header.firstSequence
    }

    /// Whether this segment is ours and begins where the one before it ended.
    private mutating func check(_ header: SegmentHeader, after last: (id: UInt64, stop: Stop)?) throws(LogError) {
        let found = header.identity
        guard let last, let identity else {
            guard found.cluster == expected.cluster else {
                throw .wrongCluster(location: disk.location, found: found.cluster, expected: expected.cluster)
            }
            guard found.node == expected.node else {
                throw .wrongNode(location: disk.location, found: found.node, expected: expected.node)
            }
            identity = found
            replay = Replay(header)
            return
        }
        let name = SegmentHeader.fileName(header.id)
        guard found == identity else {
            throw .corrupt(Corruption(kind: .mixedIdentities, location: disk.location, file: name, offset: 0))
        }
        if replay.expects(header) {
            guard replay.reaches(header.base) else { throw discontinuity(name, 0) }
            return
        }
        // A segment is begun only once everything before it is synced: what is missing there was acknowledged.
        corruptions.append(corruption(SegmentHeader.fileName(last.id), last.stop.offset, last.stop.header))
        guard header.firstSequence >= replay.nextSequence, replay.bridge(to: header) else {
            throw discontinuity(name, 0)
        }
    }

    func corruption(_ file: String, _ offset: Int, _ header: FrameHeader?) -> Corruption {
        var corruption = Corruption(kind: .batch, location: disk.location, file: file, offset: offset)
        corruption.entries = header?.indexes
        return corruption
    }

    func discontinuity(_ file: String, _ offset: Int) -> LogError {
        .corrupt(Corruption(kind: .discontinuity, location: disk.location, file: file, offset: offset))
    }
}

// MARK: Batches

extension Recovery {
    /// Applies batch after batch until the segment's readable part ends.
    ///
    /// Only one batch is ever written between two syncs, so any batch later than an unreadable one proves that this one was
    /// synced: then it is corruption, is noted, and reading goes on with the next one that there is. `endsBefore` is the first sequence of
    /// the next segment, which proves as much; nil in the last segment.
    private mutating func scan(
        _ reader: inout SegmentReader,
        seed: UInt32,
        endsBefore: UInt64?
    ) throws(LogError) -> Stop {
        var stop = Stop(highestIndex: replay.last.index)
        /// The end of whatever was applied: the last batch may have been written into an earlier one.
        var end = stop.offset
        var later: LaterFrames?
        while replay.nextSequence != endsBefore {
            stop.header = nil
            if let header = try header(&reader, at: stop.offset, seed), replay.expects(header) {
                stop.header = header
                if let frame = try reader.bytes(at: stop.offset, count: header.lengthBytes) {
                    let frameEnd = stop.offset + header.lengthBytes
                    let verdict = header.verify(frame)
                    if case .unknownKind(let kind) = verdict {
                        var corruption = corruption(reader.file.name, stop.offset, header)
                        corruption.kind = .unknownEntryKind(kind)
                        throw .corrupt(corruption)
                    }
                    let follows: Bool
                    if verdict == .sound {
                        follows = replay.apply(header, frame, verdict)
                    } else {
                        if later == nil { later = try laterFrames(&reader, from: stop.offset, seed) }
                        if endsBefore == nil, later?.reach(behind: header.sequence) != true { break }
                        // The search may have moved the window.
                        guard let again = try reader.bytes(at: stop.offset, count: header.lengthBytes) else { break }
                        note(verdict, header, again, reader.file.name, stop.offset)
                        follows = replay.apply(header, again, verdict)
                    }
                    guard follows else { throw discontinuity(reader.file.name, stop.offset) }
                    stop.lastFrame = stop.offset..<frameEnd
                    stop.highestIndex = max(stop.highestIndex, replay.last.index)
                    stop.offset = frameEnd
                    end = max(end, frameEnd)
                    stop.header = nil
                    continue
                }
            }
            if later == nil { later = try laterFrames(&reader, from: stop.offset, seed) }
            guard let next = later?.next(for: replay, at: stop.offset) else { break }
            corruptions.append(corruption(reader.file.name, stop.offset, stop.header))
            guard replay.expects(next.header) || replay.bridge(to: next.header) else {
                throw discontinuity(reader.file.name, next.offset)
            }
            stop.offset = next.offset
            stop.highestIndex = max(stop.highestIndex, replay.last.index)
        }
        if stop.offset < end { (stop.offset, stop.header) = (end, nil) }
        return stop
    }

    private mutating func note(
        _ verdict: FrameHeader.Verdict,
        _ header: FrameHeader,
        _ frame: UnsafeRawBufferPointer,
        _ file: String,
        _ offset: Int
    ) {
        var corruption = corruption(file, offset, header)
        if case .payloadsDamaged(let places) = verdict {
            header.forEachEntry(in: frame, damaged: places) { entry, checksum in
                guard let checksum else { return }
                corruption.damaged.append(DamagedEntry(index: entry.index, term: entry.term, checksum: checksum))
            }
        }
        corruptions.append(corruption)
    }

    private func header(
        _ reader: inout SegmentReader,
        at offset: Int,
        _ seed: UInt32
    ) throws(LogError) -> FrameHeader? {
        guard let bytes = try reader.bytes(at: offset, count: FrameHeader.sizeBytes) else { return nil }
        return FrameHeader(bytes, seed: seed)
    }

    /// The sound headers at or behind `start` of batches that are not before the one that should come.
    private func laterFrames(
        _ reader: inout SegmentReader,
        from start: Int,
        _ seed: UInt32
    ) throws(LogError) -> LaterFrames {
        var found: [LaterFrames.Frame] = []
        var offset = start
        while offset + FrameHeader.sizeBytes <= reader.sizeBytes {
            let count = min(SegmentReader.windowSizeBytes, reader.sizeBytes - offset)
            guard let chunk = try reader.bytes(at: offset, count: count), let first = chunk.baseAddress else { break }
            if conclave_is_zero(first, count) == 0 {
                var place = 0
                while place + FrameHeader.sizeBytes <= count {
                    if chunk.integer(at: place, as: UInt32.self) == FrameHeader.magic,
                        let header = FrameHeader(chunk.part(place, FrameHeader.sizeBytes), seed: seed),
                        header.sequence >= replay.nextSequence
                    {
                        found.append((offset + place, header))
                    }
                    place += 8
                }
            }
            if offset + count == reader.sizeBytes { break }
            // Chunks overlap by what is less than a header, so that each header is seen whole, and once.
            offset += count - FrameHeader.sizeBytes + 8
        }
        return LaterFrames(found)
    }
}

/// Runs a disk call of the opening phase.
func io<Result>(_ body: () throws(DiskError) -> Result) throws(LogError) -> Result {
    do { return try body() } catch { throw .io(error) }
}
