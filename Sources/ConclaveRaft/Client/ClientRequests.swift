// What a client does about each of its requests: a pure value.

/// The requests of one client, over one session at a time (Raft dissertation §6.3).
///
/// A command that may have been carried out is tried again under the same label, so that it is carried out once. A command that
/// has certainly not been carried out may get another label, for example after its session has expired.
struct ClientRequests {
    /// Numbers a client's requests.
    typealias ID = UInt64

    /// What a request asks for.
    enum Wish: Hashable, Sendable {
        case command([UInt8])
        case query
    }

    /// One try of a request.
    struct Try: Hashable, Sendable {
        let request: ID
        /// From 1.
        let number: Int
    }

    /// What is to be done now.
    enum Step: Hashable, Sendable {
        /// Register a session on the node at this place.
        case register(node: Int)
        /// Propose the command on the node at this place.
        case propose(Try, SessionCommand, [UInt8], node: Int)
        /// Ask the query on the node at this place.
        case read(Try, node: Int)
        /// The request has come to an end without an answer.
        case fail(ID, Failure)
        /// Call `pauseOver` after this many milliseconds.
        case pause(milliseconds: Int)
    }

    /// Why a request has no answer.
    enum Failure: Error, Hashable, Sendable {
        case notDone(NotDone.Reason)
        case unknown
        case answerLost
    }

    private struct Request {
        let wish: Wish
        var label: SessionCommand?
        /// A try had no answer: the command may have been carried out.
        var mayBeDone = false
        /// How many tries there were.
        var tries = 0
        /// The last of them has no outcome yet.
        var isUnderWay = false
        /// What the last try came to.
        var reason = NotDone.Reason.noLeader
    }

    /// Commands from the first unanswered one on; the servers remember the answers of as many.
    private let window: UInt64
    private let nodeCount: Int
    private var requests: [ID: Request] = [:]
    /// Requests that are to be tried, in the order of their coming; some may have come to an end meanwhile.
    private var waiting: [ID] = []
    private var session: SessionID?
    private var isRegistering = false
    private var nextSequence: UInt64 = 1
    /// The session's commands without an answer. Invariant: ascending.
    private var open: [UInt64] = []
    /// Where requests go.
    private var node = 0
    private var isPausing = false
    /// Tries in a row that came to nothing.
    private var misses = 0

    init(nodeCount: Int, window: UInt64 = SessionLimits().window) {
        precondition(nodeCount >= 1 && window >= 1, "a client needs a node and a window")
        self.nodeCount = nodeCount
        self.window = window
    }

    /// The session that is in use.
    var currentSession: SessionID? { session }

    /// How many requests have not come to an end.
    var count: Int { requests.count }

    mutating func submit(_ id: ID, _ wish: Wish) -> [Step] {
        precondition(requests[id] == nil, "request \(id) twice")
        requests[id] = Request(wish: wish)
        waiting.append(id)
        return tryWaiting()
    }

    /// A session is registered, or is not.
    mutating func registered(_ result: Result<SessionID, RaftError>) -> [Step] {
        isRegistering = false
        switch result {
        case .success(let id):
            (session, nextSequence, open, misses) = (id, 1, [], 0)
            return tryWaiting()
        case .failure: return miss()
        }
    }

    /// A request has its answer.
    mutating func succeeded(_ id: ID) -> [Step] {
        misses = 0
        end(id)
        return tryWaiting()
    }

    /// A try has been without an outcome for too long: another node may be luckier.
    mutating func tryTimedOut(_ id: ID) -> [Step] {
        guard let request = requests[id], request.isUnderWay else { return [] }
        return failed(Try(request: id, number: request.tries), .timeout)
    }

    /// A try has failed.
    mutating func failed(_ attempt: Try, _ error: RaftError) -> [Step] {
        let id = attempt.request
        // Who was given up on is not heard any more, but for good news.
        guard var request = requests[id], request.tries == attempt.number else { return [] }
        request.isUnderWay = false
        switch error {
        case .notDone(.noLeader): request.reason = .noLeader
        case .notDone(.overloaded): request.reason = .overloaded
        case .notDone(.diskFull): request.reason = .diskFull
        case .notDone(.tooLarge): return finish(id, request.mayBeDone ? .unknown : .notDone(.tooLarge))
        case .unknown: request.mayBeDone = true
        case .session(.unknownSession):
            if session == request.label?.session { session = nil }
            if request.mayBeDone { return finish(id, .unknown) }
            request.label = nil
            requests[id] = request
            waiting.append(id)
            return tryWaiting()
        case .session(.answerForgotten): return finish(id, .answerLost)
        case .session(.windowExceeded): preconditionFailure("a client went beyond its own window")
        }
        requests[id] = request
        waiting.append(id)
        return miss()
    }

    /// Time for another try.
    mutating func pauseOver() -> [Step] {
        isPausing = false
        return tryWaiting()
    }

    /// The time of a request is over, or nobody waits for it any more.
    mutating func giveUp(_ id: ID, isCancelled: Bool = false) -> [Step] {
        guard let request = requests[id] else { return [] }
        return finish(id, failure(of: request, isCancelled: isCancelled))
    }

    /// The client stops: all its requests come to an end, and no other is tried.
    mutating func stop() -> [Step] {
        let ended = requests.sorted { $0.key < $1.key }
        (requests, waiting, open) = ([:], [], [])
        return ended.map { .fail($0.key, failure(of: $0.value, isCancelled: true)) }
    }

    private func failure(of request: Request, isCancelled: Bool) -> Failure {
        let isUnknown = request.wish != .query && (request.mayBeDone || request.isUnderWay)
        return isUnknown ? .unknown : .notDone(isCancelled ? .cancelled : request.reason)
    }

    // MARK: Steps

    private mutating func finish(_ id: ID, _ failure: Failure) -> [Step] {
        end(id)
        return [.fail(id, failure)] + tryWaiting()
    }

    private mutating func end(_ id: ID) {
        guard let label = requests.removeValue(forKey: id)?.label, label.session == session else { return }
        open.removeAll { $0 == label.sequence }
    }

    /// The next try goes to another node, after a while.
    private mutating func miss() -> [Step] {
        node = (node + 1) % nodeCount
        misses += 1
        guard !isPausing else { return [] }
        isPausing = true
        return [.pause(milliseconds: min(10 << min(misses, 4), 100))]
    }

    private mutating func tryWaiting() -> [Step] {
        guard !isPausing else { return [] }
        var steps: [Step] = []
        var held: [ID] = []
        for id in waiting {
            guard var request = requests[id] else { continue }
            let attempt = Try(request: id, number: request.tries + 1)
            switch request.wish {
            case .query: steps.append(.read(attempt, node: node))
            case .command(let command):
                guard let label = request.label ?? nextLabel() else {
                    held.append(id)
                    continue
                }
                request.label = label
                steps.append(.propose(attempt, label, command, node: node))
            }
            request.tries += 1
            request.isUnderWay = true
            requests[id] = request
        }
        waiting = held
        if !held.isEmpty, session == nil, !isRegistering {
            isRegistering = true
            steps.append(.register(node: node))
        }
        return steps
    }

    /// Nil: there is no session yet, or its window is full.
    private mutating func nextLabel() -> SessionCommand? {
        guard let session else { return nil }
        let first = open.first ?? nextSequence
        guard nextSequence - first < window else { return nil }
        let label = SessionCommand(session: session, sequence: nextSequence, firstUnanswered: first)
        open.append(nextSequence)
        nextSequence += 1
        return label
    }
}
