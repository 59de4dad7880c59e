// Carries out what a client's pure half says.

import Conclave

/// What a client's actor is told.
enum ClientMessage<Machine: StateMachine>: Sendable {
    case command(ClientRequests.ID, [UInt8], timeout: Duration, ClientCompletion<Machine.Response>)
    case query(ClientRequests.ID, Machine.Query, timeout: Duration, ClientCompletion<Machine.Response>)
    case answered(ClientRequests.Try, Result<Machine.Response, RaftError>)
    case registered(Result<SessionID, RaftError>)
    case pauseOver
    case timerFired(ClientRequests.ID)
    case cancelled(ClientRequests.ID)
    case change(ClientRequests.ID, AdminCommand, timeout: Duration, ClientCompletion<Void>)
    case changeEnded(ClientRequests.ID)
}

/// Who waits for a request, told once. Dropped, it is told that the outcome is unknown; or that nothing was done, where no client's actor
/// has taken it on.
final class ClientCompletion<Value: Sendable>: @unchecked Sendable {
    // SAFETY: nil once finished; changed by the one actor that holds it at that time, or by its last release.
    private var finish: (@Sendable (Result<Value, any Error>) -> Void)?
    // SAFETY: as `finish`.
    private var isTaken = false

    init(_ finish: @escaping @Sendable (Result<Value, any Error>) -> Void) { self.finish = finish }

    deinit { finish?(.failure(isTaken ? OutcomeUnknown() : NotDone(.cancelled))) }

    /// From now on something may be done for it.
    func take() { isTaken = true }

    func end(_ result: Result<Value, any Error>) { finish.take()?(result) }
}

/// Keeps a client's requests and its session.
struct ClientActor<Machine: StateMachine>: Behavior {
    typealias Message = ClientMessage<Machine>

    private struct Waiting {
        let query: Machine.Query?
        let completion: ClientCompletion<Machine.Response>
        /// In nanoseconds of the actor's clock.
        let deadline: UInt64
        /// Fires at the deadline, or when the try that is under way has taken too long.
        var timer: Timer
    }

    /// A try without an outcome for so long is given up: its node may have lost the others. Leaders are elected in less.
    private static var tryNanoseconds: UInt64 { 1_000_000_000 }

    private let servers: [RaftServer<Machine>]
    private var requests: ClientRequests
    private var waiting: [ClientRequests.ID: Waiting] = [:]
    /// Changes of the membership under way.
    private var changes: [ClientRequests.ID: ActorRef<MembershipChange<Machine>.Message>] = [:]

    init(_ servers: [RaftServer<Machine>]) {
        self.servers = servers
        requests = ClientRequests(nodeCount: servers.count)
    }

    mutating func receive(_ message: consuming ClientMessage<Machine>, _ context: borrowing Context<Message>) {
        switch consume message {
        case .command(let id, let command, let timeout, let completion):
            wait(id, query: nil, timeout, completion, context)
            carryOut(requests.submit(id, .command(command)), context)
        case .query(let id, let query, let timeout, let completion):
            wait(id, query: query, timeout, completion, context)
            carryOut(requests.submit(id, .query), context)
        case .answered(let attempt, .success(let response)):
            end(attempt.request, .success(response), context)
            carryOut(requests.succeeded(attempt.request), context)
        case .answered(let attempt, .failure(let error)): carryOut(requests.failed(attempt, error), context)
        case .registered(let result): carryOut(requests.registered(result), context)
        case .pauseOver: carryOut(requests.pauseOver(), context)
        case .timerFired(let id): timerFired(id, context)
        case .cancelled(let id):
            changes[id]?.send(.cancelled)
            carryOut(requests.giveUp(id, isCancelled: true), context)
        case .change(let id, let command, let timeout, let completion):
            change(id, command, timeout, completion, context)
        case .changeEnded(let id): changes[id] = nil
        }
    }

    private mutating func change(
        _ id: ClientRequests.ID,
        _ command: AdminCommand,
        _ timeout: Duration,
        _ completion: ClientCompletion<Void>,
        _ context: borrowing Context<Message>
    ) {
        let (servers, myself) = (servers, context.myself)
        completion.take()
        do {
            changes[id] = try context.spawn {
                MembershipChange(command, servers, timeout: timeout, completion) { myself.send(.changeEnded(id)) }
            }
        } catch {
            // The client is stopping.
            completion.end(.failure(NotDone(.cancelled)))
        }
    }

    mutating func stopping(_ reason: ExitReason, _ context: borrowing Context<Message>) {
        let last = requests.stop()
        carryOut(last, context)
        if let session = requests.currentSession { servers[0].endSession(session, SessionCompletion { _ in }) }
    }

    private mutating func wait(
        _ id: ClientRequests.ID,
        query: Machine.Query?,
        _ timeout: Duration,
        _ completion: ClientCompletion<Machine.Response>,
        _ context: borrowing Context<Message>
    ) {
        completion.take()
        let (sum, isBeyond) = context.now.addingReportingOverflow(timeout.nanoseconds)
        let deadline = isBeyond ? .max : sum
        let timer = startTimer(id, deadline, context)
        waiting[id] = Waiting(
            query: query,
            completion: completion,
            deadline: deadline,
            timer: timer
        )
    }

    private func startTimer(_ id: ClientRequests.ID, _ deadline: UInt64, _ context: borrowing Context<Message>) -> Timer
    {
        let now = context.now
        let nanoseconds = min(deadline > now ? deadline - now : 0, Self.tryNanoseconds)
        return context.after(.nanoseconds(Int64(nanoseconds)), send: .timerFired(id))
    }

    private mutating func timerFired(_ id: ClientRequests.ID, _ context: borrowing Context<Message>) {
        guard let deadline = waiting[id]?.deadline else { return }
        if deadline <= context.now { return carryOut(requests.giveUp(id), context) }
        let timer = startTimer(id, deadline, context)
        waiting[id]?.timer = timer
        carryOut(requests.tryTimedOut(id), context)
    }

    private mutating func carryOut(_ steps: [ClientRequests.Step], _ context: borrowing Context<Message>) {
        let myself = context.myself
        for step in steps {
            switch step {
            case .register(let node):
                servers[node].registerSession(SessionCompletion { myself.send(.registered($0)) })
            case .propose(let attempt, let label, let command, let node):
                let completion = CommandCompletion<Machine> { myself.send(.answered(attempt, $0)) }
                servers[node].propose(label, command, completion)
            case .read(let attempt, let node):
                guard let query = waiting[attempt.request]?.query else {
                    preconditionFailure("\(attempt) is of no query")
                }
                servers[node].read(QueryCompletion(query) { myself.send(.answered(attempt, $0)) })
            case .fail(let id, let failure): end(id, .failure(failure.error), context)
            case .pause(let milliseconds): context.after(.milliseconds(milliseconds), send: .pauseOver)
            }
        }
    }

    private mutating func end(
        _ id: ClientRequests.ID,
        _ result: Result<Machine.Response, any Error>,
        _ context: borrowing Context<Message>
    ) {
        guard let waiting = waiting.removeValue(forKey: id) else { return }
        context.cancel(waiting.timer)
        waiting.completion.end(result)
    }
}

extension ClientRequests.Failure {
    /// As the client's user sees it.
    var error: any Error {
        switch self {
        case .notDone(let reason): NotDone(reason)
        case .unknown: OutcomeUnknown()
        case .answerLost: AnswerLost()
        }
    }
}
