// One batch on disk: what a single sync makes durable.

import RaftCore

/// The fixed part of a batch's frame.
///
///     0  magic                     28  entry count
///     4  checksum of bytes 8..<48  32  checksum of the table
///     8  sequence, 8 bytes         36  checksum (bytes 4..<8) of the frame before
///    16  first index, 8 bytes      40  flags: bit 0 hard state, bit 1 it has a vote
///    24  frame length in bytes     44  table length in bytes
///
/// Then the table: the hard state if flagged (term, vote), and for each entry 16 bytes (term; payload length in the low
/// 24 bits and kind in the high 8; payload checksum). Its index follows from the first index. Then the payloads, one
/// after the other, and zeros up to a multiple of eight.
///
/// Every payload byte is covered by its entry's checksum, those by the table's, that by the header's and the header's
/// by the next frame, so a checksum over all payloads together would protect nothing further. The header's is seeded
/// with the segment header's: a client that writes look-alike frames as values, and what an earlier use of the file left
/// behind, do not pass.
struct FrameHeader: Hashable {
    static let magic: UInt32 = 0x4d52_4643
    static let sizeBytes = 48
    static let hardStateSizeBytes = 16
    static let entrySizeBytes = 16
    /// No frame is longer; a header that claims more is damaged. Bounds what a reader has to hold at once.
    static let maximumLengthBytes = 32 << 20
    /// The largest payload whose length fits in the table.
    static let maximumPayloadBytes = (1 << 24) - 1

    var sequence: UInt64
    var firstIndex: LogIndex
    var lengthBytes: Int
    var entryCount: Int
    var tableChecksum: UInt32
    var previousChecksum: UInt32
    var hasHardState: Bool
    var hasVote: Bool
    /// The checksum of the header itself.
    var checksum: UInt32

    var tableSizeBytes: Int { (hasHardState ? Self.hardStateSizeBytes : 0) + entryCount * Self.entrySizeBytes }

    /// The entries' indexes; nil when there are none.
    var indexes: ClosedRange<LogIndex>? {
        entryCount > 0 ? firstIndex...(firstIndex + (entryCount - 1)) : nil
    }

    /// How long a frame with this content is.
    static func lengthBytes(hardState: Bool, entryCount: Int, payloadBytes: Int) -> Int {
        let exact = sizeBytes + (hardState ? hardStateSizeBytes : 0) + entryCount * entrySizeBytes + payloadBytes
        return (exact + 7) & ~7
    }

    /// Reads a header; nil unless its checksum holds and its lengths agree with each other.
    init?(_ bytes: UnsafeRawBufferPointer, seed: UInt32) {
        guard bytes.count >= Self.sizeBytes, bytes.integer(at: 0, as: UInt32.self) == Self.magic else { return nil }
        checksum = bytes.integer(at: 4)
        guard CRC32C.checksum(bytes.part(8, 40), continuing: seed) == checksum else { return nil }
        sequence = bytes.integer(at: 8)
        firstIndex = LogIndex(bytes.integer(at: 16))
        lengthBytes = Int(bytes.integer(at: 24, as: UInt32.self))
        entryCount = Int(bytes.integer(at: 28, as: UInt32.self))
        tableChecksum = bytes.integer(at: 32)
        previousChecksum = bytes.integer(at: 36)
        let flags = bytes.integer(at: 40, as: UInt32.self)
        hasHardState = flags & 1 != 0
        hasVote = flags & 2 != 0
        guard flags & ~3 == 0, hasHardState || !hasVote else { return nil }
        guard lengthBytes <= Self.maximumLengthBytes, lengthBytes % 8 == 0 else { return nil }
        guard Int(bytes.integer(at: 44, as: UInt32.self)) == tableSizeBytes else { return nil }
        guard Self.sizeBytes + tableSizeBytes <= lengthBytes else { return nil }
        guard entryCount == 0 || (firstIndex > .zero && firstIndex.rawValue < UInt64(Int64.max) - UInt64(entryCount))
        else { return nil }
    }
}

// MARK: Writing

/// A batch about to be written.
struct Batch {
    var sequence: UInt64
    var previousChecksum: UInt32
    var hardState: HardState?
    var entries: ArraySlice<Entry>

