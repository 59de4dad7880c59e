// What an agent does after an action that threw.

/// What becomes of an agent over an action that throws.
public enum AgentErrorMode<State: Sendable>: Sendable {
    /// It fails: nothing more runs, what is sent waits, until somebody calls `restart`. An agent whose supervisor restarts it
    /// fails as an actor instead, and starts again with its first state.
    case fail
    /// It goes on with the next action, after the handler was told; the handler may repair the state.
    case `continue`(@Sendable (any Error, inout State) -> Void)
}

/// Why an agent did not do what it was asked.
public enum AgentError: Error {
    /// An action threw this error, and the agent waits to be restarted.
    case failed(any Error)
    /// There is nothing to restart: the agent has not failed.
    case notFailed
    /// The actor that runs blocking actions ended in the middle of one.
    case runnerEnded(ExitReason)
}

extension AgentError: CustomStringConvertible {
    /// For people to read.
    public var description: String {
        switch self {
        case .failed(let error): "the agent has failed: \(error)"
        case .notFailed: "the agent has not failed"
        case .runnerEnded(let reason): "the action's thread ended: \(reason)"
        }
    }
}
