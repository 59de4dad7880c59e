// Who tells that a socket is ready: one narrow protocol, so that the rest does not know whether it is epoll or Dispatch.

import Synchronization

/// What a socket is ready for.
package struct Readiness: OptionSet, Hashable, Sendable {
    package let rawValue: UInt32
    @inlinable package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Bytes, the end of the stream, an error or a connection to accept.
    package static let readable = Readiness(rawValue: 1)
    /// Room for bytes to send, or a connection attempt that has ended.
    package static let writable = Readiness(rawValue: 2)
    /// The other side has closed, or the connection failed: read until the end or the error is seen, even after a short read.
    package static let hangUp = Readiness(rawValue: 4)
}

/// Watches sockets and tells their owners when they are ready.
///
/// A notification carries nothing: the owner asks its `SocketWatch` what happened. There is at most one notification that the
/// owner has not answered yet, so that a mailbox holds at most one of them per socket. Telling allocates nothing.
/// All methods may be called on any thread.
package protocol SocketEvents: AnyObject, Sendable {
    /// Starts to watch a socket.
    ///
    /// - Parameters:
    ///   - interest: what to tell at first; see `SocketWatch.rearm`.
    ///   - notify: called on a thread of the watcher when the socket has become ready; it must be short and not block. It may
    ///     be called before this method returns.
    /// - Throws: `SocketError` when the kernel refuses to watch the socket.
    func watch(
        _ socket: Socket,
        for interest: Readiness,
        notify: @escaping @Sendable () -> Void
    ) throws(SocketError) -> any SocketWatch

    /// Ends all watching and gives the thread back; waits until the last `notify` has returned. Not to be called inside one.
    func stop()
}

/// The watch over one socket. Its owner's methods are called by one thread at a time.
package protocol SocketWatch: AnyObject, Sendable {
    /// What the socket has become ready for since the last call. Empty is possible: act on what is in it, nothing else.
    ///
    /// The owner calls this once per notification, *before* it reads or writes: what happens later is told anew.
    func take() -> Readiness

    /// Says what the owner waits for from now on, after it has acted on what it took.
    ///
    /// - Precondition (edge-triggered watchers): who waits for `readable` has read until it would block or got less than it
    ///   asked for; who waits for `writable` has written until it would block. Who stopped earlier calls `again`.
    func rearm(for interest: Readiness)

    /// Notifies as if the socket had become ready: for an owner that stopped early to let others have their turn.
    func again(_ readiness: Readiness)

    /// Ends the watching. A notification that is under way may still arrive; `take` is empty then. The owner keeps its `Socket`
    /// until this has returned. May be called more than once.
    func cancel()
}

/// The part of a watch that every watcher needs: what has happened and was not taken yet.
struct PendingReadiness: ~Copyable {
    private let bits = Atomic<UInt32>(0)

    /// Adds to what is pending. True: nothing was pending, so the owner must be notified.
    func add(_ readiness: Readiness) -> Bool {
        bits.bitwiseOr(readiness.rawValue, ordering: .acquiringAndReleasing).oldValue == 0
    }

    func take() -> Readiness {
        Readiness(rawValue: bits.exchange(0, ordering: .acquiringAndReleasing))
    }
}
