import Conclave

/// An actor that does what its messages and its hooks say.
struct Puppet: Behavior {
    typealias Act = @Sendable (borrowing Context<Message>) throws -> Void

    enum Message: Sendable {
        case act(Act)
        /// Answers with the number of messages received so far.
        case count(Reply<Int>)
        /// Holds on to the token until the incarnation's end.
        case keep(Reply<Int>)
        case drop(Reply<Int>)
        /// Fails while it holds the token.
        case fail(Reply<Int>)
        /// Notes `text` in the journal.
        case note(String)
    }

    var journal = Journal<String>()
    var starting: Act = { _ in }
    var batchEnding: Act = { _ in }
    var stopping: @Sendable (ExitReason, borrowing Context<Message>) -> Void = { _, _ in }
    private var kept: [Reply<Int>] = []
    private var received = 0

    init(
        _ journal: Journal<String> = Journal(),
        starting: @escaping Act = { _ in },
        batchEnding: @escaping Act = { _ in },
        stopping: @escaping @Sendable (ExitReason, borrowing Context<Message>) -> Void = { _, _ in }
    ) {
        self.journal = journal
        self.starting = starting
        self.batchEnding = batchEnding
        self.stopping = stopping
    }

    mutating func started(_ context: borrowing Context<Message>) throws { try starting(context) }

    mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) throws {
        received += 1
        switch consume message {
        case .act(let act): try act(context)
        case .count(let reply): reply(received)
        case .keep(let reply): kept.append(reply)
        case .drop: break
        case .fail: throw Planned()
        case .note(let text): journal.note(text)
        }
    }

    mutating func batchEnded(_ context: borrowing Context<Message>) throws { try batchEnding(context) }

    mutating func stopping(_ reason: ExitReason, _ context: borrowing Context<Message>) { stopping(reason, context) }
}

/// A piped answer in a word.
func describe<Value>(_ result: Result<Value, any Error>) -> String {
    switch result {
    case .success(let value): "\(value)"
    case .failure(AskError.timeout): "timeout"
    case .failure(AskError.noProcess): "noProcess"
    case .failure(AskError.stopped(let reason)): "stopped(\(reason))"
    case .failure(AskError.restarted): "restarted"
    case .failure(AskError.unanswered): "unanswered"
    case .failure(AskError.selfCall): "selfCall"
    case .failure(AskError.mailboxFull): "mailboxFull"
    case .failure(let error): "\(type(of: error))"
    }
}

/// The failure that tests throw.
struct Planned: Error {}

extension ActorRef<Puppet.Message> {
    /// Runs `act` in the actor, later.
    func act(_ act: @escaping Puppet.Act) { send(.act(act)) }

    /// Waits until everything this sender sent has been received.
    func settle() async throws { _ = try await ask { .count($0) } }
}

/// What an ask ended with, in a word.
func askFailure<Value>(_ body: () async throws -> Value) async -> String {
    do {
        return "answered: \(try await body())"
    } catch {
        return describe(Result<Value, any Error>.failure(error))
    }
}

extension ActorSystem {
    /// Threads of the production scheduler.
    var threadCount: Int { production.threadCount }
    /// Those that it counts as awake.
    var awakeCount: Int { production.awakeCount }

    private var production: DispatchScheduler {
        guard let scheduler = scheduler as? DispatchScheduler else {
            preconditionFailure("not the production scheduler")
        }
        return scheduler
    }
}
