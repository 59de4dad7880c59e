import KeyValue
import Testing

@testable import ConclaveCommand

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

@Suite("The client in the box")
struct ClientTests {
    /// Asks once, with the server's answer already waiting; then the server's end is closed.
    private func ask(answer: String) throws -> Result<Reply, CommandFailure> {
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, streamSocketType, 0, &ends) == 0)
        let bytes = Array(answer.utf8)
        try #require(bytes.withUnsafeBytes { writeFully($0.baseAddress, count: $0.count, to: ends[1]) })
        shutdown(ends[1], Int32(SHUT_WR))
        var connection = ClientConnection(descriptor: ends[0])
        let result = Result<Reply, CommandFailure> { () throws(CommandFailure) in
            try connection.ask([Array("GET".utf8), Array("k\r\n".utf8)])
        }
        var received = [UInt8](repeating: 0, count: 100)
        let count = read(ends[1], &received, received.count)
        close(ends[1])
        #expect(String(decoding: received.prefix(max(count, 0)), as: UTF8.self) == "*2\r\n$3\r\nGET\r\n$3\r\nk\r\n\r\n")
        return result
    }

    @Test("sends a command and reads its answer")
    func answer() throws {
        #expect(try ask(answer: "$5\r\nhello\r\n") == .success(.bulk(Array("hello".utf8)[...])))
    }

    @Test("passes over what the server sends unasked")
    func push() throws {
        #expect(try ask(answer: ">1\r\n+news\r\n+OK\r\n") == .success(.simple("OK")))
    }

    @Test("a connection that ends, or that speaks something else, is a fault with a reason")
    func faults() throws {
        for (answer, words) in [
            ("", "closed the connection"), ("$5\r\nhel", "closed"), ("HTTP/1.1", "no server of ours"),
        ] {
            guard case .failure(let failure) = try ask(answer: answer) else {
                Issue.record("an answer to \(answer)")
                continue
            }
            #expect(failure.code == .unavailable)
            #expect(failure.message.contains(words))
        }
    }

    @Test("says how to start a cluster when nobody listens")
    func nobodyListens() {
        // Port 1 is reserved, and nothing but a superuser's program could listen there.
        do throws(CommandFailure) {
            _ = try ClientConnection.open(ClientOptions(port: 1))
            Issue.record("somebody listens on port 1")
        } catch {
            #expect(error.code == .unavailable)
            #expect(error.message.contains("127.0.0.1:1"))
            #expect(error.message.contains("conclave cluster"))
        }
    }

    @Test("writes bare values into a pipe, one line an element")
    func rawReplies() {
        let expected: [(Reply, String)] = [
            (.ok, "OK"), (.error("ERR", "no"), "ERR no"), (.integer(-1), "-1"), (.bulk(text: "a b\n"), "a b\n"),
            (.null, ""), (.array([.bulk(text: "a"), .null, .integer(2)]), "a\n\n2"),
            (.map([Reply.Pair(.bulk(text: "k"), .integer(1))]), "k 1"), (.boolean(true), "(true)"),
        ]
        for (reply, text) in expected { #expect(String(decoding: reply.rawBytes, as: UTF8.self) == text) }
    }
}
