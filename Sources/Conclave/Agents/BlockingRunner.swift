// Where an agent's blocking actions run: a thread of their own, so that no worker waits for them.

/// An action with the state it is to change.
struct BlockingAction<State: Sendable>: Sendable {
    var state: State
    /// Tells the answer from that to an earlier action.
    let turn: Int
    let run: @Sendable (inout State) throws -> Void
}

/// Runs one blocking action at a time and gives the state back to its agent.
struct BlockingRunner<State: Sendable>: Behavior {
    let agent: ActorRef<AgentAction<State>>
    private let nested = HeldSends()

    init(agent: ActorRef<AgentAction<State>>) { self.agent = agent }

    mutating func receive(
        _ message: consuming BlockingAction<State>,
        _ context: borrowing Context<BlockingAction<State>>
    ) {
        do {
            try nested.attempt(message.run, on: &message.state)
            agent.send(.returned(.success(message.state), turn: message.turn))
        } catch {
            agent.send(.returned(.failure(error), turn: message.turn))
        }
    }
}
