// The transport of production: one TCP connection to each peer to send on, one from each to receive on.

package import Conclave
import Synchronization

/// Carries frames over TCP between the servers of one cluster. Its port is free again when its actors have ended and it is
/// released.
///
/// Its actors live under one supervisor named `peers`: a listener with a connection actor for each peer that has connected to
/// us, and a link actor to each peer.
package final class TCPTransport: Transport {
    package struct Configuration: Sendable {
        /// What we say of ourselves.
        package var handshake: Handshake
        /// The other servers of the cluster, without this one.
        package var peers: [PeerID: SocketAddress]
        package var codec = FrameCodec()
        package var limits = ConnectionLimits()
        package var backoff = Backoff(minimum: .milliseconds(20), maximum: .milliseconds(500))
        package var handshakeTimeout = Duration.seconds(3)
        /// Connections on the peer port at a time; more than the peers need, since a dead one may linger.
        package var maximumConnections = 256
        package var onEvent: @Sendable (NetworkEvent) -> Void = { _ in }

        package init(handshake: Handshake, peers: [PeerID: SocketAddress]) {
            self.handshake = handshake
            self.peers = peers
        }
    }

    private let configuration: Configuration
    private let socket: Socket
    private let events: any SocketEvents
    /// Filled as the links start; a restart keeps a link's reference. Emptied in the end: an actor's reference keeps what its
    /// parent was made from, and so would keep this transport and its port.
    private let links = Mutex<[PeerID: ActorRef<PeerLink.Message>]>([:])

    /// Listens at once, so that a taken port is refused before anything else starts. Connections wait until `start`.
    ///
    /// - Throws: `SocketError` when it cannot listen on `address`.
    package convenience init(
        listeningOn address: SocketAddress,
        _ configuration: Configuration,
        events: any SocketEvents
    ) throws(SocketError) {
        self.init(listeningOn: try Socket.listen(on: address), configuration, events: events)
    }

    /// Takes over a socket that listens already.
    package init(listeningOn socket: Socket, _ configuration: Configuration, events: any SocketEvents) {
        precondition(configuration.peers[configuration.handshake.node] == nil, "a server is not its own peer")
        self.configuration = configuration
        self.events = events
        self.socket = socket
    }

    /// Where the peers reach us: with the port that the kernel chose if 0 was asked for.
    package var localAddress: SocketAddress? { socket.localAddress }

    package func start<Message>(under context: borrowing Context<Message>, sink: any TransportSink) throws {
        try context.spawn(
            "peers",
            options: SpawnOptions(restart: .permanent, intensity: RestartIntensity(10, per: .seconds(10)))
        ) {
            PeerGroup(transport: self, sink: sink)
        }
    }

    package func send(_ frame: [UInt8], to peer: PeerID) {
        links.withLock { $0[peer] }?.send(.send(frame))
    }

    fileprivate func forgetActors() {
        // Released outside the lock: much may go with them.
        let ended = links.withLock { links in
            let ended = links
            links = [:]
            return ended
        }
        _ = consume ended
    }

    fileprivate func startActors(_ context: borrowing Context<Never>, _ sink: any TransportSink) throws {
        let (configuration, events, socket) = (configuration, events, socket)
        var accepting = PeerConnection.Configuration(
            handshake: configuration.handshake,
            peers: Set(configuration.peers.keys)
        )
        accepting.codec = configuration.codec
        accepting.limits = configuration.limits
        accepting.handshakeTimeout = configuration.handshakeTimeout
        let ways = accepting
        // A peer that connects to us is alive: no need to wait for our own next attempt.
        let onPeer: @Sendable (PeerID) -> Void = { [weak self] peer in
            self?.links.withLock { $0[peer] }?.send(.connect)
        }
        for (peer, address) in configuration.peers.sorted(by: { $0.key < $1.key }) {
            var way = PeerLink.Configuration(peer: peer, address: address, handshake: configuration.handshake)
            way.codec = configuration.codec
            way.limits = configuration.limits
            way.backoff = configuration.backoff
            way.handshakeTimeout = configuration.handshakeTimeout
            let link = try context.spawn("link-\(peer)", options: .permanent) { [way] in
                PeerLink(way, events: events, sink: sink, onEvent: configuration.onEvent)
            }
            links.withLock { $0[peer] = link }
        }
        try context.spawn("listener", options: .permanent) {
            Listener(
                on: socket,
                maximumConnections: configuration.maximumConnections,
                events: events,
                onEvent: configuration.onEvent
            ) { accepted in
                PeerConnection(
                    ways,
                    socket: accepted,
                    events: events,
                    sink: sink,
                    onEvent: configuration.onEvent,
                    onPeer: onPeer
                )
            }
        }
    }
}

/// The supervisor of a transport's actors.
private struct PeerGroup: Behavior {
    typealias Message = Never

    let transport: TCPTransport
    let sink: any TransportSink

    mutating func started(_ context: borrowing Context<Never>) throws {
        try transport.startActors(context, sink)
    }

    mutating func receive(_ message: consuming Never, _ context: borrowing Context<Never>) {}

    mutating func stopping(_ reason: ExitReason, _ context: borrowing Context<Never>) {
        transport.forgetActors()
    }
}
