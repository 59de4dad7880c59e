import KeyValue
import Testing

@Suite("Replies as bytes")
struct ReplyTests {
    @Test(
        "a reply is written in both protocols",
        arguments: [
            (.ok, "+OK\r\n", "+OK\r\n"),
            (.error("ERR", "no\r\nway"), "-ERR no  way\r\n", "-ERR no  way\r\n"),
            (.error("CLUSTERDOWN", ""), "-CLUSTERDOWN\r\n", "-CLUSTERDOWN\r\n"),
            (.integer(-42), ":-42\r\n", ":-42\r\n"),
            (.integer(.min), ":-9223372036854775808\r\n", ":-9223372036854775808\r\n"),
            (.bulk("a\r\nb"), "$4\r\na\r\nb\r\n", "$4\r\na\r\nb\r\n"),
            (.bulk(""), "$0\r\n\r\n", "$0\r\n\r\n"),
            (.null, "$-1\r\n", "_\r\n"),
            (.array([.integer(1), .null]), "*2\r\n:1\r\n$-1\r\n", "*2\r\n:1\r\n_\r\n"),
            (.array([]), "*0\r\n", "*0\r\n"),
            (
                .map([Reply.Pair(.bulk("k"), .integer(10))]), "*2\r\n$1\r\nk\r\n:10\r\n", "%1\r\n$1\r\nk\r\n:10\r\n"
            ),
            (.set([.integer(7)]), "*1\r\n:7\r\n", "~1\r\n:7\r\n"),
            (.push([.integer(7)]), "*1\r\n:7\r\n", ">1\r\n:7\r\n"),
            (.boolean(true), ":1\r\n", "#t\r\n"),
            (.boolean(false), ":0\r\n", "#f\r\n"),
            (.double(1.5), "$3\r\n1.5\r\n", ",1.5\r\n"),
            (.double(-.infinity), "$4\r\n-inf\r\n", ",-inf\r\n"),
            (.verbatim(format: "txt", text: "hi"), "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n"),
        ] as [(Reply, String, String)]
    )
    func encodings(reply: Reply, two: String, three: String) {
        #expect(encoded(reply, .two) == two)
        #expect(encoded(reply, .three) == three)
    }

    @Test("taking the written bytes leaves the writer empty")
    func take() {
        var writer = RESPWriter()
        writer.write(.ok)
        writer.write(.integer(1))
        #expect(writer.take() == Array("+OK\r\n:1\r\n".utf8))
        #expect(writer.bytes.isEmpty)
    }

    @Test(
        "a reply is shown as redis-cli shows it",
        arguments: [
            (.ok, "OK"), (.error("ERR", "no"), "(error) ERR no"), (.integer(3), "(integer) 3"), (.null, "(nil)"),
            (.bulk("he \"l\\lo\n\u{1}\u{7F}é"), #""he \"l\\lo\n\x01\x7f\xc3\xa9""#), (.boolean(true), "(true)"),
            (.double(0.5), "(double) 0.5"), (.verbatim(format: "txt", text: "# Raft\n"), "# Raft\n"),
            (.array([]), "(empty array)"), (.map([]), "(empty hash)"), (.set([]), "(empty set)"),
            (.array([.bulk("a"), .null]), "1) \"a\"\n2) (nil)"),
            (.array([.array([.integer(1), .integer(2)]), .ok]), "1) 1) (integer) 1\n   2) (integer) 2\n2) OK"),
            (.set([.ok]), "1~ OK"),
            (
                .map([Reply.Pair(.bulk("k"), .array([.ok, .ok])), Reply.Pair(.bulk("l"), .null)]),
                "1# \"k\" => 1) OK\n   2) OK\n2# \"l\" => (nil)"
            ),
            (
                .array(Array(repeating: .ok, count: 10)),
                (1...9).map { " \($0)) OK\n" }.joined() + "10) OK"
            ),
        ] as [(Reply, String)]
    )
    func shown(reply: Reply, text: String) {
        #expect(reply.text == text)
    }
}

@Suite("Replies from bytes")
struct RESPReplyParserTests {
    private static func replies(_ chunks: [[UInt8]], _ limits: RESPLimits = RESPLimits()) throws -> [Reply] {
        var parser = RESPReplyParser(limits: limits)
        var replies: [Reply] = []
        for chunk in chunks {
            parser.append(chunk)
            while let reply = try parser.next() { replies.append(reply) }
        }
        return replies
    }

    private static func replies(_ text: String, _ limits: RESPLimits = RESPLimits()) throws -> [Reply] {
        try replies([Array(text.utf8)], limits)
    }

    @Test("all types are read, wherever the bytes are cut")
    func everySplitPoint() throws {
        let text =
            "+OK\r\n-ERR no way\r\n-LOADING\r\n:-5\r\n$5\r\nhe\r\no\r\n$-1\r\n*-1\r\n_\r\n#t\r\n,2.5\r\n,inf\r\n"
            + "(123456789012345678901\r\n"
            + "!8\r\nERR a\r\nb\r\n=6\r\ntxt:hi\r\n*2\r\n*1\r\n:1\r\n"
            + "%1\r\n+a\r\n~0\r\n>1\r\n+m\r\n|1\r\n+x\r\n:1\r\n*0\r\n"
        let expected: [Reply] = [
            .ok, .error("ERR", "no way"), .error("LOADING", ""), .integer(-5), .bulk("he\r\no"), .null, .null, .null,
            .boolean(true), .double(2.5), .double(.infinity), .bulk("123456789012345678901"), .error("ERR", "a\r\nb"),
            .verbatim(format: "txt", text: "hi"),
            .array([.array([.integer(1)]), .map([Reply.Pair(.simple("a"), .set([]))])]), .push([.simple("m")]),
            .array([]),
        ]
        let bytes = Array(text.utf8)
        #expect(try Self.replies([bytes]) == expected)
        for cut in 0...bytes.count {
            #expect(try Self.replies([Array(bytes[..<cut]), Array(bytes[cut...])]) == expected, "cut at \(cut)")
        }
        #expect(try Self.replies(bytes.map { [$0] }) == expected)
    }

    @Test(
        "what is no reply is refused",
        arguments: [
            ("?\r\n", .unknownType(0x3F)), (":1x\r\n", .invalidLine), ("#y\r\n", .invalidLine),
            ("_x\r\n", .invalidLine),
            (",1.x\r\n", .invalidLine), ("$-2\r\n", .invalidBulkLength), ("$1073741824\r\n", .invalidBulkLength),
            ("!-1\r\n", .invalidBulkLength), ("*1073741824\r\n", .invalidMultibulkLength),
            ("%-1\r\n", .invalidMultibulkLength), ("$1\r\nabc", .unterminatedBulk), ("=2\r\nab\r\n", .invalidLine),
            (String(repeating: "*1\r\n", count: 33), .tooDeep),
            ("*1000000\r\n*100000\r\n", .invalidMultibulkLength),
        ] as [(String, RESPError)]
    )
    func faults(text: String, error: RESPError) {
        #expect(throws: error) { try Self.replies(text) }
    }

    @Test("a reply longer than the bound is refused")
    func tooBig() {
        var limits = RESPLimits()
        limits.totalSizeBytes = 16
        #expect(throws: RESPError.tooBigRequest) { try Self.replies("*2\r\n$5\r\nhello\r\n$1\r\n", limits) }
        #expect(throws: RESPError.tooBigRequest) { try Self.replies("*9\r\n:1000\r\n:1000\r\n", limits) }
    }
}
