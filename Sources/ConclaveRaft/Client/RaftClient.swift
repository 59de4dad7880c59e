// How a program speaks to the cluster that it is part of.

public import Conclave
import Synchronization

/// Submits commands and queries through nodes of this process, which pass them on to the leader wherever it is.
///
/// Commands are carried out exactly once: the client has a session, and tries again until there is an answer or the time is over.
/// Any number of tasks may use one client; several commands are under way at a time, in no promised order.
///
/// The client is an actor of the system it was made in, and ends with it or with `stop`.
public final class RaftClient<Machine: StateMachine>: Sendable {
    private let actor: ActorRef<ClientMessage<Machine>>
    private let lastRequest = Atomic<UInt64>(0)
    /// Whether nodes are added with their ports.
    let usesAddresses: Bool

    /// - Parameters:
    ///   - nodes: one or more; requests go to the next one when one knows no leader or does not answer.
    ///   - system: where the client's actor lives; the first node's system will do.
    /// - Throws: what spawning throws.
    public init(_ nodes: [RaftNode<Machine>], in system: ActorSystem) throws {
        precondition(!nodes.isEmpty, "a client needs a node")
        let servers = nodes.map(\.server)
        usesAddresses = servers[0].usesAddresses
        actor = try system.spawn { ClientActor(servers) }
    }

    /// Has a command carried out, once, and gives its response.
    ///
    /// - Parameters:
    ///   - command: as `StateMachine.apply` reads it, at most as long as an entry of the log may be.
    ///   - timeout: for all tries together.
    /// - Throws: `NotDone` if it was certainly not carried out, also when the task was cancelled early enough; `OutcomeUnknown` if
    ///   nobody can tell; `AnswerLost` if it was, but the answer is gone.
    public func submit(_ command: [UInt8], timeout: Duration = .seconds(5)) async throws -> Machine.Response {
        try await request { .command($0, command, timeout: timeout, $1) }
    }

    /// Answers a query linearizably: from a state that holds every command that was answered before the query was asked.
    ///
    /// - Throws: `NotDone` when there was no answer in time, or the task was cancelled.
    public func query(_ query: Machine.Query, timeout: Duration = .seconds(5)) async throws -> Machine.Response {
        do {
            return try await request { .query($0, query, timeout: timeout, $1) }
        } catch is OutcomeUnknown {
            // A query changes nothing: whatever became of it, it may be asked again.
            throw NotDone(.noLeader)
        }
    }

    /// Ends the client and its session. Requests that are not done fail: with `NotDone` if they certainly were not, and will not be, carried
    /// out, as those that are made later; else with `OutcomeUnknown`.
    public func stop() async {
        actor.stop()
        _ = await actor.terminated()
    }

    /// Sends a request to the client's actor, waits for what it comes to, and takes it back when the task is cancelled.
    func request<Value: Sendable>(
        _ message: (ClientRequests.ID, ClientCompletion<Value>) -> ClientMessage<Machine>
    ) async throws -> Value {
        // Relaxed: a number that nobody else has is all it is; nothing is ordered by it.
        let id = lastRequest.add(1, ordering: .relaxed).newValue
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                actor.send(message(id, ClientCompletion { continuation.resume(with: $0) }))
                // A task that is cancelled already has told so before there was a request.
                if Task.isCancelled { actor.send(.cancelled(id)) }
            }
        } onCancel: {
            actor.send(.cancelled(id))
        }
    }
}
