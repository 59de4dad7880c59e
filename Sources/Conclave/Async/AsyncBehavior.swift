// Actors whose handlers may await.

/// A closed actor with asynchronous handlers.
///
/// Everything is as for a `Behavior`, except that `receive` may await. It is **not re-entrant**: while a handler awaits, this actor's
/// messages wait; stop, kill, monitors and the ends of children do not. Handlers run as tasks on the system's workers, under the
/// same rule as all of the actor's code: one piece at a time. Child tasks of a handler run there too, one piece at a time.
///
/// - Stopping the actor cancels the task of its handler, and waits for it: until it returns, or until the actor is killed, by its
///   parent when its `shutdown` time is over.
/// - A kill cancels the task too but waits for nothing. A handler that ignores it goes on, in an actor that has ended: its context
///   starts no children, and its messages to others arrive. The behaviour is destroyed when it returns.
///   A kill that a restart follows waits for the handler all the same, since the same actor goes on.
/// - A handler that throws because it was cancelled does not turn a stop into a failure.
public protocol AsyncBehavior: ActorBehavior, SendableMetatype {
    /// What this actor understands.
    associatedtype Message

    /// Handles one message. The next one waits until this returns. Throwing fails the actor with `ExitReason.failed`.
    mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) async throws

    /// Runs when the mailbox ran dry or the batch limit was reached: the place to flush what several messages have gathered.
    mutating func batchEnded(_ context: borrowing Context<Message>) async throws
}

extension AsyncBehavior {
    /// Does nothing.
    @inlinable public mutating func batchEnded(_ context: borrowing Context<Message>) async throws {}
}
