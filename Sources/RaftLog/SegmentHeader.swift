// The first page of each segment file: whose it is, and where in the chain of batches it begins.

import RaftCore

/// A segment's header, written once and synced before the file gets its final name; it lies in the page twice, so that
/// damage to one sector does not take the whole segment with it.
///
///     0  magic "CONCLWAL"          56  sequence of the first batch  112  checksum of the batch before it, 4 bytes
///     8  format version, 4 bytes   64  index before it              116  unused, zero, 4 bytes
///    12  flags, 4 bytes            72  term of that index           120  index before the entries of the batch before it
///    16  segment id                80  hard state's term            128  crc32c of bytes 0..<128
///    24  cluster, 16 bytes         88  vote
///    40  node                      96  snapshot's index
///    48  incarnation              104  snapshot's term
///
/// Flags: bit 0, the file was used before: what lies behind its batches is not zero; bit 1, there is a vote. All
/// integers are little-endian. Batches begin at byte 4096, so that writing them never touches the header's page.
///
/// Position, hard state and snapshot are those of the moment before the first batch: the segments before this one can go. The batch may
/// replace entries up to that position, or never arrive, and another one come in its place.
///
/// Format 1 had no position, hard state and snapshot here, and no second copy; it is refused.
struct SegmentHeader: Hashable {
    static let magic: UInt64 = 0x4c41_574c_434e_4f43
    static let formatVersion: UInt32 = 2
    /// How many bytes the fields take.
    static let encodedSizeBytes = 132
    /// Where the second copy is.
    static let copyOffset = 2048
    /// Where the first batch begins.
    static let batchesOffset = 4096
    private static let checksumOffset = 128

    /// Position in the row of segments, from 1; never used again.
    var id: UInt64
    var identity: LogIdentity
    /// The file was a segment before; batches of then may lie behind those of now.
    var isRecycled = false
    var firstSequence: UInt64
    var previousChecksum: UInt32
    var previousBase: LogIndex
    /// The last entry before this segment.
    var base: LogPosition
    var hardState: HardState
    /// The last snapshot recorded before this segment; zero when there was none.
    var snapshot: LogPosition

    /// What a header may turn out to be.
    enum Decoded: Hashable {
        case header(SegmentHeader, checksum: UInt32)
        case unknownVersion(UInt32)
        case damaged
    }

    /// Writes the header into its page, twice, and returns its checksum, which seeds those of the segment's batches.
    func encode(into page: UnsafeMutableRawBufferPointer) -> UInt32 {
        page.store(Self.magic, at: 0)
        page.store(Self.formatVersion, at: 8)
        page.store(UInt32((isRecycled ? 1 : 0) | (hardState.vote == nil ? 0 : 2)), at: 12)
        page.store(id, at: 16)
        page.store(identity.cluster.high, at: 24)
        page.store(identity.cluster.low, at: 32)
        page.store(identity.node.rawValue, at: 40)
        page.store(identity.incarnation, at: 48)
        page.store(firstSequence, at: 56)
        page.store(base.index.rawValue, at: 64)
        page.store(base.term.rawValue, at: 72)
        page.store(hardState.term.rawValue, at: 80)
        page.store(hardState.vote?.rawValue ?? 0, at: 88)
        page.store(snapshot.index.rawValue, at: 96)
        page.store(snapshot.term.rawValue, at: 104)
        page.store(previousChecksum, at: 112)
        page.store(UInt32(0), at: 116)
        page.store(previousBase.rawValue, at: 120)
        let checksum = CRC32C.checksum(UnsafeRawBufferPointer(page).part(0, Self.checksumOffset))
        page.store(checksum, at: Self.checksumOffset)
        let copy = UnsafeMutableRawBufferPointer(rebasing: page[Self.copyOffset...])
        copy.copyMemory(from: UnsafeRawBufferPointer(page).part(0, Self.encodedSizeBytes))
        return checksum
    }

    /// Reads a header back from its page, from the copy where the first one is damaged.
    static func decode(_ page: UnsafeRawBufferPointer) -> Decoded {
        let first = decodeOne(page)
        if case .header = first { return first }
        guard page.count >= copyOffset + encodedSizeBytes else { return first }
        let second = decodeOne(page.part(copyOffset, encodedSizeBytes))
        if case .header = second { return second }
        return first == .damaged ? second : first
    }

    /// The version is looked at before the checksum, whose place differs from format to format.
    private static func decodeOne(_ bytes: UnsafeRawBufferPointer) -> Decoded {
        guard bytes.count >= encodedSizeBytes, bytes.integer(at: 0, as: UInt64.self) == magic else { return .damaged }
        let version = bytes.integer(at: 8, as: UInt32.self)
        guard version == formatVersion else { return .unknownVersion(version) }
        let checksum = CRC32C.checksum(bytes.part(0, checksumOffset))
        guard bytes.integer(at: checksumOffset, as: UInt32.self) == checksum else { return .damaged }
        let flags = bytes.integer(at: 12, as: UInt32.self)
        let vote: UInt64 = bytes.integer(at: 88)
        let header = SegmentHeader(
            id: bytes.integer(at: 16),
            identity: LogIdentity(
                cluster: ClusterID(high: bytes.integer(at: 24), low: bytes.integer(at: 32)),
                node: NodeID(bytes.integer(at: 40)),
                incarnation: bytes.integer(at: 48)
            ),
            isRecycled: flags & 1 != 0,
            firstSequence: bytes.integer(at: 56),
            previousChecksum: bytes.integer(at: 112),
            previousBase: LogIndex(bytes.integer(at: 120)),
            base: bytes.position(at: 64),
            hardState: HardState(term: Term(bytes.integer(at: 80)), vote: flags & 2 != 0 ? NodeID(vote) : nil),
            snapshot: bytes.position(at: 96)
        )
        return .header(header, checksum: checksum)
    }
}

// MARK: Names

extension SegmentHeader {
    /// The file of the segment with this id.
    static func fileName(_ id: UInt64) -> String { "segment-\(hexadecimal(id)).wal" }

    /// The name a segment has until it is complete. A crash can leave one behind; the next opening removes it.
    static func temporaryName(_ id: UInt64) -> String { fileName(id) + ".tmp" }

    /// The id in a segment's file name; nil for any other file.
    static func id(fromFileName name: String) -> UInt64? {
        guard name.count == 28, name.hasPrefix("segment-"), name.hasSuffix(".wal") else { return nil }
        guard let id = UInt64(name.dropFirst(8).dropLast(4), radix: 16), fileName(id) == name else { return nil }
        return id
    }
}

extension UnsafeRawBufferPointer {
    /// The index and the term at `offset`.
    func position(at offset: Int) -> LogPosition {
        LogPosition(index: LogIndex(integer(at: offset)), term: Term(integer(at: offset + 8)))
    }
}
