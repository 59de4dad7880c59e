// The socket side of any connection actor: it reads, writes and holds back; what the bytes mean is the behaviour's business.

/// How much one connection may hold and do in one turn, in bytes.
package struct ConnectionLimits: Hashable, Sendable {
    /// Read in one turn before others have theirs.
    package var readPerTurnBytes: Int
    /// With more than this waiting to be sent, nothing is read until `lowWaterBytes` is reached.
    package var highWaterBytes: Int
    package var lowWaterBytes: Int
    /// The most that may wait to be sent; see `SendBuffer`.
    package var sendBytes: Int

    package init(
        readPerTurnBytes: Int = 256 * 1024,
        highWaterBytes: Int = 1024 * 1024,
        lowWaterBytes: Int = 256 * 1024,
        sendBytes: Int = FrameCodec.defaultMaximumSizeBytes + FrameCodec.headerSizeBytes
    ) {
        precondition(readPerTurnBytes > 0, "a turn must read something")
        precondition(
            0 <= lowWaterBytes && lowWaterBytes < highWaterBytes,
            "the low-water mark must be below the high one"
        )
        self.readPerTurnBytes = readPerTurnBytes
        self.highWaterBytes = highWaterBytes
        self.lowWaterBytes = lowWaterBytes
        self.sendBytes = sendBytes
    }
}

/// One connection's socket with its received and outgoing bytes, for a behaviour to keep as part of its state.
///
/// The behaviour makes it in `started` with a `notify` that sends itself a message. On that message it calls `receive`, looks at
/// `received`, takes what it understands, and appends its answers to `outgoing`; in `batchEnded` it calls `flush`, so that all
/// answers of a batch leave in one system call. There is at most one such message in the mailbox at a time.
///
/// It is a class, and not `Sendable`, since a behaviour is copyable and a connection is not. It closes when it is released.
package final class ConnectionIO {
    /// What a turn of reading found.
    package enum Input: Equatable, Sendable {
        /// The connection is open; so many bytes were added to `received` (perhaps none).
        case open(newBytes: Int)
        /// The other side will send nothing more, and all it sent was handed out before.
        case ended
        /// The connection, or the attempt to connect, failed.
        case failed(SocketError)
    }

    /// What has arrived and was not taken yet.
    package var received = ByteQueue()
    /// What waits to be sent. Appending does not send: `flush` does.
    package var outgoing: SendBuffer
    package let limits: ConnectionLimits
    /// The owner wants no more input for now, for example because too many requests are in progress.
    package private(set) var isPaused = false

    private let socket: Socket
    private var watch: (any SocketWatch)?
    /// Where an attempt to connect under way leads to.
    private var connectingTo: SocketAddress?
    /// The kernel may hold input that was not read; it does not tell about it again.
    private var inputWaits = false
    /// The other side has closed or failed: the end must be read even after a short read.
    private var hasHungUp = false
    /// The kernel's buffer is full; the watch tells when there is room.
    private var waitsForRoom = false
    /// Reading has stopped above the high-water mark.
    /// Invariant: then output waits for room; writing it ends this state.
    private var isHeldBack = false

    /// Takes over a connected socket.
    ///
    /// - Parameter notify: see `SocketEvents.watch`; sends the owner the message on which it calls `receive`.
    /// - Throws: `SocketError` when the socket cannot be watched.
    package init(
        _ socket: Socket,
        limits: ConnectionLimits = ConnectionLimits(),
        events: any SocketEvents,
        notify: @escaping @Sendable () -> Void
    ) throws(SocketError) {
        self.socket = socket
        self.limits = limits
        outgoing = SendBuffer(limitBytes: limits.sendBytes)
        watch = try events.watch(socket, for: .readable, notify: notify)
    }

    /// Starts to connect. Bytes may be appended at once; they leave when the connection is there.
    ///
    /// - Throws: `SocketError` when the attempt fails at once.
    package init(
        connectingTo address: SocketAddress,
        limits: ConnectionLimits = ConnectionLimits(),
        events: any SocketEvents,
        notify: @escaping @Sendable () -> Void
    ) throws(SocketError) {
        socket = try Socket.connect(to: address)
        self.limits = limits
        outgoing = SendBuffer(limitBytes: limits.sendBytes)
        connectingTo = address
        watch = try events.watch(socket, for: .writable, notify: notify)
    }

    deinit { close() }

    /// The address of the other end; nil if it is gone.
    package var remoteAddress: SocketAddress? { socket.remoteAddress }

    /// Ends the connection now: unsent bytes are lost. Safe to call again.
    package func close() {
        guard let watch else { return }
        self.watch = nil
        socket.shutdown()
        watch.cancel()
    }
}

