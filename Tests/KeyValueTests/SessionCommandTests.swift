import ConclaveRaft
import KeyValue
import Testing

@Suite("RAFT.SESSION and RAFT.ONCE")
struct SessionCommandTests {
    private static func error(_ words: String...) -> String? {
        do {
            _ = try Command.parse(RESPRequest(words.map { Array($0.utf8) }))
            return nil
        } catch {
            return error.message
        }
    }

    @Test("a session is registered, kept alive and ended by its number")
    func session() throws {
        #expect(try Command.parse(request("raft.session", "REGISTER")) == .session(.register))
        let five = SessionID(rawValue: 5)
        #expect(try Command.parse(request("RAFT.SESSION", "KeepAlive", "5")) == .session(.keepAlive(five)))
        #expect(try Command.parse(request("RAFT.SESSION", "end", "5")) == .session(.end(five)))
        #expect(Self.error("RAFT.SESSION", "END", "0") == "value is not an integer or out of range")
        #expect(Self.error("RAFT.SESSION", "REGISTER", "x")?.contains("raft.session|register") == true)
        #expect(Self.error("RAFT.SESSION", "FOO") == "unknown subcommand 'FOO'. Try RAFT.SESSION HELP.")
        #expect(try Command.parse(request("RAFT.SESSION", "HELP")) == .help(.session))
    }

    @Test("a write with its label is carried out once, and anything but a write is refused")
    func once() throws {
        let label = SessionCommand(session: SessionID(rawValue: 5), sequence: 9, firstUnanswered: 7)
        let write = try Command.parse(request("INCR", "n"))
        guard case .write(let expected) = write else { return #expect(Bool(false)) }
        #expect(try Command.parse(request("RAFT.ONCE", "5", "9", "7", "INCR", "n")) == .once(label, expected))
        #expect(Self.error("RAFT.ONCE", "5", "9", "7", "GET", "n")?.hasPrefix("only a write") == true)
        #expect(Self.error("RAFT.ONCE", "5", "9", "10", "INCR", "n")?.hasPrefix("the first unanswered") == true)
        #expect(Self.error("RAFT.ONCE", "5", "-9", "1", "INCR", "n") == "value is not an integer or out of range")
        #expect(Self.error("RAFT.ONCE", "5", "9", "7") == "wrong number of arguments for 'raft.once' command")
        #expect(
            Self.error("RAFT.ONCE", "5", "9", "7", "RAFT.ONCE", "5", "9", "7", "INCR", "n")?.hasPrefix("only") == true
        )
    }

    @Test("names with a dot are found in any letter case, and others are not")
    func names() {
        #expect(CommandName("Raft.Once") == .raftOnce)
        #expect(CommandName("raft.session") == .raftSession)
        for other in ["raft.", "raft", "raftonce", "once", "xraft.once", "raft.oncee", "raft.sessionss"] as [Bytes] {
            #expect(CommandName(other) == nil)
        }
    }
}
