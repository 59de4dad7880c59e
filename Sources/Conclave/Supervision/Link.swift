// Two actors that share their fate.

internal import Synchronization

/// The edge between two linked incarnations. Both ends keep it, and whoever ends it first tells the other.
///
/// If both link at the same moment there are two edges for the pair; the ends treat them as one.
final class Link: @unchecked Sendable {
    // SAFETY: the ends are constant; `isOver` is atomic.
    private let maker: ActorCell
    private let target: ActorCell
    private let isOver = Atomic<Bool>(false)

    init(from maker: ActorCell, to target: ActorCell) {
        self.maker = maker
        self.target = target
    }

    func other(than end: ActorCell) -> ActorCell { end === maker ? target : maker }

    /// True for the first call: whoever made it is to tell the other end. Relaxed: what is told goes through a mailbox.
    func end() -> Bool { !isOver.exchange(true, ordering: .relaxed) }
    var isActive: Bool { !isOver.load(ordering: .relaxed) }

    /// Tells `receiver` that the other end has ended. In order with what that one sent.
    func deliverExit(_ reason: ExitReason, to receiver: ActorCell) {
        receiver.header.deliver(ExitSignal(link: self, receiver: receiver, reason: reason))
    }
}

/// An exit on its way to the other end of a link.
private final class ExitSignal: Signal {
    private let link: Link
    private let receiver: ActorCell
    private let reason: ExitReason

    init(link: Link, receiver: ActorCell, reason: ExitReason) {
        self.link = link
        self.receiver = receiver
        self.reason = reason
    }

    override func makeMessage(at destination: UnsafeMutableRawPointer) -> Bool {
        let other = link.other(than: receiver)
        // Not received if this end was unlinked, or belonged to an earlier incarnation.
        guard let relations = receiver.relations, relations.links.contains(where: { $0 === link }) else { return false }
        // Those that are over, not one to the other's next incarnation.
        relations.links.removeAll { $0.other(than: receiver) === other && !$0.isActive }
        if let trap = relations.exitTrap {
            trap.write(Exit(cell: other, reason: reason), at: destination)
            return true
        }
        if case .normal = reason { return false }
        receiver.requestEnd(reason)
        return false
    }
}

/// The news that a linked actor has ended, for one that traps exits.
public struct Exit: Sendable {
    let cell: ActorCell
    /// Why it ended; `noProcess` if it had ended before the link.
    public let reason: ExitReason

    /// The path of the one that ended.
    public var path: String { cell.path }

    /// Whether `other` is the one that ended.
    public func isFrom<Other>(_ other: ActorRef<Other>) -> Bool { other.cell === cell }
}

/// What turns exits into messages, whatever the message type.
class AnyExitTrap {
    func write(_ exit: Exit, at destination: UnsafeMutableRawPointer) { fatalError("AnyExitTrap.write is abstract") }
}

final class ExitTrap<Message>: AnyExitTrap {
    private let makeMessage: (Exit) -> Message

    init(_ makeMessage: @escaping (Exit) -> Message) { self.makeMessage = makeMessage }

    override func write(_ exit: Exit, at destination: UnsafeMutableRawPointer) {
        destination.bindMemory(to: Message.self, capacity: 1).initialize(to: makeMessage(exit))
    }
}

extension Context {
    /// Ties this actor's fate to `other`'s: when one of them ends, the other ends with the same reason, or, if it traps exits,
    /// receives a message. A normal end does not end the other one.
    ///
    /// At most one link for a pair, whoever asked for it. The exit comes after everything that the other one sent. A link is
    /// between incarnations: a restart counts as an end. The exit of an actor that had ended before is `noProcess`. Linking to
    /// oneself does nothing.
    public func link<Other>(_ other: ActorRef<Other>) {
        guard other.cell !== object else { return }
        let relations = object.require()
        guard !relations.links.contains(where: { $0.isActive && $0.other(than: object) === other.cell }) else { return }
        let link = Link(from: object, to: other.cell)
        relations.links.append(link)
        other.cell.header.post(.link(link))
    }

    /// Takes a link back: no exit of `other` is received after this, even if it is on its way, and it receives none of ours.
    public func unlink<Other>(_ other: ActorRef<Other>) {
        guard let relations = object.relations else { return }
        for link in relations.links where link.other(than: object) === other.cell && link.end() {
            other.cell.header.post(.unlink(link))
        }
        relations.links.removeAll { $0.other(than: object) === other.cell }
    }

    /// From now on, until the incarnation's end, exits of linked actors arrive as messages made by `message`, the normal ones
    /// too. A `kill` cannot be trapped; the exit of a linked actor that was killed can.
    public func trapExits(_ message: @escaping (Exit) -> Message) { object.require().exitTrap = ExitTrap(message) }
}
