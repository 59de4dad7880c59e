// The fixed part of one batch on disk: what a single sync makes durable.

import RaftCore

/// The fixed part of a batch's frame.
///
///     0  magic                               48  frame length in bytes
///     4  checksum of bytes 8..<80            52  entry count
///     8  sequence, 8 bytes                   56  checksum of the table
///    16  index before the entries, 8 bytes   60  checksum (bytes 4..<8) of the frame before
///    24  term of that index, 8 bytes         64  index before the entries of the frame before, 8 bytes
///    32  hard state's term, 8 bytes          72  flags
///    40  vote, 8 bytes                       76  table length in bytes
///
/// Flags: bit 0, there is a vote; bit 1, records a snapshot; bit 2, that snapshot takes the place of the whole log; bit 3,
/// brings repaired entries.
///
/// Then the table: in a record or a repair 16 bytes (the snapshot's index and term; the first repaired index and zero), and
/// for each entry 16 bytes (term; payload length in the low 24 bits and kind in the high 8; payload checksum). Then the
/// payloads, one after the other, and zeros up to a multiple of eight.
///
/// Every payload byte is covered by its entry's checksum, those by the table's, that by the header's and the header's
/// by the next frame, so a checksum over all payloads together would protect nothing further. The header's is seeded
/// with the segment header's: a client that writes look-alike frames as values, and what an earlier use of the file left
/// behind, do not pass.
///
/// Each header states the whole hard state and the position its entries follow, as an AppendEntries does: when a batch before
/// it is lost, this says which entries went with it, and that no vote did.
struct FrameHeader: Hashable {
    static let magic: UInt32 = 0x4d52_4643
    static let sizeBytes = 80
    static let checkedBytes = 72
    static let extensionSizeBytes = 16
    static let entrySizeBytes = 16
    /// No frame is longer; a header that claims more is damaged. Bounds what a reader has to hold at once.
    static let maximumLengthBytes = 32 << 20
    /// The largest payload whose length fits in the table.
    static let maximumPayloadBytes = (1 << 24) - 1

    /// What a batch does to the log.
    enum Purpose: Hashable {
        /// Cuts the log behind `base` and appends entries, if there are any.
        case append
        /// Says that a snapshot is complete.
        case snapshot
        /// Says so, and that the log begins anew behind it.
        case replacingSnapshot
        /// Brings entries again whose payload is damaged; the log stays as long as it is.
        case repair
    }

    var sequence: UInt64
    /// Where the entries follow; in a batch that brings none or repairs, the end of the log.
    var base: LogPosition
    var hardState: HardState
    var purpose: Purpose
    var lengthBytes: Int
    var entryCount: Int
    var tableChecksum: UInt32
    var previousChecksum: UInt32
    /// The base of the frame before: where that one cut the log.
    var previousBase: LogIndex
    /// The checksum of the header itself.
    var checksum: UInt32

    /// Where the entries' part of the table begins.
    var entriesOffset: Int { Self.sizeBytes + (purpose == .append ? 0 : Self.extensionSizeBytes) }
    var tableSizeBytes: Int { entriesOffset - Self.sizeBytes + entryCount * Self.entrySizeBytes }

    /// The indexes of appended entries; nil when there are none, or they are repairs.
    var indexes: ClosedRange<LogIndex>? {
        purpose == .append && entryCount > 0 ? base.index.next...(base.index + entryCount) : nil
    }

    /// How long a frame with this content is.
    static func lengthBytes(_ purpose: Purpose, entryCount: Int, payloadBytes: Int) -> Int {
        let table = (purpose == .append ? 0 : extensionSizeBytes) + entryCount * entrySizeBytes
        return (sizeBytes + table + payloadBytes + 7) & ~7
    }

    /// Reads a header; nil unless its checksum holds and its fields agree with each other.
    init?(_ bytes: UnsafeRawBufferPointer, seed: UInt32) {
        guard bytes.count >= Self.sizeBytes, bytes.integer(at: 0, as: UInt32.self) == Self.magic else { return nil }
        checksum = bytes.integer(at: 4)
        guard CRC32C.checksum(bytes.part(8, Self.checkedBytes), continuing: seed) == checksum else { return nil }
        sequence = bytes.integer(at: 8)
        base = bytes.position(at: 16)
        lengthBytes = Int(bytes.integer(at: 48, as: UInt32.self))
        entryCount = Int(bytes.integer(at: 52, as: UInt32.self))
        tableChecksum = bytes.integer(at: 56)
        previousChecksum = bytes.integer(at: 60)
        previousBase = LogIndex(bytes.integer(at: 64))
        let flags = bytes.integer(at: 72, as: UInt32.self)
        let vote: UInt64 = bytes.integer(at: 40)
        hardState = HardState(term: Term(bytes.integer(at: 32)), vote: flags & 1 != 0 ? NodeID(vote) : nil)
        guard let purpose = Purpose(flags: flags & ~1) else { return nil }
        self.purpose = purpose
        guard lengthBytes <= Self.maximumLengthBytes, lengthBytes % 8 == 0 else { return nil }
        guard Int(bytes.integer(at: 76, as: UInt32.self)) == tableSizeBytes else { return nil }
        guard Self.sizeBytes + tableSizeBytes <= lengthBytes else { return nil }
        guard base.index.rawValue < UInt64(Int64.max) - UInt64(entryCount) else { return nil }
    }
}

extension FrameHeader.Purpose {
    var flags: UInt32 {
        switch self {
        case .append: 0
        case .snapshot: 2
        case .replacingSnapshot: 6
        case .repair: 8
        }
    }

    init?(flags: UInt32) {
        switch flags {
        case 0: self = .append
        case 2: self = .snapshot
        case 6: self = .replacingSnapshot
        case 8: self = .repair
        default: return nil
        }
    }
}
