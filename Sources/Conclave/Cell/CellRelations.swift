// What ties an actor to others: children, monitors and timers. Most actors have none, so it is made at its first use.

internal import Dispatch

/// An actor's ties. Guarded, but for the child table with its own lock, by the actor's scheduling right.
final class CellRelations {
    var children: ChildTable?
    /// How often children may be restarted, unless the incarnation says otherwise.
    var intensity = RestartIntensity.default
    /// Kills this actor if it takes too long to stop.
    var endTimer: TimerEntry?
    /// Starts the next incarnation of this actor when its backoff is over.
    var restartTimer: TimerEntry?
    var backoff: BackoffHistory?
    /// Successful restarts so far.
    var restartCount = 0
    /// Whose fate the current incarnation shares.
    var links: [Link] = []
    /// Turns exits into messages, if this incarnation traps them.
    var exitTrap: AnyExitTrap?
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
    var droppedAsks: [Answer] = []
    /// The root of a system keeps the system alive, and with it whatever any of its actors needs of it.
    var system: ActorSystem?
    /// The task that runs an asynchronous handler.
    var handler: Task<Void, Never>?
    /// Where an actor with a thread of its own runs.
    var ownQueue: DispatchQueue?

    func clearTimers(_ service: TimerService) {
        if let endTimer { service.cancel(endTimer) }
        endTimer = nil
        if let restartTimer { service.cancel(restartTimer) }
        restartTimer = nil
    }

    func takeDroppedAsks() -> [Answer] {
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
        exitTrap = nil
    }

    /// Tells those who are linked to `end`, one of whose incarnations is over.
    func endLinks(of end: ActorCell, _ reason: ExitReason) {
        var told: [ActorCell] = []
        let ended = links
        links = []
        for link in ended where link.end() {
            let other = link.other(than: end)
            guard !told.contains(where: { $0 === other }) else { continue }
            told.append(other)
            link.deliverExit(reason, to: other)
        }
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
