// Who wants to know of an actor's end.

internal import Synchronization

/// One monitor: an edge from whoever watches to the actor watched. Both ends keep it and clean it up.
class Watch: @unchecked Sendable {
    // SAFETY: `target` is constant; `isActive` is atomic.
    let target: ActorCell
    private let active = Atomic<Bool>(true)

    init(target: ActorCell) { self.target = target }

    /// Relaxed: only an optimisation for the target; the watcher itself orders its own cancel before its own receive.
    var isActive: Bool { active.load(ordering: .relaxed) }

    /// Whether it is told before the monitors are: lists of actors are, so that who hears of the end finds them up to date.
    var comesFirst: Bool { false }

    /// Asks the target to keep us posted. A target that has ended answers at once.
    func begin() { target.header.post(.watch(self)) }

    /// No DOWN is received after this, even if it is on its way.
    func cancel() {
        active.store(false, ordering: .relaxed)
        target.header.post(.unwatch(self))
    }

    /// Called by the target, once, when it has ended and its name is free.
    func deliverDown(_ reason: ExitReason) { fatalError("Watch.deliverDown is abstract") }
}

/// An actor's monitor on another: the DOWN arrives in order with the messages the other sent.
final class ActorWatch<Message>: Watch, @unchecked Sendable {
    // SAFETY: `makeMessage` is only called by the watching actor.
    private let watcher: ActorCell
    fileprivate let makeMessage: (ExitReason) -> Message

    init(watcher: ActorCell, target: ActorCell, makeMessage: @escaping (ExitReason) -> Message) {
        self.watcher = watcher
        self.makeMessage = makeMessage
        super.init(target: target)
    }

    override func deliverDown(_ reason: ExitReason) {
        guard isActive else { return }
        watcher.header.deliver(DownSignal(watch: self, reason: reason))
    }

    fileprivate func isReceived() -> Bool {
        guard isActive else { return false }
        watcher.relations?.monitoring.removeAll { $0 === self }
        return true
    }
}

/// A DOWN on its way.
private final class DownSignal<Message>: Signal {
    private let watch: ActorWatch<Message>
    private let reason: ExitReason

    init(watch: ActorWatch<Message>, reason: ExitReason) {
        self.watch = watch
        self.reason = reason
    }

    override func makeMessage(at destination: UnsafeMutableRawPointer) -> Bool {
        guard watch.isReceived() else { return false }
        destination.bindMemory(to: Message.self, capacity: 1).initialize(to: watch.makeMessage(reason))
        return true
    }
}

/// A monitor held by code outside of actors.
final class CallbackWatch: Watch, @unchecked Sendable {
    // SAFETY: constant.
    private let callback: @Sendable (ExitReason) -> Void

    init(target: ActorCell, callback: @escaping @Sendable (ExitReason) -> Void) {
        self.callback = callback
        super.init(target: target)
    }

    override func deliverDown(_ reason: ExitReason) { callback(reason) }
}

extension UnsafeMutablePointer where Pointee == CellHeader {
    /// Enqueues a signal in order with the messages. The caller keeps the actor alive.
    func deliver(_ signal: Signal) {
        let thread = ThreadState.current
        let node = NodePool.allocate(0, thread)
        node.pointee.kind = .signal
        node.payload.bindMemory(to: Unmanaged<Signal>.self, capacity: 1).initialize(to: .passRetained(signal))
        if !pointee.object.addSignal(node, thread) { pointee.object.refuseAfterEnd(node) }
    }
}

/// A monitor that `Context.monitor` set up, to be given back to `Context.demonitor`.
public struct Monitor: @unchecked Sendable {
    // SAFETY: a watch may be referenced from anywhere.
    let watch: Watch
}
