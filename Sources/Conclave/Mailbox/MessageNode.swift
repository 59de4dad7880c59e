// The raw memory that carries one message through a mailbox.

public import Synchronization

/// The first two words of a node; the payload follows at `NodeHeader.payloadOffset`.
///
/// Kept free of generics: an `Atomic` inside a generic noncopyable type makes the compiler fetch metadata on each access.
@usableFromInline
struct NodeHeader: ~Copyable {
    /// In a mailbox: the next node's address, 0 until its sender has linked it. In a pool: the next free node.
    @usableFromInline let next: Atomic<UInt>
    @usableFromInline var kind: NodeKind
    /// Which pool the memory goes back to.
    @usableFromInline var sizeClass: UInt32

    @inlinable static var payloadOffset: Int { 16 }
}

/// What a node in a mailbox carries.
@usableFromInline
enum NodeKind: UInt32 {
    /// A user's message, initialised at the payload offset.
    case message
    /// Nothing: its message was taken, or it only came to wake the actor.
    case hollow
    /// Nothing itself: it stands for what waits in the actor's `BoundedLane`.
    case doorbell
    /// A retained `Signal`, which becomes a message (or nothing) when it is received.
    case signal
}

@usableFromInline typealias NodePointer = UnsafeMutablePointer<NodeHeader>

extension UnsafeMutablePointer where Pointee == NodeHeader {
    @inlinable var payload: UnsafeMutableRawPointer { UnsafeMutableRawPointer(self) + NodeHeader.payloadOffset }
    @inlinable var address: UInt { UInt(bitPattern: self) }
    @inlinable static func at(_ address: UInt) -> NodePointer { NodePointer(bitPattern: address).unsafelyUnwrapped }
}

/// Something that reaches an actor in order with its messages, but is turned into a message only when it is received:
/// a DOWN, a timer, the answer to an ask. By then it may have been cancelled.
@usableFromInline
class Signal {
    /// Writes the message at `destination` and returns true, or returns false if nothing is to be received.
    @usableFromInline func makeMessage(at destination: UnsafeMutableRawPointer) -> Bool {
        fatalError("Signal.makeMessage is abstract")
    }

    /// Whether it is code to run on the behaviour instead; then `run` is called, and its loss makes a dead letter.
    @usableFromInline var isCode: Bool { false }

    @usableFromInline func run(on behavior: UnsafeMutableRawPointer, _ cell: CellPointer) throws {
        fatalError("Signal.run is abstract")
    }
}
