import RaftCore
import Testing

@testable import ConclaveRaft

@Suite struct SessionTableTests {
    private static func label(_ session: SessionID, _ sequence: UInt64, from first: UInt64 = 1) -> SessionCommand {
        SessionCommand(session: session, sequence: sequence, firstUnanswered: first)
    }

    private func expect(
        _ table: inout SessionTable,
        _ label: SessionCommand,
        _ expected: SessionTable.Admission,
        _ location: SourceLocation = #_sourceLocation
    ) {
        let admission = table.admit(label)
        #expect(admission == expected, sourceLocation: location)
    }

    @Test("a command is new once, and answered from memory when it is tried again, in any order")
    func once() {
        var table = SessionTable()
        let session = table.register(at: LogIndex(7))
        #expect(session == SessionID(rawValue: 7))
        for sequence in [1, 3, 2] as [UInt64] {
            let label = Self.label(session, sequence)
            expect(&table, label, .new)
            table.record([UInt8(sequence)], of: label)
        }
        for sequence in 1...3 as ClosedRange<UInt64> {
            expect(&table, Self.label(session, sequence), .answered([UInt8(sequence)]))
        }
    }

    @Test("an acknowledged answer is forgotten, and its command is not carried out again")
    func acknowledged() {
        var table = SessionTable()
        let session = table.register(at: LogIndex(1))
        for sequence in 1...3 as ClosedRange<UInt64> {
            _ = table.admit(Self.label(session, sequence))
            table.record([0, 0], of: Self.label(session, sequence))
        }
        #expect(table.bytes == 6)
        expect(&table, Self.label(session, 4, from: 3), .new)
        #expect(table.bytes == 2)
        // A delayed retry of the first one, with what its client knew then.
        expect(&table, Self.label(session, 1), .refused(.answerForgotten))
        expect(&table, Self.label(session, 3), .answered([0, 0]))
    }

    @Test("a command beyond the window, or of no session, is refused and not carried out")
    func refused() {
        var table = SessionTable(limits: SessionLimits(window: 4))
        let session = table.register(at: LogIndex(1))
        expect(&table, Self.label(session, 4), .new)
        expect(&table, Self.label(session, 5), .refused(.windowExceeded))
        expect(&table, Self.label(session, 5, from: 2), .new)
        expect(&table, Self.label(SessionID(rawValue: 2), 1), .refused(.unknownSession))
        table.end(session)
        expect(&table, Self.label(session, 4), .refused(.unknownSession))
    }

    @Test("an answer too large to keep is not kept, and its command is not carried out again")
    func largeAnswer() {
        var table = SessionTable(limits: SessionLimits(answerBytes: 2))
        let label = Self.label(table.register(at: LogIndex(1)), 1)
        expect(&table, label, .new)
        table.record([1, 2, 3], of: label)
        #expect(table.bytes == 0)
        expect(&table, label, .refused(.answerForgotten))
    }

    @Test("a silent session ends at its time by the log's clock, and not before; signs of life postpone that")
    func expiry() {
        var table = SessionTable(limits: SessionLimits(idleNanoseconds: 100))
        table.advance(to: 50)
        let silent = table.register(at: LogIndex(1))
        let alive = table.register(at: LogIndex(2))
        table.advance(to: 100)
        let isAlive = table.keepAlive(alive)
        #expect(isAlive)
        table.advance(to: 149)
        #expect(table.count == 2)
        table.advance(to: 40)  // a stamp of a leader whose clock is behind
        #expect(table.time == 149)
        table.advance(to: 150)
        let signs = [table.keepAlive(silent), table.keepAlive(alive)]
        #expect(signs == [false, true])
        table.advance(to: 250)
        #expect(table.count == 0)
    }

    @Test("a session too many, or too many bytes, ends the session that was silent longest")
    func bounds() {
        var table = SessionTable(limits: SessionLimits(sessions: 2, totalBytes: 4))
        let first = table.register(at: LogIndex(1))
        table.advance(to: 1)
        let second = table.register(at: LogIndex(2))
        table.advance(to: 2)
        _ = table.keepAlive(first)
        let third = table.register(at: LogIndex(3))
        let isSecondAlive = table.keepAlive(second)
        #expect(table.count == 2 && !isSecondAlive)
        _ = table.admit(Self.label(first, 1))
        table.record([1, 2, 3], of: Self.label(first, 1))
        table.advance(to: 3)
        _ = table.admit(Self.label(third, 1))
        table.record([1, 2], of: Self.label(third, 1))
        #expect(table.count == 1 && table.bytes == 2)
        expect(&table, Self.label(third, 1), .answered([1, 2]))
    }

