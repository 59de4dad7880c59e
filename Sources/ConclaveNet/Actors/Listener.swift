// Accepts connections and gives each an actor of its own.

package import Conclave
import Synchronization

/// Accepts connections on a listening socket; each becomes a child of this actor, never restarted, since a connection that
/// failed is gone.
///
/// Above `maximumConnections` a connection is accepted and closed at once, so that its client sees an end instead of waiting.
/// Without descriptors it waits and tries again: the connections stay in the kernel's queue.
package struct Listener<Connection: Behavior>: Behavior {
    package typealias Message = ListenerMessage

    /// Serves at most so many connections if nothing else is said.
    package static var defaultMaximumConnections: Int { 10_000 }
    /// Accepts at most so many in one turn, before others have theirs.
    private static var acceptsPerTurn: Int { 64 }
    /// How long to wait when the kernel has no descriptor or memory left.
    private static var retryDelay: Duration { .milliseconds(100) }

    private let socket: Socket
    private let maximumConnections: Int
    private let events: any SocketEvents
    private let onEvent: @Sendable (NetworkEvent) -> Void
    private let makeConnection: @Sendable (Socket) throws -> Connection
    private var watch: WatchedListener?
    private var connections = 0
    private var isRetrying = false

    /// - Parameters:
    ///   - socket: already listening, so that a taken port is refused before anything starts and a restart loses no client.
    ///   - onEvent: called on this actor: short, and never blocking.
    ///   - makeConnection: makes the behaviour that takes the accepted socket over, normally into a `ConnectionIO` in `started`.
    package init(
        on socket: Socket,
        maximumConnections: Int = Listener.defaultMaximumConnections,
        events: any SocketEvents,
        onEvent: @escaping @Sendable (NetworkEvent) -> Void = { _ in },
        makeConnection: @escaping @Sendable (Socket) throws -> Connection
    ) {
        precondition(maximumConnections > 0, "a listener must serve at least one connection")
        self.socket = socket
        self.maximumConnections = maximumConnections
        self.events = events
        self.onEvent = onEvent
        self.makeConnection = makeConnection
    }

    package mutating func started(_ context: borrowing Context<Message>) throws {
        let myself = context.myself
        watch = WatchedListener(try events.watch(socket, for: .readable) { myself.send(.socketReady) })
    }

    package mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) throws {
        switch message {
        case .socketReady:
            _ = watch?.watch.take()
            if !isRetrying { accept(context) }
        case .retry:
            isRetrying = false
            accept(context)
        case .connectionEnded:
            connections -= 1
        }
    }

    private mutating func accept(_ context: borrowing Context<Message>) {
        for _ in 0..<Self.acceptsPerTurn {
            switch socket.accept() {
            case .accepted(let accepted):
                serve(accepted, context)
            case .wouldBlock:
                watch?.watch.rearm(for: .readable)
                return
            case .failed(let error):
                onEvent(.acceptFailed(error))
                isRetrying = true
                context.after(Self.retryDelay, send: .retry)
                return
            }
        }
        watch?.watch.again(.readable)
    }

    private mutating func serve(_ socket: Socket, _ context: borrowing Context<Message>) {
        guard connections < maximumConnections else {
            onEvent(.connectionRefused(limit: maximumConnections))
            return
        }
        do {
            let connection = try context.spawn(nil, Handover(socket, to: makeConnection).make)
            context.monitor(connection) { _ in .connectionEnded }
            connections += 1
        } catch let error as SocketError {
            onEvent(.acceptFailed(error))
        } catch {
            // The behaviour refused to start, which is an event of the actor system already; the socket closes with it.
        }
    }
}

/// Ends the watching with the listener's incarnation, also when it was killed and no hook ran.
private final class WatchedListener {
    let watch: any SocketWatch
    init(_ watch: any SocketWatch) { self.watch = watch }
    deinit { watch.cancel() }
}

/// What a listener is told. Not nested in `Listener`, since it is the same for all kinds of connections.
package enum ListenerMessage: Sendable {
    /// Connections may wait.
    case socketReady
    /// Time to try again after a failure.
    case retry
    case connectionEnded
}

/// Makes one connection's behaviour and keeps nothing of its socket: what is given to `spawn` lives as long as anybody refers to
/// the actor, and the socket must not.
private final class Handover<Connection: Behavior>: Sendable {
    private let socket: Mutex<Socket?>
    private let makeConnection: @Sendable (Socket) throws -> Connection

    init(_ socket: Socket, to makeConnection: @escaping @Sendable (Socket) throws -> Connection) {
        self.socket = Mutex(socket)
        self.makeConnection = makeConnection
    }

    func make() throws -> Connection {
        guard let socket = socket.withLock({ $0.take() }) else {
            preconditionFailure("a connection's behaviour is made once: it is never restarted")
        }
        return try makeConnection(socket)
    }
}
