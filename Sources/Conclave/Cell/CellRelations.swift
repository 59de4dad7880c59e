// What ties an actor to others: children, monitors and timers. Most actors have none, so it is made at its first use.

internal import Dispatch

/// An actor's ties. Guarded, but for the child table with its own lock, by the actor's scheduling right.
final class CellRelations {
    var children: ChildTable?
    /// The child that was told to stop last.
    var stoppingChild: ActorCell?
    var stopTimer: TimerEntry?
    /// How often children may be restarted, and when they were.
    var intensity = RestartIntensity.default
    var restarts = RestartHistory()
    /// Who wants to know when this actor ends.
    var watches: [Watch] = []
    /// Whose end this actor wants to know.
    var monitoring: [Watch] = []
    /// Timers of the current incarnation that have not fired for the last time.
    var timers: [AnyActorTimer] = []
    /// Names taken in a `started` that has not returned, to be found once it has.
    var reservedNames: [String] = []
    /// Fires when no message was received for a while.
    var idleTimer: AnyIdleTimer?
    /// Messages put aside.
    var stash: NodeChain?
    /// They are to be received again.
    var unstashes = false
    /// Asks whose token was dropped unanswered by the handler that runs now.
    var droppedAsks: [any PendingAnswer] = []
    /// The root of a system keeps the system alive, and with it whatever any of its actors needs of it.
    var system: ActorSystem?
    /// Where an actor with a thread of its own runs.
    var ownQueue: DispatchQueue?

    func clearStopTimer(_ service: TimerService) {
        if let stopTimer { service.cancel(stopTimer) }
        stopTimer = nil
        stoppingChild = nil
    }

    func takeDroppedAsks() -> [any PendingAnswer] {
        let dropped = droppedAsks
        droppedAsks = []
        return dropped
    }

    /// Timers and monitors belong to an incarnation and end with it.
    func endIncarnation() {
        idleTimer?.cancel()
        for timer in timers { timer.cancel() }
        timers = []
        for watch in monitoring { watch.cancel() }
        monitoring = []
    }
}

/// What most actors leave at its default. Constant, since anybody may ask for an actor's path.
final class Particulars: Sendable {
    let name: String?
    let shutdown: Shutdown?

    init(name: String?, shutdown: Shutdown?) {
        self.name = name
        self.shutdown = shutdown
    }
}
