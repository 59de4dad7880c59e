import KeyValue
import Testing

/// One client of a server with one store, without a network: each command is applied at once.
struct LoneClient {
    var connection = ConnectionState(id: 7, address: "127.0.0.1:5000", localAddress: "127.0.0.1:7001")
    var store = KeyValueStore()
    var isClosed = false

    /// What a client receives for a typed line.
    mutating func receive(_ line: String) throws -> String {
        let reply =
            switch connection.handle(RESPRequest(try CommandWords.split(Bytes(text: line)))) {
            case .reply(let reply): reply
            case .write(let write): store.apply(write)
            case .read(let read): store.answer(read)
            case .once(_, let write): store.apply(write)
            case .session(let request): Reply.simple("\(request)")
            case .cluster(let request): Reply.simple("\(request)")
            case .info(let sections): Self.facts.reply(sections: sections)
            case .close(let reply): close(reply)
            }
        return encoded(reply, connection.version)
    }

    private mutating func close(_ reply: Reply) -> Reply {
        isClosed = true
        return reply
    }

    static let facts = ServerFacts(
        conclaveVersion: "0.1.0",
        processID: 42,
        clientPort: 7001,
        uptime: .seconds(90_000),
        clientCount: 2,
        keyCount: 3,
        raft: ServerFacts.Raft(
            nodeID: 1,
            role: "follower",
            term: 5,
            leaderID: 2,
            voterIDs: [1, 2, 3],
            lastIndex: 12,
            commitIndex: 11,
            appliedIndex: 10,
            diskSpace: "ample",
            isQuarantined: false
        )
    )
}

/// A conversation: lines a client types, and the bytes it receives.
/// Recorded from Redis 7.0.15 where Redis has the command.
typealias Dialogue = [(line: String, bytes: String)]

@Suite("Commands and their replies")
struct CommandTests {
    private func check(_ dialogue: Dialogue) throws {
        var client = LoneClient()
        for (line, bytes) in dialogue {
            #expect(try client.receive(line) == bytes, "\(line)")
        }
    }

    @Test("GET and SET, with their options")
    func getAndSet() throws {
        try check([
            ("GET a", "$-1\r\n"), ("SET a 1", "+OK\r\n"), ("get a", "$1\r\n1\r\n"), ("SET a 2 NX", "$-1\r\n"),
            ("SET a 2 nx GET", "$1\r\n1\r\n"), ("GET a", "$1\r\n1\r\n"), ("SET a 2 xx", "+OK\r\n"),
            ("SET a 3 GET", "$1\r\n2\r\n"), ("SET new 2 XX", "$-1\r\n"), ("SET new 2 XX GET", "$-1\r\n"),
            ("SET new 2 GET", "$-1\r\n"), ("GET new", "$1\r\n2\r\n"), ("SET a 4 GET GET", "$1\r\n3\r\n"),
            ("SET b 1 NX NX", "+OK\r\n"), ("SET \"\" \"\"", "+OK\r\n"), ("GET \"\"", "$0\r\n\r\n"),
        ])
    }

    @Test("SET refuses what it cannot do, in Redis's words where Redis has some")
    func setRefusals() throws {
        let noExpiry = "-ERR expiry is not supported yet: SET takes none of EX, PX, EXAT, PXAT, KEEPTTL\r\n"
        try check([
            ("SET a", "-ERR wrong number of arguments for 'set' command\r\n"), ("SET a b c", "-ERR syntax error\r\n"),
            ("SET a 1 NX XX", "-ERR syntax error\r\n"), ("SET a 1 XX NX", "-ERR syntax error\r\n"),
            ("SET a 1 EX", "-ERR syntax error\r\n"), ("SET a 1 KEEPTTL EX 1", "-ERR syntax error\r\n"),
            ("SET a 1 EX 1 KEEPTTL", "-ERR syntax error\r\n"), ("SET a 1 EX 1 PX 1", "-ERR syntax error\r\n"),
            ("SET a 1 EX x", "-ERR value is not an integer or out of range\r\n"),
            ("SET a 1 EX 0", "-ERR invalid expire time in 'set' command\r\n"),
            ("SET a 1 EX 10", noExpiry), ("SET a 1 px 10", noExpiry), ("SET a 1 EXAT 10", noExpiry),
            ("SET a 1 PXAT 10 NX", noExpiry), ("SET a 1 KEEPTTL", noExpiry), ("DBSIZE", ":0\r\n"),
        ])
    }

