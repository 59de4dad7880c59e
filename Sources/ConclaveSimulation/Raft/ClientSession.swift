// A simulated client's session.

internal import ConclaveRaft

/// Numbers a client's commands, one at a time.
struct ClientSession: Sendable {
    private let id: SessionID
    private var last: UInt64 = 0
    private var firstUnanswered: UInt64 = 1

    /// Nil: the server could not register one; another may have been registered all the same, and expires.
    static func register(at server: RaftWorld.Server) async -> ClientSession? {
        let result: Result<SessionID, RaftError> = await withCheckedContinuation { continuation in
            server.registerSession(SessionCompletion { continuation.resume(returning: $0) })
        }
        return (try? result.get()).map { ClientSession(id: $0) }
    }

    /// The label of a new command.
    mutating func next() -> SessionCommand {
        last += 1
        return SessionCommand(session: id, sequence: last, firstUnanswered: firstUnanswered)
    }

    mutating func answered(_ label: SessionCommand) { firstUnanswered = label.sequence + 1 }
}