    /// Lays the frame out in `frame`, whose count is exactly the frame's length, and returns the header's checksum.
    func encode(into frame: UnsafeMutableRawBufferPointer, seed: UInt32) -> UInt32 {
        let readable = UnsafeRawBufferPointer(frame)
        var tableEnd = FrameHeader.sizeBytes
        if let hardState {
            frame.store(hardState.term.rawValue, at: tableEnd)
            frame.store(hardState.vote?.rawValue ?? 0, at: tableEnd + 8)
            tableEnd += FrameHeader.hardStateSizeBytes
        }
        var payloadEnd = tableEnd + entries.count * FrameHeader.entrySizeBytes
        for entry in entries {
            let count = entry.payload.count
            entry.payload.withUnsafeBytes { payload in
                guard let start = payload.baseAddress else { return }
                (frame.baseAddress! + payloadEnd).copyMemory(from: start, byteCount: count)
            }
            frame.store(entry.term.rawValue, at: tableEnd)
            frame.store(UInt32(count) | UInt32(entry.kind.rawValue) << 24, at: tableEnd + 8)
            frame.store(CRC32C.checksum(readable.part(payloadEnd, count)), at: tableEnd + 12)
            tableEnd += FrameHeader.entrySizeBytes
            payloadEnd += count
        }
        for offset in payloadEnd..<frame.count { frame[offset] = 0 }

        let tableSize = tableEnd - FrameHeader.sizeBytes
        frame.store(FrameHeader.magic, at: 0)
        frame.store(sequence, at: 8)
        frame.store(entries.first?.index.rawValue ?? 0, at: 16)
        frame.store(UInt32(frame.count), at: 24)
        frame.store(UInt32(entries.count), at: 28)
        frame.store(CRC32C.checksum(readable.part(FrameHeader.sizeBytes, tableSize)), at: 32)
        frame.store(previousChecksum, at: 36)
        frame.store(UInt32(hardState == nil ? 0 : hardState?.vote == nil ? 1 : 3), at: 40)
        frame.store(UInt32(tableSize), at: 44)
        let checksum = CRC32C.checksum(readable.part(8, 40), continuing: seed)
        frame.store(checksum, at: 4)
        return checksum
    }
}

// MARK: Reading

extension FrameHeader {
    /// What is wrong with a frame whose header is sound.
    enum Damage: Error, Hashable {
        case table
        case payloads([EntryName])
        case unknownKind(UInt8)
    }

    /// Checks everything the header's own checksum does not cover; `frame` is `lengthBytes` long.
    func verify(_ frame: UnsafeRawBufferPointer) throws(Damage) {
        guard CRC32C.checksum(frame.part(Self.sizeBytes, tableSizeBytes)) == tableChecksum else { throw .table }
        var table = Self.sizeBytes + (hasHardState ? Self.hardStateSizeBytes : 0)
        var payload = Self.sizeBytes + tableSizeBytes
        var damaged: [EntryName] = []
        for position in 0..<entryCount {
            let word: UInt32 = frame.integer(at: table + 8)
            let count = Int(word & 0xff_ffff)
            guard payload + count <= frame.count else { throw .table }
            guard Entry.Kind(rawValue: UInt8(word >> 24)) != nil else { throw .unknownKind(UInt8(word >> 24)) }
            if CRC32C.checksum(frame.part(payload, count)) != frame.integer(at: table + 12, as: UInt32.self) {
                damaged.append(EntryName(index: firstIndex + position, term: Term(frame.integer(at: table))))
            }
            table += Self.entrySizeBytes
            payload += count
        }
        if !damaged.isEmpty { throw .payloads(damaged) }
    }

    /// The hard state in a frame that `verify` has passed.
    func hardState(in frame: UnsafeRawBufferPointer) -> HardState? {
        guard hasHardState else { return nil }
        let vote = hasVote ? NodeID(frame.integer(at: Self.sizeBytes + 8)) : nil
        return HardState(term: Term(frame.integer(at: Self.sizeBytes)), vote: vote)
    }

    /// Appends the entries in a frame that `verify` has passed.
    func appendEntries(in frame: UnsafeRawBufferPointer, to entries: inout [Entry]) {
        var table = Self.sizeBytes + (hasHardState ? Self.hardStateSizeBytes : 0)
        var payload = Self.sizeBytes + tableSizeBytes
        for position in 0..<entryCount {
            let word: UInt32 = frame.integer(at: table + 8)
            let count = Int(word & 0xff_ffff)
            guard let kind = Entry.Kind(rawValue: UInt8(word >> 24)) else {
                preconditionFailure("verify let the unknown entry kind \(word >> 24) pass")
            }
            let term = Term(frame.integer(at: table))
            let bytes = [UInt8](frame.part(payload, count))
            entries.append(Entry(term: term, index: firstIndex + position, kind: kind, payload: bytes))
            table += Self.entrySizeBytes
            payload += count
        }
    }
}
