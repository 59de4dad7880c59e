// An open actor: it takes code.

/// State that functions are sent to, one running at a time, in the order sent (Clojure's agents).
///
/// Where a closed actor declares the messages it understands, an agent takes any function over its state: code is the payload. Its
/// value can be observed at any moment without a message.
///
/// **An action that throws leaves no trace**: the state is what it was before, and what the action sent to agents, this one or
/// others, is never sent. Until it returns such sends are held, and sent in their order when it has succeeded. Messages that an
/// action sends to closed actors are not held, nor is what an actor that it spawns sends in `started`, or a subscriber to events that it
/// causes. What happens after a throw is up to the agent's `AgentErrorMode`.
///
/// An agent is an actor: a child of its system's root, or of the actor that made it, and lives until `stop`.
public struct Agent<State: Sendable>: Sendable {
    /// Nil if the system had ended.
    @usableFromInline let ref: ActorRef<AgentAction<State>>?
    private let shared: AgentShared<State>
    private let system: ActorSystem

    /// Makes an agent that starts with `state`, below the root of `system`. If the system has been shut down, the agent has ended.
    public init(_ state: State, in system: ActorSystem, onError mode: AgentErrorMode<State> = .fail) {
        let shared = AgentShared(state)
        self.shared = shared
        self.system = system
        // Without a name only a system that stops refuses.
        ref = try? system.spawn { AgentBehavior(state, shared, mode, isSupervised: false) }
    }

    /// Makes an agent with a name, or one that is restarted by its supervisor.
    ///
    /// - Parameters:
    ///   - state: what it starts with.
    ///   - system: the agent is a child of its root.
    ///   - name: unique among the root's children.
    ///   - options: with a restart type other than `temporary`, an action that throws in mode `fail` fails the actor, and its
    ///     supervisor starts it again with `state`; what waits for it is kept.
    ///   - mode: what becomes of the agent over an action that throws.
    /// - Throws: `SpawnError`.
    public init(
        _ state: State,
        in system: ActorSystem,
        name: String?,
        options: SpawnOptions = SpawnOptions(),
        onError mode: AgentErrorMode<State> = .fail
    ) throws {
        let shared = AgentShared(state)
        let isSupervised = options.restart != .temporary
        self.shared = shared
        self.system = system
        ref = try system.spawn(name, options: options) {
            AgentBehavior(state, shared, mode, isSupervised: isSupervised)
        }
    }

    fileprivate init(_ ref: ActorRef<AgentAction<State>>, _ shared: AgentShared<State>, _ system: ActorSystem) {
        self.ref = ref
        self.shared = shared
        self.system = system
    }
}

extension Context {
    /// Makes an agent that is a child of this actor; the parameters are those of `Agent.init`.
    ///
    /// - Throws: `SpawnError`.
    public func spawnAgent<State: Sendable>(
        _ state: State,
        name: String? = nil,
        options: SpawnOptions = SpawnOptions(),
        onError mode: AgentErrorMode<State> = .fail
    ) throws -> Agent<State> {
        let shared = AgentShared(state)
        let isSupervised = options.restart != .temporary
        let ref = try spawn(name, options: options) {
            AgentBehavior(state, shared, mode, isSupervised: isSupervised)
        }
        return Agent(ref, shared, system)
    }
}

// MARK: - Sending code

extension Agent {
    /// Runs `action` on the state, after all that was sent before, on the system's workers: it must not block.
    @inlinable
    public func send(_ action: @escaping @Sendable (inout State) -> Void) { submit(.run(action)) }

    /// The same for an action that may throw; see `Agent` for what becomes of the state then.
    ///
    /// The state's storage is shared while the action runs, so that it can be restored: the first change of a large array, say,
    /// copies it.
    public func send(_ action: @escaping @Sendable (inout State) throws -> Void) { submit(.attempt(action)) }

    /// Runs `action` as `send` does, but on a thread that may block. What was sent later waits for it.
    public func sendBlocking(_ action: @escaping @Sendable (inout State) throws -> Void) { submit(.block(action)) }

    @inlinable
    func submit(_ action: AgentAction<State>) {
        guard let ref else { return refuse() }
        if let held = ThreadState.current.pointee.heldSends {
            held.takeUnretainedValue().hold { ref.send(action) }
        } else {
            ref.send(action)
        }
    }

    @usableFromInline
    func refuse() {
        system.publishDeadLetter(
            DeadLetter(
                messageType: AgentAction<State>.self,
                recipient: "/\(AgentBehavior<State>.self)",
                sender: nil,
                reason: .ended(.shutdown)
            )
        )
    }
}

// MARK: - Observing

extension Agent {
    /// The state as of a recent batch's end; it is never in the middle of an action. No message, no wait.
    ///
    /// A finished action is seen when the agent's batch is over: when nothing more waits for the agent, or after half a
    /// millisecond, or, at the longest, after the action that was begun by then. Who has waited for `settled` or `get` sees it.
    public var snapshot: State { shared.published.value }

    /// The state after everything that this sender sent so far.
    ///
    /// - Throws: `AskError`, as `ActorRef.ask`; `AgentError.failed` if the agent has failed, since what waits is not run then.
    public func get(timeout: Duration = .seconds(5)) async throws -> State {
        guard let ref else { throw AskError.noProcess }
        return try await ref.ask(timeout: timeout) { .get($0) }.get()
    }

    /// Waits until everything that this sender sent so far has run. False: it will not, for now, since the agent has failed or
    /// ended, or this task was cancelled.
    @discardableResult
    public func settled() async -> Bool {
        guard let ref else { return false }
        let answer = try? await ref.ask(timeout: Self.forEver) { .settled($0) }
        return answer ?? false
    }

    private static var forEver: Duration { .seconds(3_000_000_000) }  // a hundred years

    /// What the last action threw, if the agent has failed and was not restarted.
    public var failure: (any Error)? { shared.failure.value }
}

// MARK: - After a failure, and the end

extension Agent {
    /// Lets an agent that has failed go on with `state`.
    ///
    /// - Parameters:
    ///   - state: what it goes on with.
    ///   - discardingHeld: what waits for the agent is destroyed instead of run.
    /// - Throws: `AgentError.notFailed` if it has not failed, by what this sender sent so far; `AskError` if it has ended.
    public func restart(with state: State, discardingHeld: Bool = false) async throws {
        guard let ref else { throw AskError.noProcess }
        try await ref.ask { .restart(state, discardingHeld: discardingHeld, $0) }.get()
    }

    /// Ends the agent for good, whatever its restart type; actions that have not run become dead letters.
    public func stop() { ref?.cell.orderEnd(isFinal: true) }

    /// Waits until the agent has ended and says why.
    public func terminated() async -> ExitReason { await ref?.terminated() ?? .noProcess }
}
