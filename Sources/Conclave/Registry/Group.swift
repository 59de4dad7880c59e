// Many actors under one name.

/// Actors that take the same messages, to be told things together. A member that ends leaves, before any monitor hears of its end.
public final class Group<Message>: @unchecked Sendable {
    private struct Member {
        let actor: ActorRef<Message>
        let watch: ListingWatch
    }

    // SAFETY: `entries` is only touched under `lock`.
    private let lock = SpinLock()
    private var entries = OrderedEntries<Member>()

    /// Who joined and who left, from now on. Published by whoever made the change, after it was made.
    public let changes = Topic<GroupChange<Message>>()

    /// A group of its own. `Registry.group` gives groups with a name.
    public init() {}

    deinit {
        // Actors that outlive the group keep nothing of it.
        for member in entries.all() { member.watch.cancel() }
    }

    /// Makes `actor` a member; nothing changes if it is one already, or is known to have ended.
    public func join(_ actor: ActorRef<Message>) {
        if actor.cell.isKnownToHaveEnded { return }
        let watch = ListingWatch(actor.cell) { [weak self, unowned cell = actor.cell] in self?.remove(cell) }
        lock.lock()
        let previous = entries.set(Member(actor: actor, watch: watch), for: ObjectIdentifier(actor.cell))
        lock.unlock()
        previous?.watch.cancel()
        if previous == nil { changes.publish(.joined(actor)) }
        watch.begin()
    }

    /// Ends the membership of `actor`, if there is one. What was broadcast before still arrives.
    public func leave(_ actor: ActorRef<Message>) { remove(actor.cell)?.watch.cancel() }

    /// The members, in the order of their joining.
    public var members: [ActorRef<Message>] { all.map(\.actor) }

    /// How many members there are.
    public var count: Int {
        lock.lock()
        defer { lock.unlock() }
        return entries.count
    }

    /// Sends `message` to everyone who is a member now, in the order of their joining.
    public func broadcast(_ message: Message) where Message: Sendable {
        for member in all { member.actor.send(message) }
    }

    private var all: [Member] {
        lock.lock()
        defer { lock.unlock() }
        return entries.all()
    }

    @discardableResult
    private func remove(_ cell: ActorCell) -> Member? {
        lock.lock()
        let member = entries.remove(ObjectIdentifier(cell))
        lock.unlock()
        if let member { changes.publish(.left(member.actor)) }
        return member
    }
}

/// A change of a group.
public enum GroupChange<Message>: Sendable {
    case joined(ActorRef<Message>)
    /// It left by itself, or has ended.
    case left(ActorRef<Message>)
}
