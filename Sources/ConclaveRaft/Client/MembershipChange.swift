// Carries out what a change's pure half says.

import Conclave

/// Carries one change of the membership through, and ends with it. A child of the client's actor: it ends with the client, too.
struct MembershipChange<Machine: StateMachine>: Behavior {
    enum Message: Sendable {
        case answered(AdminError?)
        case pauseOver
        case timeOver
        case cancelled
    }

    private let command: AdminCommand
    private let servers: [RaftServer<Machine>]
    private let timeout: Duration
    private let completion: ClientCompletion<Void>
    private let onEnd: @Sendable () -> Void
    private var request: ChangeRequest

    init(
        _ command: AdminCommand,
        _ servers: [RaftServer<Machine>],
        timeout: Duration,
        _ completion: ClientCompletion<Void>,
        onEnd: @escaping @Sendable () -> Void
    ) {
        self.command = command
        self.servers = servers
        self.timeout = timeout
        self.completion = completion
        self.onEnd = onEnd
        request = ChangeRequest(command, nodeCount: servers.count)
    }

    mutating func started(_ context: borrowing Context<Message>) {
        context.after(timeout, send: .timeOver)
        carryOut(request.begin(), context)
    }

    mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
        switch consume message {
        case .answered(let error): carryOut(request.answered(error), context)
        case .pauseOver: carryOut(request.pauseOver(), context)
        case .timeOver: carryOut(.end(request.giveUp(isCancelled: false)), context)
        case .cancelled: carryOut(.end(request.giveUp(isCancelled: true)), context)
        }
    }

    private func carryOut(_ step: ChangeRequest.Step, _ context: borrowing Context<Message>) {
        switch step {
        case .ask(let node):
            let myself = context.myself
            servers[node].administrate(
                command,
                AdminCompletion { result in
                    switch result {
                    case .success: myself.send(.answered(nil))
                    case .failure(let error): myself.send(.answered(error))
                    }
                }
            )
        case .pause(let milliseconds): context.after(.milliseconds(milliseconds), send: .pauseOver)
        case .end(let outcome):
            completion.end(outcome.result)
            onEnd()
            context.stop()
        }
    }
}
