import KeyValue
import Testing

@Suite("Commands from bytes")
struct RESPParserTests {
    private static let pipeline =
        wire("SET", "greeting", "hello\r\nworld") + wire("PING") + Array("*0\r\n\r\nGET  \"a b\"\r\n".utf8)
        + wire("MSET", "a", "1", "b", "", "c", "3") + Array("*-1\r\nECHO 'x'\n".utf8) + wire("")
    private static let commands = [
        ["SET", "greeting", "hello\r\nworld"], ["PING"], ["GET", "a b"], ["MSET", "a", "1", "b", "", "c", "3"],
        ["ECHO", "x"], [""],
    ]

    @Test("a pipeline gives its commands in order")
    func pipelineInOnePiece() {
        #expect(Conversation([Self.pipeline]) == Conversation(commands: Self.commands))
    }

    @Test("a pipeline gives the same commands wherever it is cut in two, or in single bytes")
    func everySplitPoint() {
        for cut in 0...Self.pipeline.count {
            let parts = [Array(Self.pipeline[..<cut]), Array(Self.pipeline[cut...])]
            #expect(Conversation(parts) == Conversation(commands: Self.commands), "cut at \(cut)")
        }
        #expect(Conversation(Self.pipeline.map { [$0] }) == Conversation(commands: Self.commands))
    }

    @Test("a request that is kept stays as it was while the parser goes on")
    func keptRequest() throws {
        var parser = RESPParser()
        parser.append(wire("SET", "a", "1") + Array("*2\r\n$3\r\nGE".utf8))
        let first = try #require(try parser.next())
        #expect(try parser.next()?.arguments == nil)
        parser.append(Array("T\r\n$1\r\nb\r\n".utf8))
        #expect(try parser.next()?.arguments == [Array("GET".utf8), Array("b".utf8)])
        #expect(first.arguments == [Array("SET".utf8), Array("a".utf8), Array("1".utf8)])
        #expect(parser.unusedCount == 0)
    }

