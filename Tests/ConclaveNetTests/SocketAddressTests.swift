import ConclaveNet
import Testing

@Suite("Socket addresses")
struct SocketAddressTests {
    @Test(
        "an address reads as it is written",
        arguments: ["127.0.0.1:7001", "[::1]:0", "127.0.0.1:65535"]
    )
    func roundTrip(text: String) throws {
        #expect(try SocketAddress(text).description == text)
    }

    @Test("localhost is 127.0.0.1")
    func localhost() throws {
        #expect(try SocketAddress("localhost:7001") == .loopback(port: 7001))
        #expect(try SocketAddress(host: "localhost", port: 1) == .loopback(port: 1))
        #expect(try SocketAddress(host: "::1", port: 2) == .loopbackIPv6(port: 2))
    }

    @Test(
        "any address but loopback is refused with the reason",
        arguments: ["0.0.0.0", "192.168.1.10", "::", "127.0.0.2", "::2", "example.org", "::ffff:127.0.0.1", "fe80::1"]
    )
    func notLoopback(host: String) {
        let error = #expect(throws: SocketAddressError.self) { try SocketAddress(host: host, port: 7001) }
        #expect(error == .notLoopback(host))
        #expect(error?.description.contains("everything binds to loopback because there are no secrets yet") == true)
    }

    @Test("where other addresses are allowed they are read, but names are not looked up")
    func anyAddress() throws {
        #expect(try SocketAddress("10.1.2.3:80", loopbackOnly: false).description == "10.1.2.3:80")
        #expect(try SocketAddress("[fe80::1]:80", loopbackOnly: false).description == "[fe80::1]:80")
        #expect(throws: SocketAddressError.notNumeric("example.org")) {
            try SocketAddress(host: "example.org", port: 1, loopbackOnly: false)
        }
    }

    @Test(
        "what is no host and port is refused",
        arguments: [
            ("127.0.0.1", SocketAddressError.malformed("127.0.0.1")),
            ("", .malformed("")),
            (":7001", .malformed(":7001")),
            ("::1:7001", .malformed("::1:7001")),
            ("127.0.0.1:", .badPort("127.0.0.1:")),
            ("127.0.0.1:65536", .badPort("127.0.0.1:65536")),
            ("127.0.0.1:+1", .badPort("127.0.0.1:+1")),
            ("127.0.0.1:x", .badPort("127.0.0.1:x")),
        ]
    )
    func malformed(text: String, expected: SocketAddressError) {
        #expect(throws: expected) { try SocketAddress(text) }
    }
}
