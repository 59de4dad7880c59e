import RaftCore
import RaftLog
import Testing

@testable import ConclaveRaft

@Suite("Messages between servers")
struct WireCodecTests {
    private static let entries = [
        Entry(term: Term(3), index: LogIndex(8), kind: .noop),
        Entry(term: Term(4), index: LogIndex(9), kind: .command, payload: [1, 2, 3]),
        Entry(term: Term(4), index: LogIndex(10), kind: .command, payload: [UInt8](repeating: 7, count: 300)),
        Entry(term: Term(4), index: LogIndex(11), kind: .configuration, payload: configuration.encoded()),
    ]

    private static let configuration = Configuration(
        voters: [NodeID(1), NodeID(2)],
        outgoing: [NodeID(1), NodeID(3)],
        learners: [NodeID(4)],
        learnersNext: [NodeID(3)],
        records: [MemberRecord(NodeID(4), peerAddress: "127.0.0.1:7104", incarnation: 1)]
    )

    /// One message of each kind, of some kinds several.
    static let samples: [WireMessage] = {
        let position = LogPosition(index: LogIndex(7), term: Term(3))
        let append = AppendEntries(
            previous: position,
            entries: entries,
            leaderCommit: LogIndex(6),
            readRound: ReadRound(.max),
            session: ReplicationSession(.max)
        )
        let chunk = SnapshotChunk(
            snapshot: SnapshotMetadata(last: position, configuration: configuration),
            offset: 300,
            bytes: [UInt8](repeating: 9, count: 300),
            isLast: true,
            session: ReplicationSession(2)
        )
        let kinds: [RaftMessage.Kind] = [
            .preVoteRequest(last: position),
            .preVoteResponse(granted: true, campaignTerm: Term(4)),
            .preVoteResponse(granted: false, campaignTerm: Term(4)),
            .voteRequest(last: position, isTransfer: false),
            .voteRequest(last: position, isTransfer: true),
            .voteResponse(granted: true),
            .appendEntries(append),
            .appendEntries(.emptyHeartbeat),
            .appendAccepted(match: LogIndex(10), readRound: ReadRound(5), session: ReplicationSession(2)),
            .appendRejected(
                previousIndex: LogIndex(7),
                hint: position,
                readRound: ReadRound(5),
                session: ReplicationSession(2)
            ),
            .entriesLost(from: LogIndex(7), session: ReplicationSession(2)),
            .installSnapshot(chunk),
            .snapshotStored(last: position, offset: 300, nextOffset: 600, session: ReplicationSession(2)),
            .timeoutNow,
            .termPassed,
            .readIndexRequest(ReadTicket(.max)),
            .readIndexResponse(ReadTicket(1), index: nil),
            .readIndexResponse(ReadTicket(1), index: LogIndex(UInt64(Int64.max) - 1)),
        ]
        let raft = kinds.map { kind in
            WireMessage.raft(RaftMessage(from: NodeID(1), to: NodeID(.max), term: Term(9), kind: kind))
        }
        let record = MemberRecord(
            NodeID(4),
            peerAddress: "127.0.0.1:7104",
            clientAddress: "127.0.0.1:7004",
            incarnation: .max,
            isToBePromoted: true
        )
        let commands: [AdminCommand] = [
            .add(record), .promote(NodeID(4)), .demote(NodeID(3)), .remove(NodeID(.max)),
            .change([.remove(NodeID(1)), .add(record), .demote(NodeID(2)), .promote(NodeID(7))]),
            .change((1...32).map { .remove(NodeID($0)) }), .transferLeadership(to: NodeID(2)),
            .transferLeadership(to: nil),
        ]
        let errors: [AdminError?] =
            [nil, .request(.noLeader), .request(.overloaded), .request(.timeout)]
            + AdminRefusal.allCases.map { .refused($0) }
        let refusals = RefusedProposal.Reason.allCases.map { reason in
            let id = ProposalID(process: .max, sequence: 4)
            return WireMessage.proposalRefused(RefusedProposal(id: id, term: Term(9), reason: reason))
        }
        return raft + refusals + [
            .proposal(ForwardedProposal(term: Term(9), payload: [UInt8](0..<40))),
            .introduction(record), .introduction(MemberRecord(NodeID(1))), .notMember(LogIndex(77)),
        ] + commands.map { .adminRequest(.max, $0) } + errors.map { .adminReply(3, $0) }
    }()

    private func decode(_ frame: [UInt8]) throws(WireError) -> WireMessage {
        do { return try frame.withUnsafeBytes { try WireCodec.decode($0) } } catch let error as WireError {
            throw error
        } catch {
            preconditionFailure("\(error) is no wire error")
        }
    }

    @Test("a message of each kind comes back as it was", arguments: samples)
    func roundTrip(_ message: WireMessage) throws {
        #expect(try decode(WireCodec.encode(message)) == message)
    }

    @Test("a message cut anywhere, or with a byte too many, is refused", arguments: samples)
    func truncation(_ message: WireMessage) throws {
        let frame = WireCodec.encode(message)
        for count in frame.indices {
            #expect(throws: WireError.truncated) { try decode(Array(frame[..<count])) }
        }
        #expect(throws: WireError.trailingBytes(1)) { try decode(frame + [0]) }
    }

