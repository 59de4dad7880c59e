// The way to one peer: connects, introduces itself, sends, and connects again.

package import Conclave

/// Keeps a connection to one peer and sends frames on it. Frames come back on the connection that the peer makes to us.
///
/// Without a connection frames are dropped; their sender hears of it through `linkDown` and sends again after `linkUp`.
/// All frames of one mailbox batch leave in one system call.
package struct PeerLink: Behavior {
    package enum Message: Sendable {
        case send([UInt8])
        /// Time for the next attempt; also when the peer has just shown that it is alive.
        case connect
        case socketReady
        case handshakeTimeout
        /// The peer is found here from now on.
        case moved(SocketAddress)
        /// The peer is none any more: ends when what was sent before has had time to leave.
        case retire
        case retired
    }

    package struct Configuration: Sendable {
        package var peer: PeerID
        package var address: SocketAddress
        /// What we say of ourselves.
        package var handshake: Handshake
        package var codec = FrameCodec()
        package var limits = ConnectionLimits()
        package var backoff = Backoff(minimum: .milliseconds(20), maximum: .milliseconds(500))
        /// How long connecting and the handshake may take together.
        package var handshakeTimeout = Duration.seconds(3)
        /// Called with the link before it connects: whoever hears that it is up can send on it.
        package var onStart: @Sendable (ActorRef<Message>) -> Void = { _ in }
        /// Where jitter comes from.
        package var generator: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()

        package init(peer: PeerID, address: SocketAddress, handshake: Handshake) {
            self.peer = peer
            self.address = address
            self.handshake = handshake
        }
    }

    private enum State {
        /// No connection; the timer starts the next attempt. Without one the attempt is being made.
        case down(retry: Timer?)
        /// Connecting, or waiting for the answer to our handshake.
        case introducing(ConnectionIO, deadline: Timer)
        /// The peer has accepted us.
        case up(ConnectionIO)
    }

    private var configuration: Configuration
    private let events: any SocketEvents
    private let sink: any TransportSink
    private let onEvent: @Sendable (NetworkEvent) -> Void
    private var state = State.down(retry: nil)
    private var droppedFrames = 0
    private var reportedDrops = 0

    package init(
        _ configuration: Configuration,
        events: any SocketEvents,
        sink: any TransportSink,
        onEvent: @escaping @Sendable (NetworkEvent) -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.events = events
        self.sink = sink
        self.onEvent = onEvent
    }

    package mutating func started(_ context: borrowing Context<Message>) {
        configuration.onStart(context.myself)
        connect(context)
    }

    package mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
        switch consume message {
        case .send(let frame):
            send(frame)
        case .socketReady:
            socketReady(context)
        case .connect:
            guard case .down(let retry) = state else { return }
            if let retry { context.cancel(retry) }
            state = .down(retry: nil)
            connect(context)
        case .handshakeTimeout:
            if case .introducing = state { fail(.timeout, context) }
        case .moved(let address): move(to: address, context)
        case .retire: _ = context.after(Self.farewell, send: .retired)
        case .retired: context.stop()
        }
    }

    /// How long a link to a peer that is none any more stays.
    private static var farewell: Duration { .seconds(1) }

    private mutating func move(to address: SocketAddress, _ context: borrowing Context<Message>) {
        guard address != configuration.address else { return }
        configuration.address = address
        configuration.backoff.reset()
        fail(.moved, context)
    }

    package mutating func batchEnded(_ context: borrowing Context<Message>) {
        if droppedFrames != reportedDrops {
            reportedDrops = droppedFrames
            onEvent(.framesDropped(configuration.peer, total: droppedFrames))
        }
        guard case .up(let io) = state else { return }
        do { try io.flush() } catch { fail(.socket(error), context) }
    }

    package mutating func stopping(_ reason: ExitReason, _ context: borrowing Context<Message>) {
        let before = state
        state = .down(retry: nil)
        if case .up(let io) = before {
            io.close()
            sink.linkDown(configuration.peer, .stopped)
        }
    }

    private mutating func send(_ frame: [UInt8]) {
        guard case .up(let io) = state else { return }
        if !configuration.codec.append(frame, to: &io.outgoing) { droppedFrames += 1 }
    }

    // MARK: Connecting

    private mutating func connect(_ context: borrowing Context<Message>) {
        let myself = context.myself
        do {
            let io = try ConnectionIO(connectingTo: configuration.address, limits: configuration.limits, events: events)
            {
                myself.send(.socketReady)
            }
            _ = io.outgoing.append(configuration.handshake.encode())
            let deadline = context.after(configuration.handshakeTimeout, send: .handshakeTimeout)
            state = .introducing(io, deadline: deadline)
        } catch {
            fail(.socket(error), context)
        }
    }

    private mutating func socketReady(_ context: borrowing Context<Message>) {
        let io: ConnectionIO
        switch state {
        case .down: return
        case .introducing(let connecting, _): io = connecting
        case .up(let connected): io = connected
        }
        let input = io.receive()
        if !io.received.isEmpty { read(io, context) }
        switch input {
        case .open: break
        case .ended: fail(.closed, context)
        case .failed(let error): fail(.socket(error), context)
        }
    }

    /// The answer to our handshake is all that a peer says on this connection.
    private mutating func read(_ io: ConnectionIO, _ context: borrowing Context<Message>) {
        guard case .introducing(_, let deadline) = state else {
            fail(.unexpectedBytes, context)
            return
        }
        do throws(Handshake.Refusal) {
            guard let answer = try Handshake.decode(io.received.bytes) else { return }
            io.received.removeFirst(Handshake.sizeBytes)
            if let refusal = answer.refusal {
                fail(.refusedByPeer(refusal), context)
                return
            }
            let expected = Handshake.Expectation(
                of: configuration.handshake,
                nodes: .exactly(configuration.peer)
            )
            if let refusal = expected.refusal(of: answer) ?? sink.refusal(of: answer) { throw refusal }
            context.cancel(deadline)
            configuration.backoff.reset()
            state = .up(io)
            sink.linkUp(configuration.peer, incarnation: answer.incarnation)
        } catch {
            // Nobody else would tell the other side, which takes us for connected. Another program would not understand it.
            if error != .badMagic { sayFarewell(error, io) }
            fail(.refused(error), context)
        }
    }

    private func sayFarewell(_ refusal: Handshake.Refusal, _ io: ConnectionIO) {
        var farewell = configuration.handshake
        farewell.refusal = refusal
        _ = io.outgoing.append(farewell.encode())
        // It may be gone already; then there is nobody to tell.
        try? io.flush()
    }

    /// The connection, or the attempt, is over; the next attempt comes after the backoff. Nothing to do if it is over already.
    private mutating func fail(_ failure: LinkFailure, _ context: borrowing Context<Message>) {
        let before = state
        switch before {
        case .down(.some): return
        case .down(.none): break
        case .introducing(let io, let deadline):
            context.cancel(deadline)
            io.close()
        case .up(let io):
            io.close()
        }
        let wait = configuration.backoff.next(using: &configuration.generator)
        state = .down(retry: context.after(wait, send: .connect))
        if case .up = before { sink.linkDown(configuration.peer, failure) }
        onEvent(.linkFailed(configuration.peer, failure, retryIn: wait))
    }
}
