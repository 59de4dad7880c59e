import KeyValue
import Testing

@Suite("What a connection answers by itself")
struct ConnectionTests {
    private func check(_ dialogue: Dialogue) throws {
        var client = LoneClient()
        for (line, bytes) in dialogue {
            #expect(try client.receive(line) == bytes, "\(line)")
        }
    }

    private static let greeting2 =
        "*14\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.2.0\r\n$5\r\nproto\r\n:2\r\n$2\r\nid\r\n:7\r\n"
        + "$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n"
    private static let greeting3 =
        "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.2.0\r\n$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:7\r\n"
        + "$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n"

    @Test("HELLO chooses the protocol, RESET and HELLO 2 go back")
    func hello() throws {
        try check([
            ("HELLO", Self.greeting2), ("HELLO 3", Self.greeting3), ("HELLO", Self.greeting3), ("GET a", "_\r\n"),
            ("HELLO 2", Self.greeting2), ("GET a", "$-1\r\n"), ("HELLO 3 SETNAME bob", Self.greeting3),
            ("CLIENT GETNAME", "$3\r\nbob\r\n"), ("RESET", "+RESET\r\n"), ("CLIENT GETNAME", "$-1\r\n"),
        ])
    }

    @Test("HELLO refuses what it does not understand, and then changes nothing")
    func helloRefusals() throws {
        try check([
            ("HELLO 4", "-NOPROTO unsupported protocol version\r\n"),
            ("HELLO 1", "-NOPROTO unsupported protocol version\r\n"),
            ("HELLO x", "-ERR Protocol version is not an integer or out of range\r\n"),
            ("HELLO 3 AUTH default", "-ERR Syntax error in HELLO option 'AUTH'\r\n"),
            ("HELLO 3 SETNAME", "-ERR Syntax error in HELLO option 'SETNAME'\r\n"),
            ("HELLO 3 FOO", "-ERR Syntax error in HELLO option 'FOO'\r\n"),
            (
                "HELLO 3 SETNAME \"bo b\"",
                "-ERR Client names cannot contain spaces, newlines or special characters.\r\n"
            ),
            ("GET a", "$-1\r\n"),
        ])
    }

    @Test("a password is refused, since none is set")
    func authentication() throws {
        let refusal =
            "-ERR AUTH <password> called without any password configured for the default user. "
            + "Are you sure your configuration is correct?\r\n"
        try check([
            ("AUTH x", refusal), ("AUTH default x", refusal), ("HELLO 3 AUTH default x SETNAME n", refusal),
            ("CLIENT GETNAME", "$-1\r\n"), ("AUTH a b c", "-ERR syntax error\r\n"),
        ])
    }

    @Test("PING, ECHO, SELECT, QUIT")
    func simpleOnes() throws {
        try check([
            ("PING", "+PONG\r\n"), ("ping x", "$1\r\nx\r\n"),
            ("PING x y", "-ERR wrong number of arguments for 'ping' command\r\n"), ("ECHO a", "$1\r\na\r\n"),
            ("SELECT 0", "+OK\r\n"), ("SELECT 1", "-ERR DB index is out of range\r\n"),
            ("SELECT -1", "-ERR DB index is out of range\r\n"),
            ("SELECT x", "-ERR value is not an integer or out of range\r\n"),
        ])
        var client = LoneClient()
        #expect(try client.receive("QUIT now") == "+OK\r\n")
        #expect(client.isClosed)
    }

    @Test("CLIENT names the connection and its library")
    func client() throws {
        let described =
            "id=7 addr=127.0.0.1:5000 laddr=127.0.0.1:7001 name=x flags=N db=0 sub=0 psub=0 multi=-1 "
            + "user=default resp=2 lib-name=redis-py lib-ver=8.1.0\n"
        try check([
            ("CLIENT ID", ":7\r\n"), ("CLIENT GETNAME", "$-1\r\n"), ("CLIENT SETNAME x", "+OK\r\n"),
            ("CLIENT GETNAME", "$1\r\nx\r\n"), ("CLIENT SETINFO LIB-NAME redis-py", "+OK\r\n"),
            ("CLIENT SETINFO lib-ver 8.1.0", "+OK\r\n"),
            (
                "CLIENT SETINFO LIB-VER \"a b\"",
                "-ERR LIB-VER cannot contain spaces, newlines or special characters.\r\n"
            ),
            ("CLIENT SETINFO FOO a", "-ERR Unrecognized option 'FOO'\r\n"),
            ("CLIENT INFO", "$\(described.utf8.count)\r\n\(described)\r\n"),
            ("CLIENT SETNAME ''", "+OK\r\n"), ("CLIENT GETNAME", "$-1\r\n"),
        ])
    }

