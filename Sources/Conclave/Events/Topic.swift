// Events for whoever wants them.

internal import Synchronization

/// A typed stream of events from any number of publishers to any number of subscribers: actors, and tasks that iterate.
///
/// Each subscriber gets the events of one publisher in the order published. Publishing never waits: an actor's mailbox takes the
/// event, as far as its bound allows, and a sequence keeps as many as it was made for.
public final class Topic<Event: Sendable>: @unchecked Sendable {
    private enum Subscriber {
        case actor(watch: ListingWatch, deliver: @Sendable (Event) -> Void)
        case sequence(AsyncStream<Event>.Continuation, dropped: DroppedCount)
        case handler(@Sendable (Event) -> Void)
    }

    // SAFETY: `entries` and `isFinished` are only touched under `lock`.
    private let lock = SpinLock()
    private var entries = OrderedEntries<Subscriber>()
    private var isFinished = false
    /// Spares an event its making while nobody listens.
    private let subscribers = Atomic<Int>(0)

    /// A topic without subscribers.
    public init() {}

    deinit {
        // Actors that outlive the topic keep nothing of it.
        for case .actor(let watch, _) in entries.all() { watch.cancel() }
    }

    /// Gives `event` to everyone who subscribes now.
    public func publish(_ event: Event) {
        guard hasSubscribers else { return }
        lock.lock()
        let all = entries.all()
        lock.unlock()
        for subscriber in all {
            switch subscriber {
            case .actor(_, let deliver), .handler(let deliver): deliver(event)
            case .sequence(let continuation, let dropped):
                if case .dropped = continuation.yield(event) { dropped.up() }
            }
        }
    }

    /// How many actors and sequences subscribe.
    public var subscriberCount: Int {
        lock.lock()
        defer { lock.unlock() }
        return entries.count
    }

    /// Acquiring: who sees the number sees what was known when it was set. A publisher that misses a subscriber came before it.
    var hasSubscribers: Bool { subscribers.load(ordering: .acquiring) > 0 }

    // MARK: Actors

    /// Sends `actor` a message for each event from now on, until it ends or `unsubscribe` is called. One that is known to have ended
    /// is not added.
    ///
    /// A second subscription of the same actor replaces the first, so that an actor may subscribe whenever it is started.
    ///
    /// - Parameters:
    ///   - actor: who gets the messages.
    ///   - message: makes the message, on the publisher's thread; nil leaves the event out.
    public func subscribe<Message>(
        _ actor: ActorRef<Message>,
        _ message: @escaping @Sendable (Event) -> sending Message?
    ) {
        if actor.cell.isKnownToHaveEnded { return }
        let watch = ListingWatch(actor.cell) { [weak self, unowned cell = actor.cell] in
            self?.remove(ObjectIdentifier(cell))
        }
        add(
            .actor(watch: watch) { event in if let message = message(event) { actor.send(message) } },
            ObjectIdentifier(actor.cell)
        )
        watch.begin()
    }

    /// Ends a subscription. What was published before may still be received.
    public func unsubscribe<Message>(_ actor: ActorRef<Message>) { remove(ObjectIdentifier(actor.cell)) }

    // MARK: Tasks

    /// The events from now on, for one task to iterate. It ends with its task's cancellation or with `finish`; at once
    /// if that came before.
    ///
    /// - Parameter limit: how many events wait for the task; of more the oldest are dropped and counted.
    public func events(limit: Int = 1024) -> TopicEvents<Event> {
        precondition(limit > 0, "a sequence of events must be able to hold one")
        let (stream, continuation) = AsyncStream.makeStream(of: Event.self, bufferingPolicy: .bufferingNewest(limit))
        let dropped = DroppedCount()
        let id = ObjectIdentifier(dropped)
        add(.sequence(continuation, dropped: dropped), id)
        // The count lives as long as the subscription: its identity is not given to another one before.
        continuation.onTermination = { [weak self, dropped] _ in
            withExtendedLifetime(dropped) { _ = self?.remove(id) }
        }
        // After it was added: either `finish` finds it, or we find that there was one.
        if lock.withLock({ isFinished }) { continuation.finish() }
        return TopicEvents(stream: stream, dropped: dropped)
    }

    /// Ends all sequences, after what was published before, and those made later at once. Actors notice nothing.
    public func finish() {
        lock.lock()
        isFinished = true
        let all = entries.all()
        lock.unlock()
        for case .sequence(let continuation, _) in all { continuation.finish() }
    }

    // MARK: Within the library

    /// Calls `handler` for each event for as long as the topic lives, on the publisher's thread.
    func observe(_ handler: @escaping @Sendable (Event) -> Void) {
        // Never removed: the identity of an object that lives as long as the handler.
        let identity = DroppedCount()
        add(.handler { event in withExtendedLifetime(identity) { handler(event) } }, ObjectIdentifier(identity))
    }

    private func add(_ subscriber: Subscriber, _ id: ObjectIdentifier) {
        lock.lock()
        let previous = entries.set(subscriber, for: id)
        subscribers.store(entries.count, ordering: .releasing)
        lock.unlock()
        if case .actor(let watch, _) = previous { watch.cancel() }
    }

    private func remove(_ id: ObjectIdentifier) {
        lock.lock()
        let removed = entries.remove(id)
        subscribers.store(entries.count, ordering: .releasing)
        lock.unlock()
        if case .actor(let watch, _) = removed { watch.cancel() }
    }
}

/// A topic's events as a sequence.
public struct TopicEvents<Event: Sendable>: AsyncSequence, Sendable {
    fileprivate let stream: AsyncStream<Event>
    fileprivate let dropped: DroppedCount

    fileprivate init(stream: AsyncStream<Event>, dropped: DroppedCount) {
        self.stream = stream
        self.dropped = dropped
    }

    /// Events so far for which there was no room.
    public var droppedCount: Int { dropped.value }

    /// An iterator over the events from where the last one stopped.
    public func makeAsyncIterator() -> AsyncStream<Event>.Iterator { stream.makeAsyncIterator() }
}

/// Counts what a sequence had no room for; its identity is that of the subscription.
private final class DroppedCount: Sendable {
    private let count = Atomic<Int>(0)
    var value: Int { count.load(ordering: .relaxed) }
    func up() { count.add(1, ordering: .relaxed) }
}
