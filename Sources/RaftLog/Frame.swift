// One batch as bytes: laid out for one write, and read back with every checksum looked at.

import RaftCore

// MARK: Writing

/// A batch about to be written.
struct Batch {
    var sequence: UInt64
    var previousChecksum: UInt32
    var previousBase: LogIndex
    var base: LogPosition
    var hardState: HardState
    var purpose: FrameHeader.Purpose
    /// The snapshot that a record names.
    var snapshot = LogPosition.start
    var entries: ArraySlice<Entry>

    /// Lays the frame out in `frame`, whose count is exactly the frame's length, and returns the header's checksum.
    func encode(into frame: UnsafeMutableRawBufferPointer, seed: UInt32) -> UInt32 {
        let readable = UnsafeRawBufferPointer(frame)
        var tableEnd = FrameHeader.sizeBytes
        if purpose != .append {
            frame.store(purpose == .repair ? entries.first?.index.rawValue ?? 0 : snapshot.index.rawValue, at: tableEnd)
            frame.store(snapshot.term.rawValue, at: tableEnd + 8)
            tableEnd += FrameHeader.extensionSizeBytes
        }
        var payloadEnd = tableEnd + entries.count * FrameHeader.entrySizeBytes
        // Through the buffer: iterating over the entries would retain and release each payload.
        entries.withUnsafeBufferPointer { entries in
            for position in entries.indices {
                let count = entries[position].payload.count
                entries[position].payload.withUnsafeBytes { payload in
                    guard let start = payload.baseAddress else { return }
                    (frame.baseAddress! + payloadEnd).copyMemory(from: start, byteCount: count)
                }
                frame.store(entries[position].term.rawValue, at: tableEnd)
                frame.store(UInt32(count) | UInt32(entries[position].kind.rawValue) << 24, at: tableEnd + 8)
                frame.store(CRC32C.checksum(readable.part(payloadEnd, count)), at: tableEnd + 12)
                tableEnd += FrameHeader.entrySizeBytes
                payloadEnd += count
            }
        }
        for offset in payloadEnd..<frame.count { frame[offset] = 0 }

        let tableSize = tableEnd - FrameHeader.sizeBytes
        frame.store(FrameHeader.magic, at: 0)
        frame.store(sequence, at: 8)
        frame.store(base.index.rawValue, at: 16)
        frame.store(base.term.rawValue, at: 24)
        frame.store(hardState.term.rawValue, at: 32)
        frame.store(hardState.vote?.rawValue ?? 0, at: 40)
        frame.store(UInt32(frame.count), at: 48)
        frame.store(UInt32(entries.count), at: 52)
        frame.store(CRC32C.checksum(readable.part(FrameHeader.sizeBytes, tableSize)), at: 56)
        frame.store(previousChecksum, at: 60)
        frame.store(previousBase.rawValue, at: 64)
        frame.store(purpose.flags | (hardState.vote == nil ? 0 : 1), at: 72)
        frame.store(UInt32(tableSize), at: 76)
        let checksum = CRC32C.checksum(readable.part(8, FrameHeader.checkedBytes), continuing: seed)
        frame.store(checksum, at: 4)
        return checksum
    }
}

// MARK: Reading

extension FrameHeader {
    /// Whether a frame is as it was written, apart from its header.
    enum Verdict: Hashable {
        case sound
        /// What the entries are is unknown.
        case tableDamaged
        /// These payloads, by their places, are damaged; their names and checksums are known.
        case payloadsDamaged(Set<Int>)
        case unknownKind(UInt8)
    }

    /// Checks everything the header's own checksum does not cover; `frame` is `lengthBytes` long.
    func verify(_ frame: UnsafeRawBufferPointer) -> Verdict {
        guard CRC32C.checksum(frame.part(Self.sizeBytes, tableSizeBytes)) == tableChecksum else { return .tableDamaged }
        var table = entriesOffset
        var payload = Self.sizeBytes + tableSizeBytes
        var damaged: Set<Int> = []
        for position in 0..<entryCount {
            let word: UInt32 = frame.integer(at: table + 8)
            let count = Int(word & 0xff_ffff)
            guard payload + count <= frame.count else { return .tableDamaged }
            guard Entry.Kind(rawValue: UInt8(word >> 24)) != nil else { return .unknownKind(UInt8(word >> 24)) }
            if CRC32C.checksum(frame.part(payload, count)) != frame.integer(at: table + 12, as: UInt32.self) {
                damaged.insert(position)
            }
            table += Self.entrySizeBytes
            payload += count
        }
        return damaged.isEmpty ? .sound : .payloadsDamaged(damaged)
    }

    /// The snapshot that a record with a sound table names.
    func snapshot(in frame: UnsafeRawBufferPointer) -> LogPosition { frame.position(at: Self.sizeBytes) }

    /// The first index of a repair with a sound table; of appended entries, the one behind `base`.
    func firstIndex(in frame: UnsafeRawBufferPointer) -> LogIndex {
        purpose == .repair ? LogIndex(frame.integer(at: Self.sizeBytes)) : base.index.next
    }

    /// Hands out the entries of a frame with a sound table, in order; those of `damaged` places come with an empty payload
    /// and the checksum the payload should have.
    func forEachEntry(
        in frame: UnsafeRawBufferPointer,
        damaged: Set<Int>,
        _ body: (Entry, _ lostChecksum: UInt32?) -> Void
    ) {
        let first = firstIndex(in: frame)
        var table = entriesOffset
        var payload = Self.sizeBytes + tableSizeBytes
        for position in 0..<entryCount {
            let word: UInt32 = frame.integer(at: table + 8)
            let count = Int(word & 0xff_ffff)
            guard let kind = Entry.Kind(rawValue: UInt8(word >> 24)) else {
                preconditionFailure("verify let the unknown entry kind \(word >> 24) pass")
            }
            let isLost = !damaged.isEmpty && damaged.contains(position)
            let entry = Entry(
                term: Term(frame.integer(at: table)),
                index: first + position,
                kind: kind,
                payload: isLost ? [] : [UInt8](frame.part(payload, count))
            )
            body(entry, isLost ? frame.integer(at: table + 12) : nil)
            table += Self.entrySizeBytes
            payload += count
        }
    }
}