    @Test("INCR, DECR and their BY forms count, and refuse what is no integer or too large")
    func counting() throws {
        let notAnInteger = "-ERR value is not an integer or out of range\r\n"
        let overflow = "-ERR increment or decrement would overflow\r\n"
        try check([
            ("INCR n", ":1\r\n"), ("INCRBY n 41", ":42\r\n"), ("DECR n", ":41\r\n"), ("DECRBY n 50", ":-9\r\n"),
            ("GET n", "$2\r\n-9\r\n"), ("DECR fresh", ":-1\r\n"), ("INCRBY n x", notAnInteger),
            ("INCRBY n 9223372036854775808", notAnInteger), ("SET n 9223372036854775807", "+OK\r\n"),
            ("INCR n", overflow), ("INCRBY n 1", overflow), ("DECRBY n -1", overflow),
            ("DECRBY n -9223372036854775808", "-ERR decrement would overflow\r\n"),
            ("GET n", "$19\r\n9223372036854775807\r\n"), ("SET n -9223372036854775808", "+OK\r\n"),
            ("DECR n", overflow),
            ("INCRBY n 9223372036854775807", ":-1\r\n"),
        ])
        for value in ["abc", "' 1'", "'1 '", "01", "+1", "-0", "''", "-", "1.0", "9223372036854775808"] {
            try check([("SET s \(value)", "+OK\r\n"), ("INCR s", notAnInteger)])
        }
    }

    @Test("the other commands about keys")
    func keys() throws {
        try check([
            ("MSET a b c", "-ERR wrong number of arguments for 'mset' command\r\n"), ("MSET a 1 b 2 a 3", "+OK\r\n"),
            ("MGET a zz b", "*3\r\n$1\r\n3\r\n$-1\r\n$1\r\n2\r\n"),
            ("MGET", "-ERR wrong number of arguments for 'mget' command\r\n"), ("APPEND a xyz", ":4\r\n"),
            ("APPEND new xyz", ":3\r\n"), ("GET a", "$4\r\n3xyz\r\n"), ("STRLEN a", ":4\r\n"), ("STRLEN zz", ":0\r\n"),
            ("EXISTS a a zz", ":2\r\n"), ("DBSIZE", ":3\r\n"), ("TYPE a", "+string\r\n"), ("TYPE zz", "+none\r\n"),
            ("DEL a a zz", ":1\r\n"), ("UNLINK b new", ":2\r\n"), ("DBSIZE", ":0\r\n"), ("SET a 1", "+OK\r\n"),
            ("FLUSHALL x", "-ERR syntax error\r\n"), ("FLUSHALL sync async", "-ERR syntax error\r\n"),
            ("DBSIZE", ":1\r\n"), ("FLUSHALL ASYNC", "+OK\r\n"), ("DBSIZE", ":0\r\n"),
            ("DBSIZE x", "-ERR wrong number of arguments for 'dbsize' command\r\n"),
        ])
    }

    @Test("an unknown command is quoted back with its first arguments, cut short")
    func unknownCommands() throws {
        let digits = "12345678901234567890"
        let long = String(repeating: "f", count: 200)
        try check([
            ("foo", "-ERR unknown command 'foo', with args beginning with: \r\n"),
            ("foo a b", "-ERR unknown command 'foo', with args beginning with: 'a' 'b' \r\n"),
            ("\"fo\\r\\no\" \"a\\r\\nb\"", "-ERR unknown command 'fo  o', with args beginning with: 'a  b' \r\n"),
            (
                "foo" + String(repeating: " \(digits)", count: 10),
                "-ERR unknown command 'foo', with args beginning with: "
                    + String(repeating: "'\(digits)' ", count: 5) + "'1234567890123' \r\n"
            ),
            ("\(long) x", "-ERR unknown command '\(long.prefix(128))', with args beginning with: 'x' \r\n"),
            ("GeT a b", "-ERR wrong number of arguments for 'get' command\r\n"),
            ("client foo", "-ERR unknown subcommand 'foo'. Try CLIENT HELP.\r\n"),
            ("client MAINT_NOTIFICATIONS ON", "-ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP.\r\n"),
            ("COMMAND FOO", "-ERR unknown subcommand 'FOO'. Try COMMAND HELP.\r\n"),
            ("CONFIG SET save x", "-ERR unknown subcommand 'SET'. Try CONFIG HELP.\r\n"),
            ("CLIENT", "-ERR wrong number of arguments for 'client' command\r\n"),
            ("CLIENT ID x", "-ERR wrong number of arguments for 'client|id' command\r\n"),
            ("CLIENT SETNAME", "-ERR wrong number of arguments for 'client|setname' command\r\n"),
            ("COMMAND COUNT x", "-ERR wrong number of arguments for 'command|count' command\r\n"),
            ("COMMAND LIST x", "-ERR syntax error\r\n"),
            ("CONFIG GET", "-ERR wrong number of arguments for 'config|get' command\r\n"),
        ])
    }

    @Test("every command refuses too few and too many arguments by its arity")
    func arity() throws {
        var client = LoneClient()
        for specification in CommandName.specifications {
            let word = specification.name.word
            let refusal = "-ERR wrong number of arguments for '\(word)' command\r\n"
            let least = abs(specification.arity)
            if least > 1 {
                #expect(try client.receive(word + String(repeating: " x", count: least - 2)) == refusal)
            }
            if specification.arity > 0 {
                #expect(try client.receive(word + String(repeating: " x", count: least)) == refusal)
            }
        }
    }
}