    @Test("a frame of an unknown kind is refused")
    func unknownKind() {
        #expect(throws: WireError.unknownKind(99)) { try decode([99] + [UInt8](repeating: 0, count: 24)) }
    }

    @Test("a command refused for a reason that there is not is refused itself")
    func unknownRefusal() {
        var frame = WireCodec.encode(
            .proposalRefused(
                RefusedProposal(id: ProposalID(process: 1, sequence: 2), term: Term(3), reason: .overloaded)
            )
        )
        frame[frame.count - 1] = 9
        #expect(throws: WireError.badRefusal) { try decode(frame) }
    }

    @Test("a change of nothing, of too many servers, or of an unknown kind is refused")
    func badChanges() {
        func frame(_ bytes: [UInt8]) -> [UInt8] { [19] + [UInt8](repeating: 0, count: 8) + bytes }
        for bytes in [[1, 0], [1, 33], [1, 1, 9], [9], [1, 255]] as [[UInt8]] {
            #expect(throws: WireError.badRequest) { try decode(frame(bytes + [UInt8](repeating: 0, count: 400))) }
        }
    }

    @Test("indexes and terms up to 63 bits are taken, beyond they are refused: they would overflow")
    func largeNumbers() throws {
        func vote(_ index: UInt64, _ term: UInt64, in current: UInt64) -> [UInt8] {
            let last = LogPosition(index: LogIndex(index), term: Term(term))
            let kind = RaftMessage.Kind.voteRequest(last: last, isTransfer: false)
            return WireCodec.encode(
                .raft(RaftMessage(from: NodeID(1), to: NodeID(2), term: Term(current), kind: kind))
            )
        }
        let most = UInt64(Int64.max) - 1
        _ = try decode(vote(most, most, in: most))
        for number in [most + 1, .max] {
            #expect(throws: WireError.numberOutOfRange(number)) { try decode(vote(number, 1, in: 1)) }
            #expect(throws: WireError.numberOutOfRange(number)) { try decode(vote(1, number, in: 1)) }
            #expect(throws: WireError.numberOutOfRange(number)) { try decode(vote(1, 1, in: number)) }
        }
    }

    @Test("entries whose indexes would run beyond the last number are refused")
    func entriesBeyondTheEnd() throws {
        func frame(previous: UInt64) -> [UInt8] {
            // The encoder only looks at the entries' contents.
            let append = AppendEntries(
                previous: LogPosition(index: LogIndex(previous), term: Term(1)),
                entries: Self.entries,
                leaderCommit: .zero,
                readRound: .zero,
                session: .zero
            )
            return WireCodec.encode(
                .raft(RaftMessage(from: NodeID(1), to: NodeID(2), term: Term(9), kind: .appendEntries(append)))
            )
        }
        let last = UInt64(Int64.max) - 5
        guard case .raft(let message) = try decode(frame(previous: last)),
            case .appendEntries(let append) = message.kind
        else { return #expect(Bool(false), "another message came back") }
        #expect(append.lastIndex == LogIndex(UInt64(Int64.max) - 1))
        #expect(throws: WireError.numberOutOfRange(last + 1)) { try decode(frame(previous: last + 1)) }
    }

    @Test("more entries announced than there can be are refused before memory is taken for them")
    func announcedEntries() {
        var frame = WireCodec.encode(
            .raft(RaftMessage(from: NodeID(1), to: NodeID(2), term: Term(9), kind: .appendEntries(.emptyHeartbeat)))
        )
        frame.replaceSubrange((frame.count - 4)..., with: [255, 255, 255, 255])
        #expect(throws: WireError.truncated) { try decode(frame) }
    }

    @Test("an entry longer than the log can write is refused")
    func largePayload() throws {
        func frame(_ size: Int) -> [UInt8] {
            WireCodec.encode(.proposal(ForwardedProposal(term: Term(1), payload: [UInt8](repeating: 0, count: size))))
        }
        let most = WriteAheadLog.maximumPayloadBytes
        _ = try decode(frame(most))
        #expect(throws: WireError.payloadTooLarge(most + 1)) { try decode(frame(most + 1)) }
    }

    @Test("damaged frames are decoded or refused, and what is decoded survives another round")
    func fuzz() throws {
        var random = Seeded("WireCodecTests")
        var refused = 0
        for _ in 0..<100_000 {
            var frame = WireCodec.encode(Self.samples[random.below(Self.samples.count)])
            for _ in 0...random.below(4) where !frame.isEmpty {
                let place = random.below(frame.count)
                switch random.below(4) {
                case 0: frame[place] ^= 1 << UInt8(random.below(8))
                case 1: frame[place] = [0, 1, 127, 128, 255][random.below(5)]
                case 2: frame.removeSubrange(place..<min(frame.count, place + 1 + random.below(8)))
                default: frame.insert(contentsOf: random.bytes(random.below(8)), at: place)
                }
            }
            do throws(WireError) {
                let message = try decode(frame)
                #expect(try decode(WireCodec.encode(message)) == message)
            } catch {
                refused += 1
            }
        }
        #expect(refused > 10_000)
    }
}
