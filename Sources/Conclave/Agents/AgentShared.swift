// What an agent's incarnations share with each other and with whoever observes it.

/// The parts of an agent that outlive an incarnation.
@usableFromInline
final class AgentShared<State: Sendable>: @unchecked Sendable {
    // SAFETY: `held` and `nested` are only touched by the agent's handlers; the others have locks of their own.

    let published: Published<State>
    let failure = Published<(any Error)?>(nil)
    /// What was received while the agent could not run it: during a blocking action or after a failure.
    var held: Ring<AgentAction<State>> = Ring()
    /// What the running action sends to agents.
    @usableFromInline let nested = HeldSends()

    init(_ state: State) { published = Published(state) }
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
