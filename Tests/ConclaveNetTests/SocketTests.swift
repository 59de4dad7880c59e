import ConclaveNet
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A pair of connected sockets, and the listener they met at.
struct Pair {
    let listener: Socket
    let client: Socket
    let server: Socket

    init() throws {
        listener = try Socket.listen(on: .loopback(port: 0))
        let address = try #require(listener.localAddress)
        client = try Socket.connect(to: address)
        blockUntilReady(client, for: .writable)
        try client.finishConnecting(to: address)
        blockUntilReady(listener, for: .readable)
        guard case .accepted(let accepted) = listener.accept() else { throw SocketError(.accept, code: EAGAIN) }
        server = accepted
    }
}

/// Waits with poll(2), independent of the watchers under test.
@discardableResult
func blockUntilReady(_ socket: Socket, for readiness: Readiness, timeout: Duration = .seconds(10)) -> Bool {
    let events = Int16(readiness.contains(.readable) ? POLLIN : 0) | Int16(readiness.contains(.writable) ? POLLOUT : 0)
    var descriptor = pollfd(fd: socket.descriptor, events: events, revents: 0)
    return poll(&descriptor, 1, Int32(timeout / .milliseconds(1))) == 1
}

func send(_ bytes: [UInt8], on socket: Socket) -> Transfer {
    bytes.withUnsafeBytes { socket.send($0) }
}

func flushed(_ buffer: inout SendBuffer, to socket: Socket) -> SendBuffer.Flush { buffer.flush(to: socket) }

func appended(_ bytes: [UInt8], to buffer: inout SendBuffer) -> Bool { buffer.append(bytes) }

func receive(_ count: Int, on socket: Socket) -> (Transfer, [UInt8]) {
    var bytes = [UInt8](repeating: 0, count: count)
    let transfer = bytes.withUnsafeMutableBytes { socket.receive(into: $0) }
    guard case .bytes(let received) = transfer else { return (transfer, []) }
    return (transfer, Array(bytes[..<received]))
}

extension Loopback {
    @Suite("Sockets")
    struct SocketTests {
        @Test("bytes, nothing, and the end of the stream are told apart")
        func transfers() throws {
            let pair = try Pair()
            #expect(receive(10, on: pair.server).0 == .wouldBlock)
            #expect(send([1, 2, 3], on: pair.client) == .bytes(3))
            #expect(blockUntilReady(pair.server, for: .readable))
            #expect(receive(10, on: pair.server).1 == [1, 2, 3])
            pair.client.shutdown()
            #expect(blockUntilReady(pair.server, for: .readable))
            #expect(receive(10, on: pair.server).0 == .endOfStream)
        }

        @Test("writing to a closed connection is an error, not a signal")
        func brokenPipe() throws {
            let pair = try Pair()
            pair.client.shutdown()
            guard case .failed(let error) = send([1], on: pair.client) else {
                Issue.record("the write was accepted")
                return
            }
            #expect(error.code == EPIPE)
        }

        @Test("a connection does not delay small writes, does not block, and closes on exec")
        func options() throws {
            let pair = try Pair()
            for socket in [pair.client, pair.server] {
                var noDelay: Int32 = 0
                var size = socklen_t(MemoryLayout<Int32>.size)
                #expect(getsockopt(socket.descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &noDelay, &size) == 0)
                #expect(noDelay != 0)
            }
            for socket in [pair.client, pair.server, pair.listener] {
                #expect(fcntl(socket.descriptor, F_GETFL) & O_NONBLOCK != 0)
                #expect(fcntl(socket.descriptor, F_GETFD) & FD_CLOEXEC != 0)
            }
        }

        @Test("a taken port is refused with advice")
        func portInUse() throws {
            let first = try Socket.listen(on: .loopback(port: 0))
            let address = try #require(first.localAddress)
            let error = #expect(throws: SocketError.self) { try Socket.listen(on: address) }
            #expect(error?.isAddressInUse == true)
            #expect(error?.description.contains("\(address)") == true)
            #expect(error?.description.contains("choose another port") == true)
        }

        @Test("connecting where nobody listens fails, also when the kernel connects the socket to itself")
        func refused() throws {
            var closed: SocketAddress?
            do { closed = try Socket.listen(on: .loopback(port: 0)).localAddress }
            let address = try #require(closed)
            let error = #expect(throws: SocketError.self) {
                let socket = try Socket.connect(to: address)
                blockUntilReady(socket, for: .writable)
                try socket.finishConnecting(to: address)
            }
            #expect(error?.code == ECONNREFUSED)
            #expect(error?.description.contains("nobody listens there") == true)
        }

        @Test("the port chosen by the kernel is told, with IPv6 as well")
        func localAddress() throws {
            for wanted in [SocketAddress.loopback(port: 0), .loopbackIPv6(port: 0)] {
                do {
                    let listener = try Socket.listen(on: wanted)
                    let address = try #require(listener.localAddress)
                    #expect(address.isLoopback && address.family == wanted.family && address.port != 0)
                } catch let error as SocketError where wanted.family == .ipv6 && error.code == EADDRNOTAVAIL {
                    // A machine without IPv6.
                }
            }
        }

        @Test("many pieces in the send buffer arrive in order, and a slow reader makes it wait")
        func flush() throws {
            let pair = try Pair()
            var buffer = SendBuffer()
            var expected: [UInt8] = []
            for piece in 0..<40_000 {
                let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: piece), count: 300)
                try #require(appended(bytes, to: &buffer))
                expected += bytes
            }
            try #require(flushed(&buffer, to: pair.client) == .pending)
            var received: [UInt8] = []
            while received.count < expected.count {
                _ = buffer.flush(to: pair.client)
                blockUntilReady(pair.server, for: .readable)
                received += receive(1 << 20, on: pair.server).1
            }
            #expect(received == expected)
            try #require(flushed(&buffer, to: pair.client) == .drained)
        }
    }
}
