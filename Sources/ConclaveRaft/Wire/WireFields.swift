// The fields of messages between servers.

import RaftCore
import RaftLog

/// Appends fields to a frame.
struct WireWriter {
    private(set) var bytes: [UInt8] = []

    init(reserving size: Int) { bytes.reserveCapacity(size) }

    mutating func put<Number: FixedWidthInteger>(_ number: Number) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func put(_ flag: Bool) { bytes.append(flag ? 1 : 0) }

    mutating func put(_ content: [UInt8]) {
        put(UInt32(content.count))
        bytes.append(contentsOf: content)
    }

    mutating func put(_ position: LogPosition) {
        put(position.index.rawValue)
        put(position.term.rawValue)
    }

    mutating func put(_ chunk: SnapshotChunk) {
        put(chunk.snapshot.last)
        put(chunk.snapshot.configuration.encoded())
        put(chunk.session.rawValue)
        put(chunk.offset)
        put(chunk.isLast)
        put(chunk.bytes)
    }

    mutating func put(_ append: AppendEntries) {
        put(append.previous)
        put(append.leaderCommit.rawValue)
        put(append.readRound.rawValue)
        put(append.session.rawValue)
        put(UInt32(append.entries.count))
        for entry in append.entries {
            put(entry.term.rawValue)
            put(entry.kind.rawValue)
            put(entry.payload)
        }
    }
}

/// Takes fields from a frame; every length is checked before it is used.
struct WireReader {
    private let frame: UnsafeRawBufferPointer
    private var position = 0

    init(_ frame: UnsafeRawBufferPointer) { self.frame = frame }

    var remaining: Int { frame.count - position }

    mutating func take<Number: FixedWidthInteger>() throws(WireError) -> Number {
        let size = MemoryLayout<Number>.size
        guard remaining >= size else { throw .truncated }
        defer { position += size }
        return Number(littleEndian: frame.loadUnaligned(fromByteOffset: position, as: Number.self))
    }

    mutating func takeFlag() throws(WireError) -> Bool {
        let byte: UInt8 = try take()
        return byte != 0
    }

    /// Terms and indexes are counted up from zero one by one: what is beyond 63 bits is not a number of ours.
    mutating func takeNumber() throws(WireError) -> UInt64 {
        let number: UInt64 = try take()
        guard number < UInt64(Int64.max) else { throw .numberOutOfRange(number) }
        return number
    }

    mutating func takeTerm() throws(WireError) -> Term { Term(try takeNumber()) }

    mutating func takeIndex() throws(WireError) -> LogIndex { LogIndex(try takeNumber()) }

    /// The payload of a log entry.
    mutating func takePayload() throws(WireError) -> [UInt8] {
        let count: UInt32 = try take()
        guard remaining >= Int(count) else { throw .truncated }
        guard Int(count) <= WriteAheadLog.maximumPayloadBytes else { throw .payloadTooLarge(Int(count)) }
        defer { position += Int(count) }
        return [UInt8](frame[position..<position + Int(count)])
    }

    mutating func takePosition() throws(WireError) -> LogPosition {
        let index = try takeIndex()
        return LogPosition(index: index, term: try takeTerm())
    }

    mutating func takeRefusedProposal() throws(WireError) -> RefusedProposal {
        let process: UInt64 = try take()
        let id = ProposalID(process: process, sequence: try take())
        let term = try takeTerm()
        let code: UInt8 = try take()
        guard let reason = RefusedProposal.Reason(rawValue: code) else { throw .badRefusal }
        return RefusedProposal(id: id, term: term, reason: reason)
    }

    mutating func takeSnapshotChunk() throws(WireError) -> SnapshotChunk {
        let last = try takePosition()
        guard let configuration = Configuration(decoding: try takePayload()) else { throw .badConfiguration }
        let session = ReplicationSession(try take())
        let offset = try takeNumber()
        let isLast = try takeFlag()
        return SnapshotChunk(
            snapshot: SnapshotMetadata(last: last, configuration: configuration),
            offset: offset,
            bytes: try takePayload(),
            isLast: isLast,
            session: session
        )
    }

    mutating func takeAppendEntries() throws(WireError) -> AppendEntries {
        let previous = try takePosition()
        let leaderCommit = try takeIndex()
        let readRound = ReadRound(try take())
        let session = ReplicationSession(try take())
        let count: UInt32 = try take()
        // Each entry takes at least this much, so a larger count is a lie.
        guard Int(count) <= remaining / 13 else { throw .truncated }
        guard previous.index.rawValue < UInt64(Int64.max) - UInt64(count) else {
            throw .numberOutOfRange(previous.index.rawValue)
        }
        var entries: [Entry] = []
        entries.reserveCapacity(Int(count))
        var last = previous
        for _ in 0..<count {
            let term = try takeTerm()
            let code: UInt8 = try take()
            guard let kind = Entry.Kind(rawValue: code) else { throw .unknownEntryKind(code) }
            guard term >= last.term else { throw .badEntries }
            last = LogPosition(index: last.index.next, term: term)
            let payload = try takePayload()
            if kind == .configuration, Configuration(decoding: payload) == nil { throw .badConfiguration }
            entries.append(Entry(term: term, index: last.index, kind: kind, payload: payload))
        }
        return AppendEntries(
            previous: previous,
            entries: entries,
            leaderCommit: leaderCommit,
            readRound: readRound,
            session: session
        )
    }
}
