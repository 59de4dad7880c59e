// How results find their way from the log to whoever asked, without making consensus generic.

import RaftCore

/// Who waits for a command or a query. Consensus only carries it; the applier knows its response type.
///
/// It is finished exactly once. Where nobody does it, because the actor that held it ended or the message with it in it was
/// never received, its last reference does: a client must not wait for ever because a server stopped.
package class Completion: @unchecked Sendable {
    // SAFETY: subclasses change only when they are finished or destroyed, by the one actor that holds them at that time;
    // messages pass them on.

    /// Tells that there is no response. Short, and never blocking.
    package func fail(_ error: RaftError) { fatalError("Completion.fail is abstract") }
}

/// Waits for what an entry of the log comes to. Dropped, it fails with `serverStopped`: the entry may be in the log.
package final class EntryCompletion<Value: Sendable>: Completion, @unchecked Sendable {
    // SAFETY: see `Completion`. Nil once finished.
    private var finish: (@Sendable (Result<Value, RaftError>) -> Void)?

    package init(_ finish: @escaping @Sendable (Result<Value, RaftError>) -> Void) { self.finish = finish }

    deinit { finish?(.failure(.serverStopped)) }

    package override func fail(_ error: RaftError) { end(.failure(error)) }

    func succeed(_ value: Value) { end(.success(value)) }

    private func end(_ result: Result<Value, RaftError>) {
        guard let finish = finish.take() else { preconditionFailure("an entry was finished twice") }
        finish(result)
    }
}

/// Waits for a command of `Machine`.
package typealias CommandCompletion<Machine: StateMachine> = EntryCompletion<Machine.Response>

/// Waits for a session to be registered, kept alive or ended.
package typealias SessionCompletion = EntryCompletion<SessionID>

/// Waits for a query of `Machine`. Dropped, it fails with `noLeader`: a query may always be tried again.
package final class QueryCompletion<Machine: StateMachine>: Completion, @unchecked Sendable {
    // SAFETY: `query` is constant; for `finish` see `Completion`. Nil once finished.
    private let query: Machine.Query
    private var finish: (@Sendable (Result<Machine.Response, RaftError>) -> Void)?

    package init(
        _ query: Machine.Query,
        _ finish: @escaping @Sendable (Result<Machine.Response, RaftError>) -> Void
    ) {
        self.query = query
        self.finish = finish
    }

    deinit { finish?(.failure(.noLeader)) }

    package override func fail(_ error: RaftError) { end(.failure(error)) }

    func answer(from machine: Machine) { end(.success(machine.answer(query))) }

    private func end(_ result: Result<Machine.Response, RaftError>) {
        guard let finish = finish.take() else { preconditionFailure("a query was finished twice") }
        finish(result)
    }
}
