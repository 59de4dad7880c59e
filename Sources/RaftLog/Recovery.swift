// Reads all segments in order and decides where the log ends.

import RaftCore

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
    struct Stop {
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
                var reader = try SegmentReader(disk: disk, file: file, storage: storage)
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
        while let bytes = try reader.bytes(at: stop.offset, count: FrameHeader.sizeBytes),
            let header = FrameHeader(bytes, seed: seed), replay.expects(header)
        {
            stop.header = header
            guard let frame = try reader.bytes(at: stop.offset, count: header.lengthBytes) else { break }
            do throws(FrameHeader.Damage) { try header.verify(frame) } catch {
                stop.damage = error
                if case .unknownKind = error { throw corruption(reader.file.name, stop) }
                break
            }
            guard replay.apply(header, frame) else { throw corruption(reader.file.name, stop, kind: .discontinuity) }
            stop.lastFrame = stop.offset..<stop.offset + header.lengthBytes
            stop.offset += header.lengthBytes
            stop.header = nil
        }
        return stop
    }

    /// What is wrong where a segment's sound batches end.
    func corruption(_ file: String, _ stop: Stop, kind: Corruption.Kind = .batch) -> LogError {
        var corruption = Corruption(kind: kind, location: disk.location, file: file, offset: stop.offset)
        corruption.entries = stop.header?.indexes
        switch stop.damage {
        case .payloads(let names): corruption.damaged = names
        case .unknownKind(let byte): corruption.kind = .unknownEntryKind(byte)
        case .table, nil: break
        }
        return .corrupt(corruption)
    }
}

/// Runs a disk call of the opening phase.
func io<Result>(_ body: () throws(DiskError) -> Result) throws(LogError) -> Result {
    do { return try body() } catch { throw .io(error) }
}
