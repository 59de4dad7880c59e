// An open actor: it takes code.

internal import Synchronization

/// State that functions are sent to, one running at a time, in the order sent (Clojure's agents).
///
/// Where a closed actor declares the messages it understands, an agent takes any function over its state: code is the payload. Its
/// value can be observed at any moment without a message. An agent is a child of its system's root and lives until `stop`.
public struct Agent<State: Sendable>: Sendable {
    private let ref: ActorRef<AgentAction<State>>
    private let published: PublishedState<State>

    /// Makes an agent that starts with `state`.
    public init(_ state: State, in system: ActorSystem, name: String? = nil) throws {
        let published = PublishedState(state)
        self.published = published
        ref = try system.spawn(name) { AgentBehavior(state: state, published: published) }
    }

    /// Runs `action` on the state, after all that was sent before, on the system's workers: it must not block.
    public func send(_ action: @escaping @Sendable (inout State) -> Void) { ref.send(.run(action)) }

    /// The state after everything that this sender sent so far.
    /// - Throws: `AskError`, as `ActorRef.ask`.
    public func get(timeout: Duration = .seconds(5)) async throws -> State {
        try await ref.ask(timeout: timeout) { .get($0) }
    }

    /// The state as of the end of a recent action. No message, no wait: another one may be running at this moment.
    public var snapshot: State { published.value }

    /// Ends the agent; actions that have not run become dead letters.
    public func stop() { ref.stop() }
}

enum AgentAction<State: Sendable> {
    case run(@Sendable (inout State) -> Void)
    case get(Reply<State>)
}

/// The last published state.
final class PublishedState<State: Sendable>: Sendable {
    private let state: Mutex<State>

    init(_ state: State) { self.state = Mutex(state) }

    var value: State {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }
}

struct AgentBehavior<State: Sendable>: Behavior {
    var state: State
    let published: PublishedState<State>

    mutating func receive(_ message: consuming AgentAction<State>, _ context: borrowing Context<AgentAction<State>>) {
        switch consume message {
        case .run(let action): action(&state)
        case .get(let reply): reply(state)
        }
    }

    /// Once a batch: publishing shares the state's storage, so that the next action has to copy it.
    mutating func batchEnded(_ context: borrowing Context<AgentAction<State>>) { published.value = state }
}
