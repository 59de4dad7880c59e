// A bounded queue of values between tasks.

/// A bounded, typed channel: any number of senders and receivers, each value received once.
///
/// A sender waits while the channel is full, a receiver while it is empty; both are served in the order of their coming. Values of
/// one sender are received in the order sent. `close` ends it: what was sent before is still received, then receivers are told
/// that there is no more. A channel is not tied to an actor system.
public final class Channel<Element: Sendable>: @unchecked Sendable {
    // SAFETY: `state` is only touched under `lock`.
    private let lock = SpinLock()
    private var state: State

    private typealias State = ChannelState<Element, Waiter<Void>, Waiter<Element?>>

    /// - Parameter capacity: how many values wait in the channel at most; with 0 a sender waits until its value is received.
    public init(capacity: Int) {
        precondition(capacity >= 0, "a channel's capacity cannot be negative")
        state = State(capacity: capacity)
    }

    /// How many values wait to be received; out of date as soon as it is known.
    public var count: Int { lock.withLock { state.count } }

    /// Whether `close` was called. Values sent before may still wait.
    public var isClosed: Bool { lock.withLock { state.isClosed } }

    /// Ends the channel. Senders that wait fail with `ChannelError.closed`; what was sent before can still be received.
    public func close() {
        lock.lock()
        let waiting = state.close()
        lock.unlock()
        for (_, sender) in waiting.senders { sender.resume(throwing: ChannelError.closed) }
        for receiver in waiting.receivers { receiver.resume(returning: nil) }
    }
}

/// Why a value was not sent.
public enum ChannelError: Error, Hashable {
    /// The channel was closed before there was room.
    case closed
}

// MARK: - Sending

extension Channel {
    /// Sends `value`; waits while the channel is full.
    ///
    /// - Throws: `ChannelError.closed`, or `CancellationError` when the task is cancelled while it waits. In both cases the value
    ///   is not received by anybody.
    public func send(_ value: Element) async throws {
        if try sendAtOnce(value) { return }
        let waiter = Waiter<Void>()
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { wait($0, waiter, with: value) }
        } onCancel: {
            cancel(waiter)
        }
    }

    /// Sends `value` if there is room or a receiver waits. False: the channel is full, or closed.
    public func trySend(_ value: Element) -> Bool { (try? sendAtOnce(value)) ?? false }

    /// False: there is no room.
    private func sendAtOnce(_ value: Element) throws(ChannelError) -> Bool {
        lock.lock()
        let action = state.send(value)
        lock.unlock()
        switch action {
        case .stored: break
        case .hand(let value, let receiver): receiver.resume(returning: value)
        case .full: return false
        case .closed: throw .closed
        }
        return true
    }

    private func wait(
        _ continuation: UnsafeContinuation<Void, any Error>,
        _ waiter: Waiter<Void>,
        with value: Element
    ) {
        lock.lock()
        if waiter.isCancelled {
            lock.unlock()
            continuation.resume(throwing: CancellationError())
            return
        }
        let action = state.send(value)
        if case .full(let value) = action {
            waiter.continuation = continuation
            waiter.ticket = state.wait(waiter, with: value)
        }
        lock.unlock()
        switch action {
        case .full: break
        case .stored: continuation.resume()
        case .hand(let value, let receiver):
            receiver.resume(returning: value)
            continuation.resume()
        case .closed: continuation.resume(throwing: ChannelError.closed)
        }
    }

    private func cancel(_ sender: Waiter<Void>) {
        lock.lock()
        sender.isCancelled = true
        let left = sender.ticket.flatMap { state.cancelSend($0) }
        lock.unlock()
        left?.sender.resume(throwing: CancellationError())
    }
}

// MARK: - Receiving

extension Channel {
    /// The next value; waits while the channel is empty. Nil: the channel is closed and everything sent has been received.
    ///
    /// - Throws: `CancellationError` when the task is cancelled while it waits. No value is lost then.
    public func receive() async throws -> Element? {
        switch receiveAtOnce() {
        case .take(let value, _): return value
        case .finished: return nil
        case .empty: break
        }
        let waiter = Waiter<Element?>()
        return try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { wait($0, waiter) }
        } onCancel: {
            cancel(waiter)
        }
    }

    /// The next value, if one is there.
    public func tryReceive() -> Element? {
        if case .take(let value, _) = receiveAtOnce() { value } else { nil }
    }

    private func receiveAtOnce() -> State.ReceiveAction {
        lock.lock()
        let action = state.receive()
        lock.unlock()
        if case .take(_, let sender) = action { sender?.resume(returning: ()) }
        return action
    }

    private func wait(_ continuation: UnsafeContinuation<Element?, any Error>, _ waiter: Waiter<Element?>) {
        lock.lock()
        if waiter.isCancelled {
            lock.unlock()
            continuation.resume(throwing: CancellationError())
            return
        }
        let action = state.receive()
        if case .empty = action {
            waiter.continuation = continuation
            waiter.ticket = state.wait(waiter)
        }
        lock.unlock()
        switch action {
        case .empty: break
        case .finished: continuation.resume(returning: nil)
        case .take(let value, let sender):
            sender?.resume(returning: ())
            continuation.resume(returning: value)
        }
    }

    private func cancel(_ receiver: Waiter<Element?>) {
        lock.lock()
        receiver.isCancelled = true
        let left = receiver.ticket.flatMap { state.cancelReceive($0) }
        lock.unlock()
        left?.resume(throwing: CancellationError())
    }
}

extension Channel: AsyncSequence {
    /// Receives until the channel is closed and empty, or the task is cancelled. Several may iterate; each value goes to one of them.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let channel: Channel

        /// The next value; nil at the end of the channel and when the task is cancelled.
        public mutating func next() async -> Element? { try? await channel.receive() }

        /// The next value; nil at the end of the channel and when the task is cancelled.
        public mutating func next(isolation actor: isolated (any Swift.Actor)?) async -> Element? {
            try? await channel.receive()
        }
    }

    /// An iterator that receives from this channel.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(channel: self) }
}

/// A task that waits in a channel's line.
private final class Waiter<Value: Sendable>: @unchecked Sendable {
    // SAFETY: written under the channel's lock before it joins a line; afterwards `continuation` is only read, by the one who
    // took it out of the line, and `isCancelled` and `ticket` are only touched under the lock.
    var continuation: UnsafeContinuation<Value, any Error>?
    var ticket: UInt64?
    /// Cancelled before it joined the line.
    var isCancelled = false

    func resume(returning value: Value) { continuation.unsafelyUnwrapped.resume(returning: value) }
    func resume(throwing error: any Error) { continuation.unsafelyUnwrapped.resume(throwing: error) }
}
