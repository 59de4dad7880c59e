// A connection that a peer made to us: it introduces itself, then sends frames.

package import Conclave

/// Reads a peer's frames, after a handshake that shows that it belongs to the cluster, and hands them to the sink.
///
/// Whatever is not the next thing expected closes the connection, with an event that says why.
package struct PeerConnection: Behavior {
    package enum Message: Sendable {
        case socketReady
        case handshakeTimeout
    }

    package struct Configuration: Sendable {
        /// What we say of ourselves.
        package var handshake: Handshake
        /// Who may connect.
        package var peers: Handshake.Expectation.Nodes
        package var codec = FrameCodec()
        package var limits = ConnectionLimits()
        /// How long the handshake may take.
        package var handshakeTimeout = Duration.seconds(3)

        package init(handshake: Handshake, peers: Handshake.Expectation.Nodes) {
            self.handshake = handshake
            self.peers = peers
        }
    }

    private enum State {
        /// Accepted; nothing is known of the other side.
        case introducing(deadline: Timer)
        /// The other side is this peer.
        case open(PeerID)
        /// Refused or failed, and reported.
        case ended
    }

    private let configuration: Configuration
    private let socket: Socket
    private let events: any SocketEvents
    private let sink: any TransportSink
    private let onEvent: @Sendable (NetworkEvent) -> Void
    /// Told when a peer has introduced itself: it is alive.
    private let onPeer: @Sendable (PeerID) -> Void
    private var io: ConnectionIO!
    private var state = State.ended

    package init(
        _ configuration: Configuration,
        socket: Socket,
        events: any SocketEvents,
        sink: any TransportSink,
        onEvent: @escaping @Sendable (NetworkEvent) -> Void = { _ in },
        onPeer: @escaping @Sendable (PeerID) -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.socket = socket
        self.events = events
        self.sink = sink
        self.onEvent = onEvent
        self.onPeer = onPeer
    }

    package mutating func started(_ context: borrowing Context<Message>) throws {
        let myself = context.myself
        io = try ConnectionIO(socket, limits: configuration.limits, events: events) { myself.send(.socketReady) }
        state = .introducing(deadline: context.after(configuration.handshakeTimeout, send: .handshakeTimeout))
    }

    package mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
        switch message {
        case .handshakeTimeout:
            if case .introducing = state { end(.timeout, context) }
        case .socketReady:
            let input = io.receive()
            read(context)
            switch input {
            case .open: break
            case .ended: end(.closed, context)
            case .failed(let error): end(.socket(error), context)
            }
        }
    }

    package mutating func stopping(_ reason: ExitReason, _ context: borrowing Context<Message>) {
        io.close()
    }

    private mutating func read(_ context: borrowing Context<Message>) {
        if case .introducing(let deadline) = state { readHandshake(deadline, context) }
        guard case .open(let peer) = state else { return }
        if Handshake.begins(io.received.bytes) { return readFarewell(context) }
        let sink = sink
        var badPayload: (any Error)?
        do throws(FrameError) {
            try configuration.codec.drain(&io.received) { frame in
                guard badPayload == nil else { return }
                do { try sink.received(frame, from: peer) } catch { badPayload = error }
            }
            if let badPayload { end(.badPayload(badPayload), context) }
        } catch {
            end(.badFrame(error), context)
        }
    }

    private mutating func readHandshake(_ deadline: Timer, _ context: borrowing Context<Message>) {
        do throws(Handshake.Refusal) {
            guard let offered = try Handshake.decode(io.received.bytes) else { return }
            io.received.removeFirst(Handshake.sizeBytes)
            let expected = Handshake.Expectation(of: configuration.handshake, nodes: configuration.peers)
            if let refusal = expected.refusal(of: offered) ?? sink.refusal(of: offered) { throw refusal }
            context.cancel(deadline)
            state = .open(offered.node)
            answer(nil, context)
            onPeer(offered.node)
        } catch {
            // Another program would not understand an answer.
            if error != .badMagic { answer(error, context) }
            end(.refused(error), context)
        }
    }

    /// The other side does not like our answer to its handshake: it says why, and closes.
    private mutating func readFarewell(_ context: borrowing Context<Message>) {
        do throws(Handshake.Refusal) {
            guard let farewell = try Handshake.decode(io.received.bytes) else { return }
            end(.refusedByPeer(farewell.refusal ?? .other), context)
        } catch {
            end(.refused(error), context)
        }
    }

    private mutating func answer(_ refusal: Handshake.Refusal?, _ context: borrowing Context<Message>) {
        var handshake = configuration.handshake
        handshake.refusal = refusal
        _ = io.outgoing.append(handshake.encode())
        do { try io.flush() } catch { end(.socket(error), context) }
    }

    private mutating func end(_ failure: LinkFailure, _ context: borrowing Context<Message>) {
        var peer: PeerID?
        switch state {
        case .ended: return
        case .introducing: break
        case .open(let known): peer = known
        }
        state = .ended
        io.close()
        onEvent(.peerConnectionEnded(peer, failure))
        context.stop()
    }
}
