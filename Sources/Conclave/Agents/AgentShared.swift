// What an agent's incarnations share with each other and with whoever observes it.

/// The parts of an agent that outlive an incarnation.
@usableFromInline
final class AgentShared<State: Sendable>: @unchecked Sendable {
    // SAFETY: `held`, `isEndWatched`, `turn` and `nested` are only touched by the agent's handlers; the others have locks of their own.

    let published: Published<State>
    let failure = Published<(any Error)?>(nil)
    /// What was received while the agent could not run it: during a blocking action or after a failure.
    var held: Ring<AgentAction<State>> = Ring()
    /// Somebody sees to what is held when the agent ends.
    private var isEndWatched = false
    /// The number of the blocking action that was begun last, by whichever incarnation.
    var turn = 0
    /// What the running action sends to agents.
    @usableFromInline let nested = HeldSends()

    init(_ state: State) { published = Published(state) }

    /// Keeps an action of `agent` until it can be run, or becomes a dead letter with the agent's end.
    func hold(_ action: consuming AgentAction<State>, for agent: ActorCell) {
        if !isEndWatched {
            isEndWatched = true
            HeldActionsWatch(of: agent, self).begin()
        }
        held.append(action)
    }

    /// The agent has ended for good. By the holder of its scheduling right.
    fileprivate func discardHeld(of agent: ActorCell, _ reason: ExitReason) {
        ThreadState.current.withAskFailure(.afterEnd(reason)) {
            while held.popFirst() != nil { agent.publishDeadLetter(sender: nil, .ended(reason)) }
        }
    }
}

/// Makes dead letters of what an agent holds at its end: it is in no mailbox. Begun with the first action that is held.
private final class HeldActionsWatch<State: Sendable>: Watch, @unchecked Sendable {
    // SAFETY: constant.
    private let shared: AgentShared<State>

    init(of agent: ActorCell, _ shared: AgentShared<State>) {
        self.shared = shared
        super.init(target: agent)
    }

    /// Whoever hears of the end finds nothing waiting.
    override var comesFirst: Bool { true }

    override func deliverDown(_ reason: ExitReason) { shared.discardHeld(of: target, reason) }
}

/// A value that one party sets and any may look at.
final class Published<Value: Sendable>: @unchecked Sendable {
    // SAFETY: `current` is only touched under `lock`.
    private let lock = SpinLock()
    private var current: Value

    init(_ value: Value) { current = value }

    var value: Value {
        lock.lock()
        defer { lock.unlock() }
        return current
    }

    func publish(_ value: Value) {
        var previous = value
        lock.lock()
        swap(&current, &previous)
        lock.unlock()
        // Destroyed out here: that may be any code.
    }
}