    @Test("COMMAND tells about the commands")
    func commandTable() throws {
        let get =
            "*10\r\n$3\r\nget\r\n:2\r\n*1\r\n+readonly\r\n:1\r\n:1\r\n:1\r\n"
            + "*2\r\n+@read\r\n+@string\r\n*0\r\n*0\r\n*0\r\n"
        try check([
            ("COMMAND COUNT", ":34\r\n"), ("COMMAND INFO get nosuch", "*2\r\n\(get)$-1\r\n"),
            (
                "COMMAND DOCS nosuch GET",
                "*2\r\n$3\r\nget\r\n*6\r\n$7\r\nsummary\r\n$26\r\nReturns the value of a key\r\n"
                    + "$5\r\nsince\r\n$5\r\n1.0.0\r\n$5\r\ngroup\r\n$6\r\nstring\r\n"
            ),
        ])
        var client = LoneClient()
        #expect(try client.receive("COMMAND").hasPrefix("*34\r\n*10\r\n$6\r\nappend\r\n:3\r\n"))
        #expect(try client.receive("COMMAND DOCS").hasPrefix("*68\r\n$6\r\nappend\r\n*6\r\n"))
        #expect(try client.receive("COMMAND LIST").hasPrefix("*34\r\n$6\r\nappend\r\n$4\r\nauth\r\n"))
        for name in ["CLIENT", "COMMAND", "CONFIG"] {
            #expect(try client.receive("\(name) HELP").contains("+\(name) <subcommand>"))
        }
    }

    @Test("CONFIG GET finds settings by pattern, each once")
    func config() throws {
        try check([
            ("CONFIG GET save", "*2\r\n$4\r\nsave\r\n$0\r\n\r\n"),
            ("CONFIG GET appendonly", "*2\r\n$10\r\nappendonly\r\n$3\r\nyes\r\n"), ("CONFIG GET nosuch", "*0\r\n"),
            ("CONFIG GET SA* s?ve", "*2\r\n$4\r\nsave\r\n$0\r\n\r\n"),
            (
                "CONFIG GET *append*o*",
                "*2\r\n$10\r\nappendonly\r\n$3\r\nyes\r\n"
            ),
            ("HELLO 3", Self.greeting3), ("CONFIG GET save", "%1\r\n$4\r\nsave\r\n$0\r\n\r\n"),
        ])
    }

    @Test("INFO tells the asked sections about server and cluster")
    func info() throws {
        let raft =
            "# Raft\r\nraft_node_id:1\r\nraft_role:follower\r\nraft_term:5\r\nraft_leader_id:2\r\nraft_voters:1,2,3\r\n"
            + "raft_last_index:12\r\nraft_commit_index:11\r\nraft_applied_index:10\r\nraft_disk_space:ample\r\n"
            + "raft_quarantined:0\r\n"
        let clients = "# Clients\r\nconnected_clients:2\r\n"
        try check([
            ("INFO nosuch", "$0\r\n\r\n"), ("INFO RAFT", "$\(raft.utf8.count)\r\n\(raft)\r\n"),
            ("INFO raft clients", "$\((clients + "\r\n" + raft).utf8.count)\r\n\(clients)\r\n\(raft)\r\n"),
        ])
        var client = LoneClient()
        let all = try client.receive("INFO")
        for line in ["redis_version:7.2.0", "tcp_port:7001", "uptime_in_days:1", "db0:keys=3,expires=0,avg_ttl=0"] {
            #expect(all.contains("\r\n\(line)\r\n"))
        }
        #expect(try client.receive("INFO everything") == all)
    }
}
