// Messages between servers as bytes, and back with every length checked.

package import RaftCore

/// A command on its way from a follower to its leader.
package struct ForwardedProposal: Hashable, Sendable {
    /// The term whose leader is meant; the leader of any other term ignores it (see `PendingProposals`).
    package var term: Term
    /// The log entry's payload.
    package var payload: [UInt8]
}

/// What a follower hears if the leader does not take a command: it is not in the log, and will not come there by what was sent.
package struct RefusedProposal: Hashable, Sendable {
    /// Why. The raw value is the byte on the wire.
    package enum Reason: UInt8, Hashable, Sendable, CaseIterable {
        /// The receiver does not lead that term, or hands over.
        case notLeading = 1
        /// Too much waits to be committed.
        case overloaded = 2
    }

    package var id: ProposalID
    /// The term that the command was passed on in.
    package var term: Term
    package var reason: Reason
}

/// What one frame between servers carries.
package enum WireMessage: Hashable, Sendable {
    case raft(RaftMessage)
    case proposal(ForwardedProposal)
    case proposalRefused(RefusedProposal)
    /// Said first on each new link: who the sender is and where it is found, for whoever does not know it from the log.
    case introduction(MemberRecord)
    /// To a server that asks for votes: the configuration of this entry is committed, and the receiver has no part in it.
    case notMember(LogIndex)
    /// A follower passes a request about the cluster on to the leader.
    case adminRequest(UInt64, AdminCommand)
    /// What came of it; nil: it is done.
    case adminReply(UInt64, AdminError?)
}

/// Why a frame makes no sense.
package enum WireError: Error, Hashable, Sendable {
    case truncated
    case trailingBytes(Int)
    case unknownKind(UInt8)
    case unknownEntryKind(UInt8)
    /// Entries of an AppendEntries are not consecutive, or not in the order of their terms.
    case badEntries
    /// A configuration that no server would make.
    case badConfiguration
    /// An index or a term beyond any that a server can reach; taken at its word it would overflow.
    case numberOutOfRange(UInt64)
    /// A log entry of so many bytes cannot be written.
    case payloadTooLarge(Int)
    /// Sessions of a snapshot are not what a server writes.
    case badSessions
    /// What a server says of itself makes no sense.
    case badRecord
    /// A request about the cluster, or the answer to one, makes no sense.
    case badRequest
    /// A command was refused for no reason that there is.
    case badRefusal
}

