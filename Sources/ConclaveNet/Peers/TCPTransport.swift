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
        /// The other servers of the cluster, without this one, until `setPeers`.
        package var peers: [PeerID: SocketAddress]
        /// Whether servers may connect that are not among `peers`, as a server that knows later members than this one does. The
        /// sink can still refuse them.
        package var acceptsStrangers = false
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
    private let state: Mutex<State>

    private struct State {
        /// Who is to be linked to.
        var peers: [PeerID: SocketAddress]
        /// Filled as the links start, before they connect; a restart keeps a link's reference. Emptied in the end: an actor's reference keeps what its
        /// parent was made from, and so would keep this transport and its port.
        var links: [PeerID: ActorRef<PeerLink.Message>] = [:]
        /// How many links each peer has had: one that was left out and is back may find its old link alive.
        var linkCounts: [PeerID: Int] = [:]
        /// Who starts and ends links; nil when not running.
        var group: ActorRef<PeerGroup.Message>?
    }

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
        state = Mutex(State(peers: configuration.peers))
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
        state.withLock { $0.links[peer] }?.send(.send(frame))
    }

    package func setPeers(_ peers: [PeerID: SocketAddress]) {
        precondition(peers[configuration.handshake.node] == nil, "a server is not its own peer")
        let group = state.withLock { state in
            state.peers = peers
            return state.group
        }
        group?.send(.peersChanged)
    }

    func forgetActors() {
        // Released outside the lock: much may go with them.
        let ended = state.withLock { state in
            let ended = state
            state.links = [:]
            state.group = nil
            return ended
        }
        withExtendedLifetime(ended) {}
    }

    func startActors(_ context: borrowing Context<PeerGroup.Message>, _ sink: any TransportSink) throws {
        let (configuration, events, socket) = (configuration, events, socket)
        var accepting = PeerConnection.Configuration(
            handshake: configuration.handshake,
            peers: configuration.acceptsStrangers
                ? .anyBut(configuration.handshake.node) : .anyOf(Set(configuration.peers.keys))
        )
        accepting.codec = configuration.codec
        accepting.limits = configuration.limits
        accepting.handshakeTimeout = configuration.handshakeTimeout
        let ways = accepting
        // A peer that connects to us is alive: no need to wait for our own next attempt.
        let onPeer: @Sendable (PeerID) -> Void = { [weak self] peer in
            self?.state.withLock { $0.links[peer] }?.send(.connect)
        }
        let group = context.myself
        state.withLock { $0.group = group }
        try updateLinks(context, sink)
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

    /// Starts and ends links until they are those that are wanted.
    func updateLinks(_ context: borrowing Context<PeerGroup.Message>, _ sink: any TransportSink) throws {
        let (wanted, links) = state.withLock { ($0.peers, $0.links) }
        for (peer, link) in links.sorted(by: { $0.key < $1.key }) where wanted[peer] == nil {
            state.withLock { $0.links[peer] = nil }
            link.send(.retire)
        }
        for (peer, address) in wanted.sorted(by: { $0.key < $1.key }) {
            if let link = links[peer] {
                link.send(.moved(address))
                continue
            }
            var way = PeerLink.Configuration(peer: peer, address: address, handshake: configuration.handshake)
            way.codec = configuration.codec
            way.limits = configuration.limits
            way.backoff = configuration.backoff
            way.handshakeTimeout = configuration.handshakeTimeout
            let (events, onEvent) = (events, configuration.onEvent)
            let count = state.withLock { state in
                state.linkCounts[peer, default: 0] += 1
                return state.linkCounts[peer, default: 0]
            }
            let name = count == 1 ? "link-\(peer)" : "link-\(peer).\(count)"
            way.onStart = { [weak self] link in self?.state.withLock { $0.links[peer] = link } }
            try context.spawn(name, options: .transient) { [way] in
                PeerLink(way, events: events, sink: sink, onEvent: onEvent)
            }
        }
    }
}

/// The supervisor of a transport's actors.
struct PeerGroup: Behavior {
    enum Message: Sendable {
        case peersChanged
    }

    let transport: TCPTransport
    let sink: any TransportSink

    mutating func started(_ context: borrowing Context<Message>) throws {
        try transport.startActors(context, sink)
    }

    mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) throws {
        try transport.updateLinks(context, sink)
    }

    mutating func stopping(_ reason: ExitReason, _ context: borrowing Context<Message>) {
        transport.forgetActors()
    }
}