// MARK: - Input

extension ConnectionIO {
    /// Acts on what the socket is ready for: writes if there is room again, reads if there is input, within the limits.
    ///
    /// To be called once per notification. After `ended` or `failed` the owner closes the connection.
    package func receive() -> Input {
        guard let watch else { return .open(newBytes: 0) }
        let readiness = watch.take()
        if readiness.contains(.hangUp) { hasHungUp = true }
        if readiness.contains(.readable) { inputWaits = true }
        if let address = connectingTo {
            guard !readiness.isDisjoint(with: [.writable, .hangUp]) else { return .open(newBytes: 0) }
            do { try socket.finishConnecting(to: address) } catch { return .failed(error) }
            connectingTo = nil
            // An edge-triggered watch reports the first input even if it was there before.
            inputWaits = true
            if let error = write() { return .failed(error) }
        } else if readiness.contains(.writable), waitsForRoom {
            waitsForRoom = false
            if let error = write() { return .failed(error) }
        }
        return read()
    }

    /// Stops reading until `resumeInput`. What the other side sends meanwhile fills the kernel's buffer, then its sender waits.
    package func pauseInput() { isPaused = true }

    /// Reads on: the owner is notified if there may be something.
    package func resumeInput() {
        isPaused = false
        readAgain()
    }

    private func read() -> Input {
        // A batch may hold many turns: its answers are written here if they have become too many to wait for its end.
        if outgoing.count > limits.highWaterBytes {
            if !waitsForRoom, let error = write() { return .failed(error) }
            isHeldBack = waitsForRoom && outgoing.count > limits.lowWaterBytes
        }
        guard inputWaits, !isPaused, !isHeldBack else {
            rearm()
            return .open(newBytes: 0)
        }
        var total = 0
        while total < limits.readPerTurnBytes {
            let memory = received.spare(Self.readAtLeastBytes)
            switch socket.receive(into: memory) {
            case .bytes(let count):
                received.commit(count)
                total += count
                // A short read has emptied the kernel's buffer: what comes later is told anew.
                if count < memory.count, !hasHungUp {
                    inputWaits = false
                    rearm()
                    return .open(newBytes: total)
                }
            case .wouldBlock:
                inputWaits = false
                rearm()
                return .open(newBytes: total)
            case .endOfStream:
                guard total > 0 else { return .ended }
                readAgain()
                return .open(newBytes: total)
            case .failed(let error):
                guard total > 0 else { return .failed(error) }
                readAgain()
                return .open(newBytes: total)
            }
        }
        readAgain()
        return .open(newBytes: total)
    }

    /// The smallest piece of memory that is worth a system call.
    private static var readAtLeastBytes: Int { 2048 }

    /// Lets others have their turn, then `receive` is called again.
    private func readAgain() {
        if inputWaits { watch?.again(.readable) } else { rearm() }
    }

    private func rearm() {
        var interest: Readiness = inputWaits ? [] : .readable
        if waitsForRoom { interest.insert(.writable) }
        watch?.rearm(for: interest)
    }
}

// MARK: - Output

extension ConnectionIO {
    /// Writes what waits, as much as the kernel takes; the rest follows when there is room. For `batchEnded`.
    ///
    /// - Throws: `SocketError` when the connection is lost.
    package func flush() throws(SocketError) {
        guard watch != nil, !outgoing.isEmpty else { return }
        guard connectingTo == nil, !waitsForRoom, let error = write() else { return }
        throw error
    }

    private func write() -> SocketError? {
        switch outgoing.flush(to: socket) {
        case .drained:
            break
        case .pending:
            waitsForRoom = true
            rearm()
        case .failed(let error):
            return error
        }
        if isHeldBack, outgoing.count <= limits.lowWaterBytes {
            isHeldBack = false
            readAgain()
        }
        return nil
    }
}
