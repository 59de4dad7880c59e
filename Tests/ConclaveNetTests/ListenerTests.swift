import Conclave
import ConclaveNet
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Sends back what it receives; the smallest connection actor.
struct Echo: Behavior {
    enum Message: Sendable { case socketReady }

    private let socket: Socket
    private let events: any SocketEvents
    private let limits: ConnectionLimits
    private var io: ConnectionIO!

    init(_ socket: Socket, events: any SocketEvents, limits: ConnectionLimits = ConnectionLimits()) {
        self.socket = socket
        self.events = events
        self.limits = limits
    }

    mutating func started(_ context: borrowing Context<Message>) throws {
        let myself = context.myself
        io = try ConnectionIO(socket, limits: limits, events: events) { myself.send(.socketReady) }
    }

    mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
        let input = io.receive()
        if !io.received.isEmpty {
            guard io.outgoing.append(io.received.bytes) else { return context.stop() }
            io.received.removeAll()
        }
        if case .open = input { return }
        context.stop()
    }

    mutating func batchEnded(_ context: borrowing Context<Message>) {
        do { try io.flush() } catch { context.stop() }
    }

    mutating func stopping(_ reason: ExitReason, _ context: borrowing Context<Message>) { io.close() }
}

/// An echo server with its actor system.
final class EchoServer: Sendable {
    let address: SocketAddress
    let events = Inbox<NetworkEvent>()
    let system = ActorSystem("echo", workers: 2)
    private let socketEvents: any SocketEvents

    init(
        _ watcher: Watcher,
        maximumConnections: Int = 100,
        limits: ConnectionLimits = ConnectionLimits()
    ) throws {
        let socketEvents = try watcher.make()
        self.socketEvents = socketEvents
        let socket = try Socket.listen(on: .loopback(port: 0))
        address = try #require(socket.localAddress)
        let events = events
        try system.spawn("listener", options: .permanent) {
            Listener(on: socket, maximumConnections: maximumConnections, events: socketEvents) {
                events.add($0)
            } makeConnection: {
                Echo($0, events: socketEvents, limits: limits)
            }
        }
    }

    func stop() async {
        await system.shutdown()
        socketEvents.stop()
    }
}

extension Loopback {
    @Suite("Listener and connections")
    struct ListenerTests {
        private static func echo(_ bytes: [UInt8], _ client: RawClient) -> [UInt8] {
            _ = send(bytes, on: client.socket)
            var answer: [UInt8] = []
            while answer.count < bytes.count, blockUntilReady(client.socket, for: .readable) {
                let (transfer, more) = receive(4096, on: client.socket)
                if transfer == .endOfStream { break }
                answer += more
            }
            return answer
        }

        @Test("each connection has its own actor", arguments: Watcher.allCases)
        func echo(watcher: Watcher) async throws {
            let server = try EchoServer(watcher)
            let clients = try (0..<20).map { _ in try RawClient(to: server.address) }
            for round in 0..<5 {
                for (number, client) in clients.enumerated() {
                    let bytes = [UInt8](repeating: UInt8(number + round), count: 256)
                    #expect(Self.echo(bytes, client) == bytes)
                }
            }
            await server.stop()
            for client in clients { #expect(client.untilClosed() == []) }
        }

        @Test("beyond the maximum a connection is closed at once, and a place that is free again is used")
        func maximum() async throws {
            let server = try EchoServer(.dispatch, maximumConnections: 2)
            let first = try RawClient(to: server.address)
            do {
                let second = try RawClient(to: server.address)
                #expect(Self.echo([1], first) == [1])
                #expect(Self.echo([2], second) == [2])
                let third = try RawClient(to: server.address)
                #expect(third.untilClosed() == [])
                guard case .connectionRefused(limit: 2) = await server.events.next() else {
                    Issue.record("not reported")
                    return
                }
            }
            // The listener hears of the second one's end in its own time.
            var answer: [UInt8] = []
            while answer.isEmpty { answer = Self.echo([4], try RawClient(to: server.address)) }
            #expect(answer == [4])
            await server.stop()
        }

        @Test("a reader who does not read holds up its own input only, and loses nothing", arguments: Watcher.allCases)
        func backPressure(watcher: Watcher) async throws {
            let limits = ConnectionLimits(
                readPerTurnBytes: 64 * 1024,
                highWaterBytes: 128 * 1024,
                lowWaterBytes: 16 * 1024,
                sendBytes: 1024 * 1024
            )
            let server = try EchoServer(watcher, limits: limits)
            let slow = try RawClient(to: server.address)
            let quick = try RawClient(to: server.address)
            // Fill both directions until the kernel takes no more: then the server holds at most `sendBytes`.
            let piece = [UInt8](repeating: 3, count: 64 * 1024)
            var sent = 0
            while blockUntilReady(slow.socket, for: .writable, timeout: .milliseconds(200)) {
                let transfer = send(piece, on: slow.socket)
                if case .bytes(let count) = transfer { sent += count } else { try #require(transfer == .wouldBlock) }
            }
            #expect(Self.echo([5], quick) == [5])
            var received = 0
            while received < sent, blockUntilReady(slow.socket, for: .readable) {
                let (transfer, bytes) = receive(1 << 20, on: slow.socket)
                try #require(transfer != .endOfStream)
                received += bytes.count
            }
            #expect(received == sent)
            await server.stop()
        }

        @Test("without descriptors the listener waits and goes on when there are some again")
        func exhaustion() async {
            // In a process of its own, which alone is without descriptors.
            await #expect(processExitsWith: .success) {
                for watcher in Watcher.allCases {
                    let server = try EchoServer(watcher)
                    let first = try RawClient(to: server.address)
                    #expect(Self.echo([1], first) == [1])
                    let waiting = try await Self.withOneDescriptorLeft {
                        let waiting = try Socket.connect(to: server.address)
                        let error: SocketError = await server.events.first {
                            if case .acceptFailed(let error) = $0 { error } else { nil }
                        }
                        #expect(error.isExhaustion)
                        return waiting
                    }
                    #expect(Self.echo([3], RawClient(connecting: waiting)) == [3])
                    let later = try RawClient(to: server.address)
                    #expect(Self.echo([2], later) == [2])
                    await server.stop()
                }
            }
        }

        /// Lets the process open one descriptor more and no second one while `body` runs.
        private static func withOneDescriptorLeft(_ body: () async throws -> Socket) async throws -> Socket {
            let lowestFree = open("/dev/null", O_RDONLY)
            close(lowestFree)
            #if canImport(Glibc)
                let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
            #else
                let resource = RLIMIT_NOFILE
            #endif
            var limit = rlimit()
            getrlimit(resource, &limit)
            var low = limit
            low.rlim_cur = rlim_t(lowestFree) + 1
            setrlimit(resource, &low)
            defer { setrlimit(resource, &limit) }
            return try await body()
        }
    }
}