    @Test("random histories agree with a plain model, and a snapshot anywhere changes nothing")
    func model() throws {
        var random = Seeded("SessionTableTests")
        for _ in 0..<50 {
            let limits = SessionLimits(window: 8, idleNanoseconds: 50)
            var table = SessionTable(limits: limits)
            var executed: Set<[UInt64]> = []
            var active: [SessionID: UInt64] = [:]
            var acknowledged: [SessionID: UInt64] = [:]
            var time: UInt64 = 0
            for step in 1...300 {
                if random.below(3) == 0 { time += UInt64(random.below(10)) }
                table.advance(to: time)
                active = active.filter { time - $0.value < limits.idleNanoseconds }
                switch random.below(10) {
                case 0: active[table.register(at: LogIndex(UInt64(step)))] = time
                case 1:
                    table = try SessionTable(decoding: table.encoded(), limits: limits)
                default:
                    let session = SessionID(rawValue: UInt64(random.below(step) + 1))
                    let sequence = UInt64(random.below(20) + 1)
                    let label = Self.label(session, sequence, from: UInt64(random.below(Int(sequence))) + 1)
                    let admission = table.admit(label)
                    guard active[session] != nil else {
                        #expect(admission == .refused(.unknownSession))
                        continue
                    }
                    active[session] = time
                    let first = max(acknowledged[session] ?? 1, label.firstUnanswered)
                    acknowledged[session] = first
                    let name = [session.rawValue, sequence]
                    if sequence < first {
                        #expect(admission == .refused(.answerForgotten))
                    } else if sequence - first >= 8 {
                        #expect(admission == .refused(.windowExceeded))
                    } else if executed.contains(name) {
                        #expect(admission == .answered([UInt8(sequence)]))
                    } else {
                        #expect(admission == .new)
                        executed.insert(name)
                        table.record([UInt8(sequence)], of: label)
                    }
                }
                #expect(table.count == active.count)
            }
        }
    }

    @Test("bytes that are no table are refused")
    func garbage() throws {
        var table = SessionTable()
        table.advance(to: 9)
        for index in 1...3 as ClosedRange<UInt64> {
            let label = Self.label(table.register(at: LogIndex(index)), 1)
            _ = table.admit(label)
            table.record([1, 2, 3], of: label)
        }
        let good = table.encoded()
        #expect(try SessionTable(decoding: good) == table)
        for count in 0..<good.count {
            #expect(throws: WireError.self) { try SessionTable(decoding: Array(good[..<count])) }
        }
        #expect(throws: WireError.self) { try SessionTable(decoding: good + [0]) }
        var random = Seeded("SessionTableTests")
        for _ in 0..<2000 {
            var bad = good
            bad[random.below(bad.count)] = UInt8(truncatingIfNeeded: random.next())
            _ = try? SessionTable(decoding: bad)
        }
    }
}

@Suite struct ProposalHeaderTests {
    private static let purposes: [ProposalPurpose] = [
        .command, .registerSession, .keepSessionAlive(SessionID(rawValue: 5)), .endSession(SessionID(rawValue: 6)),
        .sessionCommand(SessionCommand(session: SessionID(rawValue: 7), sequence: 9, firstUnanswered: 8)),
    ]

    @Test("a payload gives its header and its command back, stamped or not", arguments: purposes)
    func roundTrip(purpose: ProposalPurpose) throws {
        let id = ProposalID(process: 0x0102_0304_0506_0708, sequence: .max)
        var payload = ProposalHeader(id: id, purpose: purpose).payload([9, 8])
        #expect(payload.count <= ProposalHeader.maximumSizeBytes + 2)
        #expect(ProposalHeader.id(of: payload) == id)
        ProposalHeader.stamp(&payload, 77)
        let (header, start) = try ProposalHeader.decode(payload)
        let stamp: UInt64 = purpose == .command ? 0 : 77
        #expect(header == ProposalHeader(id: id, purpose: purpose, stamp: stamp))
        #expect(payload[start...] == [9, 8])
    }

    @Test("a payload that ends within its header is refused", arguments: purposes)
    func truncated(purpose: ProposalPurpose) {
        let payload = ProposalHeader(id: ProposalID(process: 1, sequence: 2), purpose: purpose).payload([])
        for count in 0..<payload.count {
            #expect(throws: WireError.self) { try ProposalHeader.decode(Array(payload[..<count])) }
        }
        var unknown = payload
        unknown[0] = 5
        #expect(throws: WireError.unknownKind(5)) { try ProposalHeader.decode(unknown) }
    }
}
