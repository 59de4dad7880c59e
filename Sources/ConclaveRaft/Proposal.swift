// What is in a command's log entry: who proposed it, for which session if any, and the command.

/// Names a command across servers and restarts, so that a server recognises its own commands when they come out of the log.
package struct ProposalID: Hashable, Sendable {
    /// Drawn at random when the proposing process started, so that a restarted server does not take an old command for a new one.
    package var process: UInt64
    /// Counts the process's proposals from 1.
    package var sequence: UInt64

    package init(process: UInt64, sequence: UInt64) {
        self.process = process
        self.sequence = sequence
    }
}

/// What an entry asks of the servers that apply it.
package enum ProposalPurpose: Hashable, Sendable {
    /// A command without a session: who tries it again may carry it out twice.
    case command
    /// A command that is carried out once, however often it is tried.
    case sessionCommand(SessionCommand)
    case registerSession
    case keepSessionAlive(SessionID)
    case endSession(SessionID)
}

/// The payload of a command's log entry, little endian: purpose (1), process (8), sequence (8); but for a plain command, the leader's
/// time (8); session (8) where there is one; sequence (8) and first unanswered (8) of a session's command; the command.
package struct ProposalHeader: Hashable, Sendable {
    package var id: ProposalID
    package var purpose: ProposalPurpose
    /// Log time in nanoseconds, stamped by the leader that appends the entry; 0 until then, and in plain commands.
    package var stamp: UInt64 = 0

    package init(id: ProposalID, purpose: ProposalPurpose, stamp: UInt64 = 0) {
        self.id = id
        self.purpose = purpose
        self.stamp = stamp
    }

    /// Bytes in front of the longest header's command.
    package static let maximumSizeBytes = 49

    private static let stampOffset = 17

    private var code: UInt8 {
        switch purpose {
        case .command: 0
        case .sessionCommand: 1
        case .registerSession: 2
        case .keepSessionAlive: 3
        case .endSession: 4
        }
    }

    /// The numbers behind the code, in their order.
    private var numbers: [UInt64] {
        switch purpose {
        case .command: [id.process, id.sequence]
        case .registerSession: [id.process, id.sequence, stamp]
        case .keepSessionAlive(let session), .endSession(let session):
            [id.process, id.sequence, stamp, session.rawValue]
        case .sessionCommand(let command):
            [
                id.process, id.sequence, stamp, command.session.rawValue, command.sequence, command.firstUnanswered,
            ]
        }
    }

    /// The payload of the entry with `command`.
    func payload(_ command: [UInt8]) -> [UInt8] {
        guard purpose != .command else { return Self.plainPayload(id, command) }
        var payload: [UInt8] = []
        payload.reserveCapacity(Self.maximumSizeBytes + command.count)
        payload.append(code)
        for number in numbers { withUnsafeBytes(of: number.littleEndian) { payload.append(contentsOf: $0) } }
        payload.append(contentsOf: command)
        return payload
    }

    /// The way of nearly all commands: one allocation, nothing copied twice.
    private static func plainPayload(_ id: ProposalID, _ command: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: stampOffset + command.count) { buffer, count in
            let raw = UnsafeMutableRawBufferPointer(buffer)
            raw[0] = 0
            raw.storeBytes(of: id.process.littleEndian, toByteOffset: 1, as: UInt64.self)
            raw.storeBytes(of: id.sequence.littleEndian, toByteOffset: 9, as: UInt64.self)
            command.withUnsafeBytes {
                UnsafeMutableRawBufferPointer(rebasing: raw[stampOffset...]).copyMemory(from: $0)
            }
            count = stampOffset + command.count
        }
    }

    /// Stamps an entry that the leader is about to append. Plain commands have no room for a stamp and need none.
    static func stamp(_ payload: inout [UInt8], _ time: UInt64) {
        guard payload.count >= stampOffset + 8, payload[0] != 0 else { return }
        withUnsafeBytes(of: time.littleEndian) { payload.replaceSubrange(stampOffset..<stampOffset + 8, with: $0) }
    }

    /// The proposal's name only, for whoever looks at every entry; nil if the payload is too short to be a command's.
    static func id(of payload: [UInt8]) -> ProposalID? {
        guard payload.count >= stampOffset else { return nil }
        return payload.withUnsafeBytes { raw in
            ProposalID(
                process: UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: 1, as: UInt64.self)),
                sequence: UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: 9, as: UInt64.self))
            )
        }
    }

    /// Reads the header, and says where the command begins.
    /// - Throws: `WireError` for what `payload` did not make.
    static func decode(_ payload: [UInt8]) throws(WireError) -> (header: ProposalHeader, commandStart: Int) {
        guard let id = id(of: payload) else { throw .truncated }
        let (purpose, stamp, start): (ProposalPurpose, UInt64, Int)
        switch payload[0] {
        case 0: (purpose, stamp, start) = (.command, 0, stampOffset)
        case 1:
            let command = SessionCommand(
                session: SessionID(rawValue: try number(1, payload)),
                sequence: try number(2, payload),
                firstUnanswered: try number(3, payload)
            )
            guard command.sequence >= 1, command.firstUnanswered <= command.sequence else { throw .badSessions }
            (purpose, stamp, start) = (.sessionCommand(command), try number(0, payload), maximumSizeBytes)
        case 2: (purpose, stamp, start) = (.registerSession, try number(0, payload), stampOffset + 8)
        case 3:
            purpose = .keepSessionAlive(SessionID(rawValue: try number(1, payload)))
            (stamp, start) = (try number(0, payload), stampOffset + 16)
        case 4:
            purpose = .endSession(SessionID(rawValue: try number(1, payload)))
            (stamp, start) = (try number(0, payload), stampOffset + 16)
        case let code: throw .unknownKind(code)
        }
        return (ProposalHeader(id: id, purpose: purpose, stamp: stamp), start)
    }

    private static func number(_ position: Int, _ payload: [UInt8]) throws(WireError) -> UInt64 {
        let offset = stampOffset + position * 8
        guard payload.count >= offset + 8 else { throw .truncated }
        return payload.withUnsafeBytes {
            UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        }
    }
}
