// What a handler can do beside changing its own state.

/// An actor's view of itself and of the runtime, lent to each of its handlers. It cannot be kept.
public struct Context<Message>: ~Copyable {
    @usableFromInline let cell: CellPointer

    @inlinable init(_ cell: CellPointer) { self.cell = cell }

    @usableFromInline var object: ActorCell { cell.pointee.object }

    /// This actor's own address.
    public var myself: ActorRef<Message> { ActorRef(object) }

    /// The system this actor lives in.
    public var system: ActorSystem { object.system }

    /// Ends this actor, normally, after the current message.
    public func stop() { cell.pointee.owner._withUnsafeGuaranteedRef { $0.requestEnd(.normal) } }

    /// Starts a child, which lives no longer than this actor. The child's `started` runs before this returns.
    ///
    /// - Parameters:
    ///   - name: unique among this actor's children.
    ///   - options: how the child is restarted and stopped, and where it runs.
    ///   - make: makes the behaviour, once for each incarnation.
    /// - Throws: `SpawnError`, or what `make` or `started` throws; then nothing is left behind.
    @inlinable
    @discardableResult
    public func spawn<Child: ActorBehavior>(
        _ name: String? = nil,
        options: SpawnOptions = SpawnOptions(),
        _ make: @escaping @Sendable () throws -> Child
    ) throws -> ActorRef<Child.Message> {
        // The handler that lends this context keeps its actor alive.
        try cell.pointee.owner._withUnsafeGuaranteedRef { try ActorCell.spawn(under: $0, name, options, make) }
    }

    /// Ends a child for good, whatever its restart type, as its `shutdown` says. Returns at once.
    public func stop<Other>(_ child: ActorRef<Other>) {
        precondition(child.cell.parent === object, "\(child) is not a child of \(myself)")
        child.cell.orderEnd(isFinal: true)
    }

    /// Says what happens when a child of this incarnation ends; without it, one for one, with the intensity of this actor's
    /// `SpawnOptions`. To be called before the first child is spawned, in `started`.
    ///
    /// - Parameters:
    ///   - strategy: which children are started again when one of them has failed.
    ///   - intensity: how often that may happen; nil for that of this actor's `SpawnOptions`. With one failure more this actor
    ///     ends, with all its children and the reason `shutdown`.
    ///   - autoShutdown: whether this actor ends, in the same way, when its significant children have.
    public func supervise(
        _ strategy: SupervisionStrategy,
        intensity: RestartIntensity? = nil,
        autoShutdown: AutoShutdown = .never
    ) {
        let children = object.children
        precondition(children.last == nil, "\(myself) says how it supervises after it started a child")
        let intensity = intensity ?? object.require().intensity
        let rules = SupervisionRules(strategy: strategy, intensity: intensity, autoShutdown: autoShutdown)
        children.supervision = SupervisionState(rules)
        if strategy != .oneForOne { children.becomeGroup() }
    }

    /// The live children's paths, in the order of their start.
    public var children: [String] { object.relations?.children?.all.map(\.path) ?? [] }

    // MARK: Monitors

    /// Sends this actor `message` once, when `target` has ended; at once with `noProcess` if it has already.
    ///
    /// The message comes after everything that `target` sent to this actor. Each call is a monitor of its own. Monitors end with
    /// the incarnation that set them up.
    @discardableResult
    public func monitor<Other>(_ target: ActorRef<Other>, _ message: @escaping (ExitReason) -> Message) -> Monitor {
        let watch = ActorWatch(watcher: object, target: target.cell, makeMessage: message)
        object.require().monitoring.append(watch)
        watch.begin()
        return Monitor(watch: watch)
    }

    /// Takes a monitor back: its message is not received any more, even if the target has ended meanwhile.
    public func demonitor(_ monitor: Monitor) {
        object.relations?.monitoring.removeAll { $0 === monitor.watch }
        monitor.watch.cancel()
    }

    // MARK: Timers

    /// Nanoseconds of the system's clock, which timers run by: monotonic in production, virtual in a simulation.
    package var now: UInt64 { object.system.timers.now }

    /// Sends this actor `message` once, `delay` from now, unless the timer is cancelled or the incarnation ends before.
    @discardableResult
    public func after(_ delay: Duration, send message: sending Message) -> Timer {
        var message: Message? = message
        return startTimer(after: delay, every: nil) { message.take().unsafelyUnwrapped }
    }

    /// Sends this actor a message every `interval`, first one interval from now, without drift. Intervals that pass while one
    /// message is still waiting are left out.
    @discardableResult
    public func every(_ interval: Duration, send message: @escaping () -> Message) -> Timer {
        precondition(interval > .zero, "a repeating timer needs an interval above zero")
        return startTimer(after: interval, every: interval, message)
    }

    /// Stops a timer: its message is not received any more, even if it is already waiting.
    public func cancel(_ timer: Timer) {
        timer.timer.cancel()
        object.relations?.timers.removeAll { $0 === timer.timer }
    }

    private func startTimer(
        after delay: Duration,
        every interval: Duration?,
        _ message: @escaping () -> Message
    ) -> Timer {
        let timer = ActorTimer(target: object, interval: interval, makeMessage: message)
        timer.start(after: delay)
        return Timer(timer: timer)
    }
}
