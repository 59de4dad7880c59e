// An actor whose behaviour is a function that says what comes next.

/// A behaviour that may become another one with each message.
///
/// An enum in a behaviour says the same with less machinery where the states share data. This is for handlers that have little in
/// common: each is a function with its own captures, and returns what handles the next message. A restart begins with the first.
///
/// ```swift
/// func closed(_ message: consuming Door, _ context: borrowing Context<Door>) -> Becoming<Door>.Next {
///     if case .open = message { .become(opened) } else { .same }
/// }
/// let door = try system.spawn { Becoming(closed) }
/// ```
public struct Becoming<Message>: Behavior {
    /// Handles one message. Throwing fails the actor, as `Behavior.receive`.
    public typealias Handler = (consuming Message, borrowing Context<Message>) throws -> Next

    /// What handles the next message.
    public enum Next {
        /// The same function.
        case same
        /// This one.
        case become(Handler)
        /// Nothing: the actor ends, normally.
        case stop
    }

    @usableFromInline var handler: Handler

    /// Begins with `first`, in each incarnation.
    @inlinable public init(_ first: @escaping Handler) { handler = first }

    /// Handles the message with the function that the last one left.
    @inlinable
    public mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) throws {
        switch try handler(message, context) {
        case .same: break
        case .become(let next): handler = next
        case .stop: context.stop()
        }
    }
}
