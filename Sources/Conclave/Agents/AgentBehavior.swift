// The actor behind an agent.

@usableFromInline
struct AgentBehavior<State: Sendable>: Behavior {
    @usableFromInline typealias Message = AgentAction<State>

    private enum Condition {
        /// Actions run as they come, after those held.
        case ready
        /// A blocking action is under way on another thread. The rest is held.
        case blocked
        /// An action threw. The rest is held until the agent is restarted.
        case failed(any Error)
    }

    @usableFromInline var state: State
    @usableFromInline let shared: AgentShared<State>
    private let mode: AgentErrorMode<State>
    /// The actor's supervisor restarts it after a failure.
    private let isSupervised: Bool
    private var condition = Condition.ready
    /// Runs blocking actions; started with the first one.
    private var runner: ActorRef<BlockingAction<State>>?
    /// Invariant: `condition` is ready and nothing is held.
    @usableFromInline var isOpen: Bool

    /// Held actions that run in one go, before others have their turn.
    private static var resumedPerTurn: Int { 64 }

    init(_ state: State, _ shared: AgentShared<State>, _ mode: AgentErrorMode<State>, isSupervised: Bool) {
        self.state = state
        self.shared = shared
        self.mode = mode
        self.isSupervised = isSupervised
        isOpen = shared.held.isEmpty
    }

    @usableFromInline
    mutating func started(_ context: borrowing Context<Message>) {
        // What an action had sent that trapped, and so never returned.
        shared.nested.drop()
        shared.published.publish(state)
        if !isOpen { context.myself.send(.resume) }
    }

    @inlinable
    mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) throws {
        switch consume message {
        case .run(let action) where isOpen: run(action)
        case let other: try receiveOther(other, context)
        }
    }

    @inlinable
    mutating func run(_ action: (inout State) -> Void) {
        let thread = ThreadState.current
        let before = thread.pointee.heldSends
        thread.pointee.heldSends = .passUnretained(shared.nested)
        action(&state)
        thread.pointee.heldSends = before
        if !shared.nested.isEmpty { shared.nested.release() }
    }

    /// Once a batch: publishing shares the state's storage, so that the next action has to copy it.
    @usableFromInline
    mutating func batchEnded(_ context: borrowing Context<Message>) { shared.published.publish(state) }

    // MARK: All but the short way

    @usableFromInline
    mutating func receiveOther(_ message: consuming Message, _ context: borrowing Context<Message>) throws {
        if message.isHeld {
            if isOpen { return try perform(message, context) }
            return hold(message, context)
        }
        switch consume message {
        case .restart(let state, let discardingHeld, let reply):
            guard case .failed = condition else { return reply(.failure(.notFailed)) }
            if discardingHeld { shared.held = Ring() }
            self.state = state
            shared.published.publish(state)
            shared.failure.publish(nil)
            reply(.success(()))
            try resume(context)
        case .returned(let result, let turn):
            // Not one that an earlier incarnation began and that ended with it.
            guard case .blocked = condition, turn == shared.turn else { return }
            switch result {
            case .success(let state): self.state = state
            case .failure(let error): try fail(error, context)
            }
            if case .blocked = condition { try resume(context) }
        case .runnerEnded(let reason):
            runner = nil
            guard case .blocked = condition else { return }
            try fail(AgentError.runnerEnded(reason), context)
            if case .blocked = condition { try resume(context) }
        case .resume:
            if case .ready = condition { try resume(context) }
        case .run, .attempt, .block, .get, .settled: preconditionFailure("an agent's action is neither held nor run")
        }
    }

    /// In order, and only when nothing is held that came before.
    private mutating func perform(_ action: consuming Message, _ context: borrowing Context<Message>) throws {
        switch consume action {
        case .run(let action): run(action)
        case .attempt(let action):
            do { try shared.nested.attempt(action, on: &state) } catch { try fail(error, context) }
        case .block(let action): try block(action, context)
        case .get(let reply):
            shared.published.publish(state)
            reply(.success(state))
        case .settled(let reply):
            // Before the answer: who has waited finds what it waited for in the snapshot.
            shared.published.publish(state)
            reply(true)
        case .restart, .returned, .runnerEnded, .resume: preconditionFailure("an agent's order does not wait")
        }
    }

    private mutating func hold(_ action: consuming Message, _ context: borrowing Context<Message>) {
        if case .failed(let error) = condition, action.answer(.failed(error)) { return }
        shared.hold(action, for: context.object)
    }

    /// Runs what is held, for one turn.
    private mutating func resume(_ context: borrowing Context<Message>) throws {
        condition = .ready
        var turns = 0
        while case .ready = condition, let action = shared.held.popFirst() {
            try perform(action, context)
            turns += 1
            if turns == Self.resumedPerTurn { break }
        }
        guard case .ready = condition else { return }
        isOpen = shared.held.isEmpty
        if !isOpen { context.myself.send(.resume) }
    }

    private mutating func fail(_ error: any Error, _ context: borrowing Context<Message>) throws {
        if case .continue(let handler) = mode { return handler(error, &state) }
        if isSupervised { throw error }
        condition = .failed(error)
        isOpen = false
        // First: who is told that the agent has failed finds in its snapshot what came before.
        shared.published.publish(state)
        shared.failure.publish(error)
        context.system.publishFailure(path: context.myself.path, error)
        // What was held may contain questions: nobody is to wait for an agent that has failed.
        var actions: Ring<Message> = Ring()
        while let action = shared.held.popFirst() {
            if !action.answer(.failed(error)) { actions.append(action) }
        }
        shared.held = actions
    }

    // MARK: Blocking

    private mutating func block(
        _ action: @escaping @Sendable (inout State) throws -> Void,
        _ context: borrowing Context<Message>
    ) throws {
        let runner = try self.runner ?? startRunner(context)
        condition = .blocked
        isOpen = false
        // A blocking action may take long: what is finished is seen meanwhile.
        shared.published.publish(state)
        shared.turn += 1
        runner.send(BlockingAction(state: state, turn: shared.turn, run: action))
    }

    private mutating func startRunner(_ context: borrowing Context<Message>) throws -> ActorRef<BlockingAction<State>> {
        let agent = context.myself
        let runner = try context.spawn("blocking", options: SpawnOptions(runsOn: .ownThread)) {
            BlockingRunner(agent: agent)
        }
        context.monitor(runner) { .runnerEnded($0) }
        self.runner = runner
        return runner
    }
}

extension AgentAction {
    /// Answers a question with a failure. False: it is no question.
    fileprivate func answer(_ error: AgentError) -> Bool {
        switch self {
        case .get(let reply): reply(.failure(error))
        case .settled(let reply): reply(false)
        default: return false
        }
        return true
    }
}
