// What a user conforms to: what an actor does with each of its messages.

/// What every kind of behaviour has. Conform to `Behavior`, or to `AsyncBehavior` for handlers that await.
public protocol ActorBehavior: BehaviorRuntime {
    /// What this actor understands.
    associatedtype Message

    /// Runs once before the first message, on the thread that spawns (or restarts) the actor. Throwing makes `spawn` throw.
    ///
    /// An actor that calls `stop` here has nothing to do: it has ended, normally, when `spawn` returns. Whatever its restart type, it
    /// is not started again for that, and only its group's restart tries again (OTP's `ignore`).
    mutating func started(_ context: borrowing Context<Message>) throws

    /// Runs once at the end of an incarnation, after its children have stopped and before the behaviour is destroyed.
    mutating func stopping(_ reason: ExitReason, _ context: borrowing Context<Message>)
}

extension ActorBehavior {
    /// Does nothing.
    @inlinable public mutating func started(_ context: borrowing Context<Message>) throws {}
    /// Does nothing.
    @inlinable public mutating func stopping(_ reason: ExitReason, _ context: borrowing Context<Message>) {}
}

/// A closed actor: it takes its `Message` and nothing else.
///
/// A behaviour is a plain value that the runtime keeps inside an actor. It is made by the closure given to `spawn`, again on each
/// restart, and is only ever touched by one thread at a time, so it needs no lock and need not be `Sendable`.
///
/// Order: messages from one sender arrive in the order sent. Each handler runs to completion before the next message is looked at.
/// A thrown error fails the actor; its supervisor decides whether a fresh behaviour takes over the same reference and mailbox.
public protocol Behavior: ActorBehavior {
    /// What this actor understands.
    associatedtype Message

    /// Handles one message, to completion. Throwing fails the actor with `ExitReason.failed`.
    mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) throws

    /// Runs when the mailbox ran dry or the batch limit was reached: the place to flush what several messages have gathered.
    mutating func batchEnded(_ context: borrowing Context<Message>) throws
}

extension Behavior {
    /// Does nothing.
    @inlinable public mutating func batchEnded(_ context: borrowing Context<Message>) throws {}
}
