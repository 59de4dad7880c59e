// The first page of each segment file: whose it is, and where in the chain of batches it begins.

import RaftCore

/// A segment's header, written once and synced before the file gets its final name.
///
///     0  magic "CONCLWAL"          40  node              72  crc32c of bytes 0..<72
///     8  format version, 4 bytes   48  incarnation
///    12  unused, zero, 4 bytes     56  sequence of the first batch
///    16  segment id                64  checksum of the batch before it, 4 bytes
///    24  cluster, 16 bytes         68  unused, zero, 4 bytes
///
/// All integers are little-endian. Batches begin at byte 4096, so that writing them never touches the header's page.
struct SegmentHeader: Hashable {
    static let magic: UInt64 = 0x4c41_574c_434e_4f43
    static let formatVersion: UInt32 = 1
    /// How many bytes the fields take.
    static let encodedSizeBytes = 76
    /// Where the first batch begins.
    static let batchesOffset = 4096

    /// Position in the row of segments, from 1; never used again.
    var id: UInt64
    var identity: LogIdentity
    var firstSequence: UInt64
    var previousChecksum: UInt32

    /// What a header may turn out to be.
    enum Decoded: Hashable {
        case header(SegmentHeader, checksum: UInt32)
        case unknownVersion(UInt32)
        case damaged
    }

    /// Writes the header into the first bytes and returns its checksum, which seeds those of the segment's batches.
    func encode(into bytes: UnsafeMutableRawBufferPointer) -> UInt32 {
        bytes.store(Self.magic, at: 0)
        bytes.store(Self.formatVersion, at: 8)
        bytes.store(UInt32(0), at: 12)
        bytes.store(id, at: 16)
        bytes.store(identity.cluster.high, at: 24)
        bytes.store(identity.cluster.low, at: 32)
        bytes.store(identity.node.rawValue, at: 40)
        bytes.store(identity.incarnation, at: 48)
        bytes.store(firstSequence, at: 56)
        bytes.store(previousChecksum, at: 64)
        bytes.store(UInt32(0), at: 68)
        let checksum = CRC32C.checksum(UnsafeRawBufferPointer(bytes).part(0, 72))
        bytes.store(checksum, at: 72)
        return checksum
    }

    /// Reads a header back. The version is looked at before the checksum, whose place a later format may have moved.
    static func decode(_ bytes: UnsafeRawBufferPointer) -> Decoded {
        guard bytes.count >= encodedSizeBytes, bytes.integer(at: 0, as: UInt64.self) == magic else { return .damaged }
        let checksum = CRC32C.checksum(bytes.part(0, 72))
        let version = bytes.integer(at: 8, as: UInt32.self)
        guard version == formatVersion else { return .unknownVersion(version) }
        guard bytes.integer(at: 72, as: UInt32.self) == checksum else { return .damaged }
        let identity = LogIdentity(
            cluster: ClusterID(high: bytes.integer(at: 24), low: bytes.integer(at: 32)),
            node: NodeID(bytes.integer(at: 40)),
            incarnation: bytes.integer(at: 48)
        )
        let header = SegmentHeader(
            id: bytes.integer(at: 16),
            identity: identity,
            firstSequence: bytes.integer(at: 56),
            previousChecksum: bytes.integer(at: 64)
        )
        return .header(header, checksum: checksum)
    }

    /// The file of the segment with this id.
    static func fileName(_ id: UInt64) -> String { "segment-\(hexadecimal(id)).wal" }

    /// The name a segment has until it is complete. A crash can leave one behind; the next roll-over creates it anew.
    static func temporaryName(_ id: UInt64) -> String { fileName(id) + ".tmp" }

    /// The id in a segment's file name; nil for any other file.
    static func id(fromFileName name: String) -> UInt64? {
        guard name.count == 28, name.hasPrefix("segment-"), name.hasSuffix(".wal") else { return nil }
        guard let id = UInt64(name.dropFirst(8).dropLast(4), radix: 16), fileName(id) == name else { return nil }
        return id
    }
}
