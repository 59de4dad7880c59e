// Closed actors that take code as well.

/// A closed actor that also takes closures: `ActorRef.run` sends one, and it runs on the behaviour as one message.
///
/// Conforming is all there is to do; actors that do not conform pay nothing for those that do.
public protocol OpenBehavior: Behavior {}

extension ActorRef {
    /// Runs `code` on the actor's behaviour, as one message, in order with the messages this sender sends.
    ///
    /// What `code` throws fails the actor, as a throwing `receive` does. If the actor has ended, or ends before, the code is a dead
    /// letter. Code is not counted by the bound of a bounded mailbox.
    ///
    /// The closure names the behaviour: `account.run { (account: inout Account, context) in account.total = 0 }`.
    ///
    /// - Precondition: the actor's behaviour is an `Opened`. Two behaviours may take the same messages, so that the reference's
    ///   type alone cannot tell.
    public func run<Opened: OpenBehavior>(
        _ code: @escaping @Sendable (inout Opened, borrowing Context<Message>) throws -> Void
    ) where Opened.Message == Message {
        precondition(
            cell.header.pointee.runtime == Opened.self,
            "\(path) was sent code for a \(Opened.self), but it is a \(cell.header.pointee.runtime)"
        )
        cell.header.deliver(CodeSignal(code))
    }
}

/// Code on its way to a behaviour.
private final class CodeSignal<Opened: OpenBehavior>: Signal {
    private let code: @Sendable (inout Opened, borrowing Context<Opened.Message>) throws -> Void

    init(_ code: @escaping @Sendable (inout Opened, borrowing Context<Opened.Message>) throws -> Void) {
        self.code = code
    }

    override var isCode: Bool { true }

    override func run(on behavior: UnsafeMutableRawPointer, _ cell: CellPointer) throws {
        // SAFETY: `ActorRef.run` saw that the actor's behaviour is an `Opened`, which never changes.
        try code(&behavior.assumingMemoryBound(to: Opened.self).pointee, Context(cell))
    }
}
