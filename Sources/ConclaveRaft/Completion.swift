// How results find their way from the log to whoever asked, without making consensus generic.

import RaftCore

/// Who waits for a command or a query. Consensus only carries it; the applier knows its response type.
package class Completion: @unchecked Sendable {
    // SAFETY: subclasses have constants only.

    /// Tells that there is no response. Short, and never blocking; called at most once, and not after a success.
    package func fail(_ error: RaftError) { fatalError("Completion.fail is abstract") }
}

/// Waits for a command of `Machine`.
package final class CommandCompletion<Machine: StateMachine>: Completion, @unchecked Sendable {
    // SAFETY: constant.
    private let finish: @Sendable (Result<Machine.Response, RaftError>) -> Void

    package init(_ finish: @escaping @Sendable (Result<Machine.Response, RaftError>) -> Void) { self.finish = finish }

    package override func fail(_ error: RaftError) { finish(.failure(error)) }

    func succeed(_ response: Machine.Response) { finish(.success(response)) }
}

/// Waits for a query of `Machine`.
package final class QueryCompletion<Machine: StateMachine>: Completion, @unchecked Sendable {
    // SAFETY: constant.
    private let query: Machine.Query
    private let finish: @Sendable (Result<Machine.Response, RaftError>) -> Void

    package init(
        _ query: Machine.Query,
        _ finish: @escaping @Sendable (Result<Machine.Response, RaftError>) -> Void
    ) {
        self.query = query
        self.finish = finish
    }

    package override func fail(_ error: RaftError) { finish(.failure(error)) }

    func answer(from machine: Machine) { finish(.success(machine.answer(query))) }
}