/// The encoding, little endian: kind (1), from (8), to (8), term (8), then the fields of the kind in their order. An optional
/// is preceded by a byte 0 or 1. Entries: count (4), then term (8), kind (1), size (4) and payload of each; indexes follow from
/// the previous position.
package enum WireCodec {
    private enum Kind {
        static let preVoteRequest: UInt8 = 1
        static let preVoteResponse: UInt8 = 2
        static let voteRequest: UInt8 = 3
        static let voteResponse: UInt8 = 4
        static let appendEntries: UInt8 = 5
        static let appendAccepted: UInt8 = 6
        static let appendRejected: UInt8 = 7
        static let readIndexRequest: UInt8 = 8
        static let readIndexResponse: UInt8 = 9
        static let termPassed: UInt8 = 10
        static let entriesLost: UInt8 = 11
        static let installSnapshot: UInt8 = 12
        static let snapshotStored: UInt8 = 13
        static let timeoutNow: UInt8 = 14
        static let proposal: UInt8 = 16
        static let introduction: UInt8 = 17
        static let notMember: UInt8 = 18
        static let adminRequest: UInt8 = 19
        static let adminReply: UInt8 = 20
        static let proposalRefused: UInt8 = 21
    }

    package static func encode(_ message: WireMessage) -> [UInt8] {
        switch message {
        case .raft(let message): encode(message)
        case .proposal(let proposal):
            encoded(kind: Kind.proposal, reserving: proposal.payload.count + 16) { writer in
                writer.put(proposal.term.rawValue)
                writer.put(proposal.payload)
            }
        case .proposalRefused(let refused):
            encoded(kind: Kind.proposalRefused, reserving: 32) { writer in
                writer.put(refused.id.process)
                writer.put(refused.id.sequence)
                writer.put(refused.term.rawValue)
                writer.put(refused.reason.rawValue)
            }
        case .introduction(let record): encoded(kind: Kind.introduction, reserving: 256) { $0.put(record) }
        case .notMember(let index): encoded(kind: Kind.notMember, reserving: 16) { $0.put(index.rawValue) }
        case .adminRequest(let request, let command):
            encoded(kind: Kind.adminRequest, reserving: 256) { writer in
                writer.put(request)
                writer.put(command)
            }
        case .adminReply(let request, let error):
            encoded(kind: Kind.adminReply, reserving: 16) { writer in
                writer.put(request)
                writer.put(error)
            }
        }
    }

    /// Whether a frame promises something that its sender must not forget: a vote, or that it has entries.
    package static func isPromise(_ frame: [UInt8]) -> Bool {
        frame.first == Kind.voteResponse || frame.first == Kind.appendAccepted
    }

    private static func encode(_ message: RaftMessage) -> [UInt8] {
        switch message.kind {
        case .preVoteRequest(let last): encoded(message, Kind.preVoteRequest) { $0.put(last) }
        case .preVoteResponse(let granted, let campaignTerm):
            encoded(message, Kind.preVoteResponse) {
                $0.put(granted)
                $0.put(campaignTerm.rawValue)
            }
        case .voteRequest(let last, let isTransfer):
            encoded(message, Kind.voteRequest) {
                $0.put(last)
                $0.put(isTransfer)
            }
        case .voteResponse(let granted): encoded(message, Kind.voteResponse) { $0.put(granted) }
        case .appendEntries(let append):
            encoded(message, Kind.appendEntries, reserving: append.entries.reduce(64) { $0 + $1.payload.count + 13 }) {
                $0.put(append)
            }
        case .appendAccepted(let match, let round, let session):
            encoded(message, Kind.appendAccepted) {
                $0.put(match.rawValue)
                $0.put(round.rawValue)
                $0.put(session.rawValue)
            }
        case .appendRejected(let previous, let hint, let round, let session):
            encoded(message, Kind.appendRejected) {
                $0.put(previous.rawValue)
                $0.put(hint)
                $0.put(round.rawValue)
                $0.put(session.rawValue)
            }
        case .termPassed: encoded(message, Kind.termPassed) { _ in }
        case .entriesLost(let index, let session):
            encoded(message, Kind.entriesLost) {
                $0.put(index.rawValue)
                $0.put(session.rawValue)
            }
        case .installSnapshot(let chunk):
            encoded(message, Kind.installSnapshot, reserving: 256 + chunk.bytes.count) { $0.put(chunk) }
        case .snapshotStored(let last, let offset, let nextOffset, let session):
            encoded(message, Kind.snapshotStored) {
                $0.put(last)
                $0.put(offset)
                $0.put(nextOffset)
                $0.put(session.rawValue)
            }
        case .timeoutNow: encoded(message, Kind.timeoutNow) { _ in }
        case .readIndexRequest(let ticket): encoded(message, Kind.readIndexRequest) { $0.put(ticket.rawValue) }
        case .readIndexResponse(let ticket, let index):
            encoded(message, Kind.readIndexResponse) {
                $0.put(ticket.rawValue)
                $0.put(index != nil)
                if let index { $0.put(index.rawValue) }
            }
        }
    }

    private static func encoded(
        _ message: RaftMessage,
        _ kind: UInt8,
        reserving size: Int = 64,
        _ body: (inout WireWriter) -> Void
    ) -> [UInt8] {
        encoded(kind: kind, reserving: size + 25) { writer in
            writer.put(message.from.rawValue)
            writer.put(message.to.rawValue)
            writer.put(message.term.rawValue)
            body(&writer)
        }
    }

    private static func encoded(kind: UInt8, reserving size: Int, _ body: (inout WireWriter) -> Void) -> [UInt8] {
        var writer = WireWriter(reserving: size)
        writer.put(kind)
        body(&writer)
        return writer.bytes
    }

    // MARK: Decoding

    /// Decodes one frame. The memory is only read during the call.
    package static func decode(_ frame: UnsafeRawBufferPointer) throws(WireError) -> WireMessage {
        var reader = WireReader(frame)
        let kind: UInt8 = try reader.take()
        let message: WireMessage
        switch kind {
        case Kind.proposal:
            let term = try reader.takeTerm()
            message = .proposal(ForwardedProposal(term: term, payload: try reader.takePayload()))
        case Kind.proposalRefused: message = .proposalRefused(try reader.takeRefusedProposal())
        case Kind.introduction: message = .introduction(try reader.takeRecord())
        case Kind.notMember: message = .notMember(try reader.takeIndex())
        case Kind.adminRequest:
            let request: UInt64 = try reader.take()
            message = .adminRequest(request, try reader.takeAdminCommand())
        case Kind.adminReply:
            let request: UInt64 = try reader.take()
            message = .adminReply(request, try reader.takeAdminError())
        default:
            let from = NodeID(try reader.take())
            let to = NodeID(try reader.take())
            let term = try reader.takeTerm()
            message = .raft(RaftMessage(from: from, to: to, term: term, kind: try decode(kind, &reader)))
        }
        guard reader.remaining == 0 else { throw .trailingBytes(reader.remaining) }
        return message
    }

    private static func decode(_ kind: UInt8, _ reader: inout WireReader) throws(WireError) -> RaftMessage.Kind {
        switch kind {
        case Kind.preVoteRequest: return .preVoteRequest(last: try reader.takePosition())
        case Kind.preVoteResponse:
            let granted = try reader.takeFlag()
            return .preVoteResponse(granted: granted, campaignTerm: try reader.takeTerm())
        case Kind.voteRequest:
            let last = try reader.takePosition()
            return .voteRequest(last: last, isTransfer: try reader.takeFlag())
        case Kind.voteResponse: return .voteResponse(granted: try reader.takeFlag())
        case Kind.appendEntries: return .appendEntries(try reader.takeAppendEntries())
        case Kind.appendAccepted:
            let match = try reader.takeIndex()
            let round = ReadRound(try reader.take())
            return .appendAccepted(match: match, readRound: round, session: ReplicationSession(try reader.take()))
        case Kind.appendRejected:
            let previous = try reader.takeIndex()
            let hint = try reader.takePosition()
            let round = ReadRound(try reader.take())
            let session = ReplicationSession(try reader.take())
            return .appendRejected(previousIndex: previous, hint: hint, readRound: round, session: session)
        case Kind.termPassed: return .termPassed
        case Kind.entriesLost:
            let index = try reader.takeIndex()
            return .entriesLost(from: index, session: ReplicationSession(try reader.take()))
        case Kind.installSnapshot: return .installSnapshot(try reader.takeSnapshotChunk())
        case Kind.snapshotStored:
            let last = try reader.takePosition()
            let offset: UInt64 = try reader.takeNumber()
            let nextOffset: UInt64 = try reader.takeNumber()
            let session = ReplicationSession(try reader.take())
            return .snapshotStored(last: last, offset: offset, nextOffset: nextOffset, session: session)
        case Kind.timeoutNow: return .timeoutNow
        case Kind.readIndexRequest: return .readIndexRequest(ReadTicket(try reader.take()))
        case Kind.readIndexResponse:
            let ticket = ReadTicket(try reader.take())
            let index: LogIndex? = try reader.takeFlag() ? reader.takeIndex() : nil
            return .readIndexResponse(ticket, index: index)
        default: throw .unknownKind(kind)
        }
    }
}
