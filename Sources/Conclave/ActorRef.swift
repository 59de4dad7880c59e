// The address of an actor: what messages are sent to.

public import Synchronization

/// A reference to an actor that takes `Message`.
///
/// Cheap to copy, equal when it names the same actor, and valid across restarts. Messages sent after the actor ended become dead
/// letters, as do those it had not received by then. Messages from one sender arrive in the order sent.
public struct ActorRef<Message>: Sendable {
    @usableFromInline let cell: ActorCell

    @usableFromInline init(_ cell: ActorCell) { self.cell = cell }

    /// Sends `message` and returns at once. A message that is not `Sendable` moves: it cannot be used afterwards.
    ///
    /// If the mailbox is bounded and full, its overflow decides; see `offer` and `sendWhenRoom` for senders who want to know.
    @inlinable
    public func send(_ message: consuming sending Message) {
        let thread = ThreadState.current
        // Relaxed: a hint, see `ActorCell.hasEnded`.
        if cell.isPlain.load(ordering: .relaxed) {
            cell.enqueue(Self.makeNode(message, thread), thread)
        } else {
            sendSpecially(message)
        }
    }

    /// The way of `send` to a bounded mailbox, to an actor that has ended, or in a system with an instrument.
    @inlinable @inline(never)
    func sendSpecially(_ message: consuming sending Message) { cell.send(makeNode(message)) }

    /// A node for this actor that carries `message`, and its mark if the system has an instrument.
    @inlinable
    func makeNode(_ message: consuming sending Message) -> NodePointer {
        guard cell.header.pointee.isInstrumented else { return Self.makeNode(message, ThreadState.current) }
        let mark = cell.makeMark()  // first: instruments may send
        return Self.makeNode(message, ThreadState.current, mark: mark)
    }

    /// A node that carries `message` and a mark.
    @inlinable @inline(never)
    static func makeNode(_ message: consuming Message, _ thread: ThreadPointer, mark: UInt64) -> NodePointer {
        let offset = MessageLayout<Message>.markOffset
        let node = allocateNode(payloadBytes: offset + MemoryLayout<UInt64>.size, thread)
        node.payload.bindMemory(to: Message.self, capacity: 1).initialize(to: message)
        (node.payload + offset).storeBytes(of: mark, as: UInt64.self)
        return node
    }

    /// A node that carries `message`.
    @inlinable @inline(__always)
    static func makeNode(_ message: consuming Message, _ thread: ThreadPointer) -> NodePointer {
        let node = allocateNode(payloadBytes: MemoryLayout<Message>.size, thread)
        node.payload.bindMemory(to: Message.self, capacity: 1).initialize(to: message)
        return node
    }

    @inlinable @inline(__always)
    static func allocateNode(payloadBytes: Int, _ thread: ThreadPointer) -> NodePointer {
        let sizeClass = SizeClass.of(payloadBytes: payloadBytes)
        let node =
            sizeClass == SizeClass.unpooled
            ? NodePool.allocateUnpooled(payloadBytes: payloadBytes)
            : NodePool.allocate(sizeClass, thread)
        node.pointee.kind = .message
        return node
    }

    /// Asks the actor to stop after the message it is handling. What is left in its mailbox becomes dead letters.
    public func stop() { cell.header.post(.stop) }

    /// As `stop`, but the `stopping` hook does not run and no restart follows.
    public func kill() { cell.header.post(.kill) }

    /// Waits until the actor has ended and says why; `noProcess` if it had ended before.
    public func terminated() async -> ExitReason {
        await withCheckedContinuation { continuation in
            CallbackWatch(target: cell) { continuation.resume(returning: $0) }.begin()
        }
    }

    /// Where the actor is in its system's tree, for people to read.
    public var path: String { cell.path }
}

extension ActorRef: Hashable {
    /// Whether both name the same actor.
    public static func == (a: Self, b: Self) -> Bool { a.cell === b.cell }
    /// By identity.
    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(cell)) }
}

extension ActorRef: CustomStringConvertible {
    /// The path.
    public var description: String { path }
}