    @Test(
        "a fault has the words of Redis 7",
        arguments: [
            ("*1\r\n$-5\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
            ("*1\r\n$-1\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
            ("*1\r\n$999999999999\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
            ("*1\r\n$abc\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
            ("*1\r\n$\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
            ("*1\r\n$+4\r\nPING\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
            ("*1\r\n$04\r\nPING\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
            ("*1\r\n$-0\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
            ("*1\r\n$4\nPING\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
            ("*1\r\n$1\(String(repeating: "1", count: 60))", "-ERR Protocol error: invalid bulk length\r\n"),
            ("*1\r\n:1\r\n", "-ERR Protocol error: expected '$', got ':'\r\n"),
            ("*1\r\n\r\n", "-ERR Protocol error: expected '$', got ' '\r\n"),
            ("*abc\r\n", "-ERR Protocol error: invalid multibulk length\r\n"),
            ("*\r\n", "-ERR Protocol error: invalid multibulk length\r\n"),
            ("*01\r\n", "-ERR Protocol error: invalid multibulk length\r\n"),
            ("* 1\r\n", "-ERR Protocol error: invalid multibulk length\r\n"),
            ("*1\n$4\r\nPING\r\n", "-ERR Protocol error: invalid multibulk length\r\n"),
            ("*1048577\r\n", "-ERR Protocol error: invalid multibulk length\r\n"),
            ("*2147483648\r\n", "-ERR Protocol error: invalid multibulk length\r\n"),
            ("SET a \"b\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n"),
            ("ECHO \"a\"b\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n"),
            // Redis does not look at these two bytes and may take a value's end for a command.
            ("*1\r\n$4\r\nPINGxx", "-ERR Protocol error: expected CRLF after bulk string\r\n"),
        ]
    )
    func faults(input: String, reply: String) throws {
        let failure = try #require(Conversation(input).failure)
        #expect(encoded(failure.reply, .two) == reply)
        // However it arrives: no byte is needed behind the faulty one, none before is forgotten.
        #expect(Conversation(input.utf8.map { [$0] }).failure == failure)
    }

    @Test("commands before a fault are given, and after it the parser stays failed")
    func faultIsFinal() throws {
        var parser = RESPParser()
        parser.append(wire("PING") + Array("*x\r\n".utf8) + wire("PING"))
        #expect(try parser.next()?.count == 1)
        #expect(throws: RESPError.invalidMultibulkLength) { try parser.next() }
        parser.append(wire("PING"))
        #expect(throws: RESPError.invalidMultibulkLength) { try parser.next() }
    }
}

@Suite("Bounds of what a client may send")
struct RESPLimitsTests {
    private static let small: RESPLimits = {
        var limits = RESPLimits()
        limits.bulkSizeBytes = 10
        limits.arrayCount = 3
        limits.lineSizeBytes = 20
        limits.totalSizeBytes = 40
        return limits
    }()

    @Test("each bound allows what is exactly at it, and refuses one more")
    func exactBounds() {
        let ten = String(repeating: "x", count: 10)
        #expect(Conversation("*1\r\n$10\r\n\(ten)\r\n", limits: Self.small).commands == [[ten]])
        #expect(Conversation("*1\r\n$11\r\n", limits: Self.small).failure == .invalidBulkLength)

        #expect(Conversation("*3\r\n$0\r\n\r\n$0\r\n\r\n$0\r\n\r\n", limits: Self.small).commands == [["", "", ""]])
        #expect(Conversation("*4\r\n", limits: Self.small).failure == .invalidMultibulkLength)

        #expect(Conversation("\(ten)\(ten)\n", limits: Self.small).commands == [[ten + ten]])
        #expect(Conversation("\(ten)\(ten)\r\n", limits: Self.small).commands == [[ten + ten]])
        #expect(Conversation("\(ten)\(ten)xx", limits: Self.small).failure == .tooBigInlineRequest)
        #expect(Conversation("\(ten)\(ten)x\n", limits: Self.small).failure == .tooBigInlineRequest)

        // 4 for the array, 17 for the first argument, then 5 + 10 + 2 are 38; 11 more do not fit.
        let two = "$10\r\n\(ten)\r\n$10\r\n\(ten)\r\n"
        #expect(Conversation("*2\r\n\(two)", limits: Self.small).commands == [[ten, ten]])
        #expect(Conversation("*3\r\n\(two)$1\r\n", limits: Self.small).failure == .tooBigRequest)
    }

    @Test("a 1 GB length prefix is refused at once, and no memory is taken for it")
    func hugePrefix() throws {
        #expect(Conversation("*2\r\n$3\r\nSET\r\n$1073741824\r\n").failure == .invalidBulkLength)
        #expect(Conversation("*1073741824\r\n").failure == .invalidMultibulkLength)
        var parser = RESPParser()
        parser.append(Array("*1000000\r\n$16777216\r\n".utf8))
        #expect(try parser.next()?.arguments == nil)
        #expect(parser.unusedCount == 21)
    }

    @Test("a line without an end is refused when it is too long, in whatever pieces it comes")
    func endlessLine() {
        let chunk = [UInt8](repeating: 0x61, count: 1_000)
        #expect(Conversation(Array(repeating: chunk, count: 65)).failure == nil)
        #expect(Conversation(Array(repeating: chunk, count: 66)).failure == .tooBigInlineRequest)
    }

    @Test("a large value that comes in small pieces is put together")
    func largeValueInPieces() {
        let value = String(repeating: "0123456789abcdef", count: 1 << 14)
        let bytes = wire("SET", "k", value)
        let chunks = stride(from: 0, to: bytes.count, by: 100).map { Array(bytes[$0..<min(bytes.count, $0 + 100)]) }
        #expect(Conversation(chunks).commands == [["SET", "k", value]])
    }
}

@Suite("Words of a typed line")
struct CommandWordsTests {
    @Test(
        "quotes and escapes are read as Redis reads them",
        arguments: [
            ("", []), ("   \t ", []), ("PING", ["PING"]), ("  GET\ta  ", ["GET", "a"]),
            ("ECHO \"a\\x41\\n\"", ["ECHO", "aA\n"]), ("ECHO 'a\\'b\\n'", ["ECHO", "a'b\\n"]),
            ("ECHO a\"b\"", ["ECHO", "ab"]), ("ECHO \"\"", ["ECHO", ""]), ("\"PING\"", ["PING"]),
            ("ECHO \"\\q\\t\\b\\a\\r\\\\\\x4\"", ["ECHO", "q\t\u{8}\u{7}\r\\x4"]),
            ("ECHO\ta\u{B}b\u{C}c", ["ECHO", "a\u{B}b\u{C}c"]), ("a \u{B} b", ["a", "b"]),
        ] as [(String, [String])]
    )
    func words(line: String, words: [String]) throws {
        #expect(try CommandWords.split(Bytes(text: line)) == words.map { Array($0.utf8) })
    }

    @Test(
        "a quote that does not close, or closes within a word, is refused",
        arguments: ["\"", "a \"b", "'", "a 'b\\'", "\"a\"b", "'a'b", "\"a\\\"", "a\"b\"c"]
    )
    func unbalanced(line: String) {
        #expect(throws: RESPError.unbalancedQuotes) { try CommandWords.split(Bytes(text: line)) }
    }

    @Test("what a reply shows in quotes, a typed line reads back: any bytes")
    func quotingRoundTrip() throws {
        let every = Array(UInt8.min...UInt8.max)
        let shown = Reply.bulk(every[...]).text
        #expect(try CommandWords.split(Bytes(text: shown)) == [every])
    }
}
