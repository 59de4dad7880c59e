// Servers that do nothing but carry frames, for the tests of links and connections.

import Conclave
import ConclaveNet
import Synchronization

/// Hands out what was added, in order, to one waiting test.
final class Inbox<Element: Sendable>: Sendable {
    private let stream: AsyncStream<Element>
    private let continuation: AsyncStream<Element>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream(of: Element.self) }

    func add(_ element: Element) { continuation.yield(element) }

    /// Waits for the next element. The suite's time limit ends a wait in vain.
    func next() async -> Element {
        for await element in stream { return element }
        preconditionFailure("the inbox never finishes")
    }

    /// Waits for the next element that `transform` accepts, and drops those before it.
    func first<Result>(_ transform: (Element) -> Result?) async -> Result {
        while true {
            if let result = transform(await next()) { return result }
        }
    }
}

enum Brought: Equatable {
    case frame([UInt8], from: PeerID)
    case up(PeerID)
    case down(PeerID)
}

struct BadPayload: Error {}

/// Keeps what a transport brings. A frame that begins with `nonsense` makes no sense to it.
struct CollectingSink: TransportSink {
    static let nonsense: UInt8 = 0xEE
    let inbox = Inbox<Brought>()

    func received(_ frame: UnsafeRawBufferPointer, from peer: PeerID) throws {
        if frame.first == Self.nonsense { throw BadPayload() }
        inbox.add(.frame(Array(frame), from: peer))
    }
    func linkUp(_ peer: PeerID, incarnation: UInt64) { inbox.add(.up(peer)) }
    func linkDown(_ peer: PeerID, _ reason: LinkFailure) { inbox.add(.down(peer)) }
    func refusal(of handshake: Handshake) -> Handshake.Refusal? {
        handshake.incarnation == HandshakeTests.strangeIncarnation ? .incarnation : nil
    }
}

/// One server's transport with its own actor system.
final class CarryingServer: Sendable {
    let node: PeerID
    let address: SocketAddress
    let sink = CollectingSink()
    let events = Inbox<NetworkEvent>()
    /// Released by `stop`, and the port with it.
    private let transport = Mutex<TCPTransport?>(nil)
    private let system: ActorSystem
    private let socketEvents: any SocketEvents

    init(
        _ node: UInt64,
        on address: SocketAddress = .loopback(port: 0),
        peers: [PeerID: SocketAddress],
        _ configure: (inout TCPTransport.Configuration) -> Void = { _ in }
    ) throws {
        self.node = PeerID(node)
        socketEvents = try PlatformSocketEvents.make()
        let handshake = Handshake(cluster: HandshakeTests.cluster, node: PeerID(node), incarnation: node)
        var configuration = TCPTransport.Configuration(handshake: handshake, peers: peers)
        configuration.backoff = Backoff(minimum: .milliseconds(1), maximum: .milliseconds(20))
        configuration.onEvent = { [events] in events.add($0) }
        configure(&configuration)
        let transport = try TCPTransport(listeningOn: address, configuration, events: socketEvents)
        guard let bound = transport.localAddress else { throw SocketError(.listen, code: 0) }
        self.address = bound
        system = ActorSystem("server-\(node)", workers: 2)
        let sink = sink
        self.transport.withLock { $0 = transport }
        try system.spawn("node") { Supervisor { try transport.start(under: $0, sink: sink) } }
    }

    func setPeers(_ peers: [PeerID: SocketAddress]) { transport.withLock { $0 }?.setPeers(peers) }

    func send(_ frame: [UInt8], to peer: UInt64) { transport.withLock { $0 }?.send(frame, to: PeerID(peer)) }

    func stop() async {
        await system.shutdown()
        transport.withLock { $0 = nil }
        socketEvents.stop()
    }
}

/// A port that nobody listens on at the moment.
func freeAddress() throws -> SocketAddress {
    guard let address = try Socket.listen(on: .loopback(port: 0)).localAddress else {
        throw SocketError(.listen, code: 0)
    }
    return address
}

/// A client that speaks bytes of the test's choice.
struct RawClient {
    let socket: Socket

    init(connecting socket: Socket) {
        self.socket = socket
        blockUntilReady(socket, for: .writable)
    }

    init(to address: SocketAddress) throws {
        socket = try Socket.connect(to: address)
        blockUntilReady(socket, for: .writable)
        try socket.finishConnecting(to: address)
    }

    /// Everything the server says until it closes; nil if it has not closed in time.
    func untilClosed() -> [UInt8]? {
        var bytes: [UInt8] = []
        while blockUntilReady(socket, for: .readable) {
            switch receive(4096, on: socket) {
            case (.bytes, let more): bytes += more
            case (.wouldBlock, _): continue
            default: return bytes
            }
        }
        return nil
    }
}
