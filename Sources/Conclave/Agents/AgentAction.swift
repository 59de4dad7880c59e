// What an agent is sent.

@usableFromInline
enum AgentAction<State: Sendable>: Sendable {
    case run(@Sendable (inout State) -> Void)
    case attempt(@Sendable (inout State) throws -> Void)
    case block(@Sendable (inout State) throws -> Void)
    case get(Reply<Result<State, AgentError>>)
    case settled(Reply<Bool>)
    case restart(State, discardingHeld: Bool, Reply<Result<Void, AgentError>>)
    /// The blocking action with this number is over.
    case returned(Result<State, any Error>, turn: Int)
    /// The actor that runs blocking actions has ended.
    case runnerEnded(ExitReason)
    /// There is more to run of what was held.
    case resume

    /// Whether it waits while the agent cannot run actions.
    var isHeld: Bool {
        switch self {
        case .run, .attempt, .block, .get, .settled: true
        case .restart, .returned, .runnerEnded, .resume: false
        }
    }
}
