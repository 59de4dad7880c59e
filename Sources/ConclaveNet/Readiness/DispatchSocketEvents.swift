// Readiness from Dispatch sources: the way of macOS, which has no epoll.

import Dispatch
import Synchronization

/// Watches sockets with Dispatch sources on one serial queue.
///
/// A source tells again and again while there is something to read, so each is suspended as it fires and resumed by `rearm`.
package final class DispatchSocketEvents: SocketEvents {
    private let queue = DispatchQueue(label: "conclave.socket-events")

    package init() {}

    package func watch(
        _ socket: Socket,
        for interest: Readiness,
        notify: @escaping @Sendable () -> Void
    ) throws(SocketError) -> any SocketWatch {
        let watch = DispatchWatch(socket, queue: queue, notify: notify)
        watch.rearm(for: interest)
        return watch
    }

    /// Waits for notifications under way. Dispatch takes its thread back by itself when no source fires.
    package func stop() {
        queue.sync {}
    }
}

private final class DispatchWatch: SocketWatch {
    /// One of the two sources of a socket.
    private struct Source: ~Copyable {
        enum State {
            /// Not made yet: nobody has waited for it. (A source that was never activated must not be released.)
            case absent
            /// Fires when the socket is ready.
            case armed(any DispatchSourceProtocol)
            /// Suspended since it fired. It must be resumed before it can be cancelled and released.
            case fired(any DispatchSourceProtocol)
        }
        var state = State.absent
    }

    private struct State: ~Copyable {
        var reading = Source()
        var writing = Source()
        var isCancelled = false
    }

    private let socket: Socket
    private let queue: DispatchQueue
    private let notify: @Sendable () -> Void
    private let pending = PendingReadiness()
    private let state = Mutex(State())

    init(_ socket: Socket, queue: DispatchQueue, notify: @escaping @Sendable () -> Void) {
        self.socket = socket
        self.queue = queue
        self.notify = notify
    }

    func take() -> Readiness {
        let isCancelled = state.withLock { $0.isCancelled }
        let readiness = pending.take()
        return isCancelled ? [] : readiness
    }

    func again(_ readiness: Readiness) {
        guard !state.withLock({ $0.isCancelled }) else { return }
        if pending.add(readiness) { notify() }
    }

    func rearm(for interest: Readiness) {
        state.withLock { state in
            guard !state.isCancelled else { return }
            if interest.contains(.readable) { arm(&state.reading, .readable) }
            if interest.contains(.writable) { arm(&state.writing, .writable) }
        }
    }

    func cancel() {
        state.withLock { state in
            guard !state.isCancelled else { return }
            state.isCancelled = true
            Self.cancel(&state.reading)
            Self.cancel(&state.writing)
        }
    }

    private func arm(_ source: inout Source, _ kind: Readiness) {
        switch source.state {
        case .armed:
            return
        case .fired(let fired):
            source.state = .armed(fired)
            fired.resume()
        case .absent:
            let descriptor = socket.descriptor
            let made: any DispatchSourceProtocol =
                kind == .readable
                ? DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
                : DispatchSource.makeWriteSource(fileDescriptor: descriptor, queue: queue)
            // The handlers keep the watch, and with it the descriptor, alive until the source has let go of both.
            made.setEventHandler { self.fired(kind) }
            made.setCancelHandler { withExtendedLifetime(self.socket) {} }
            source.state = .armed(made)
            made.activate()
        }
    }

    private func fired(_ kind: Readiness) {
        let isLive = state.withLock { state in
            guard !state.isCancelled else { return false }
            if kind == .readable { Self.suspend(&state.reading) } else { Self.suspend(&state.writing) }
            return true
        }
        if isLive, pending.add(kind) { notify() }
    }

    private static func suspend(_ source: inout Source) {
        guard case .armed(let armed) = source.state else { return }
        armed.suspend()
        source.state = .fired(armed)
    }

    private static func cancel(_ source: inout Source) {
        switch source.state {
        case .absent: break
        case .armed(let armed): armed.cancel()
        case .fired(let fired):
            fired.cancel()
            fired.resume()
        }
        source.state = .absent
    }
}
