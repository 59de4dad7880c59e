// What a client does about one change of the membership: a pure value.

import RaftCore

/// One change, asked for again and again until it is done, is refused for good, or the time is over.
///
/// A change may be asked for twice without harm: if it was done the first time, the answer to the second says that there is nothing to do.
struct ChangeRequest {
    /// What is to be done now.
    enum Step: Hashable, Sendable {
        /// Ask the node at this place.
        case ask(node: Int)
        /// Call `pauseOver` after this many milliseconds.
        case pause(milliseconds: Int)
        case end(Outcome)
    }

    /// What a change came to.
    enum Outcome: Hashable, Sendable {
        case done
        case refused(ChangeRefused.Reason)
        case notDone(NotDone.Reason)
        case unknown
    }

    private let command: AdminCommand
    private let nodeCount: Int
    private var node = 0
    private var isUnderWay = false
    /// A try had no answer: it may have been done.
    private var mayBeDone = false
    private var misses = 0
    /// What the last try came to.
    private var last = Outcome.notDone(.noLeader)

    init(_ command: AdminCommand, nodeCount: Int) {
        precondition(nodeCount >= 1, "a client needs a node")
        self.command = command
        self.nodeCount = nodeCount
    }

    mutating func begin() -> Step {
        isUnderWay = true
        return .ask(node: node)
    }

    /// A try has its answer; nil: it was done.
    mutating func answered(_ error: AdminError?) -> Step {
        isUnderWay = false
        guard let error else { return .end(.done) }
        switch error {
        case .request(.unknown): mayBeDone = true
        case .request(.notDone(.overloaded)): last = .notDone(.overloaded)
        case .request: last = .notDone(.noLeader)
        case .refused(let refusal):
            switch verdict(refusal) {
            case .again(let reason): last = reason
            case .end(let outcome): return .end(outcome)
            }
        }
        node = (node + 1) % nodeCount
        misses += 1
        return .pause(milliseconds: min(10 << min(misses, 4), 100))
    }

    /// Time for another try.
    mutating func pauseOver() -> Step { begin() }

    /// The time is over, or nobody waits any longer.
    func giveUp(isCancelled: Bool) -> Outcome {
        if mayBeDone || isUnderWay { return .unknown }
        return isCancelled ? .notDone(.cancelled) : last
    }

    /// What a refusal comes to that an earlier try would explain, had it been done: all of a change is done, or nothing.
    private func refusedUnlessDone(_ reason: ChangeRefused.Reason) -> Outcome {
        guard mayBeDone else { return .refused(reason) }
        return command.onlyStep == nil ? .unknown : .done
    }

    private enum Verdict {
        /// It passes; if it does not in time, this is what is told.
        case again(Outcome)
        case end(Outcome)
    }

    private func verdict(_ refusal: AdminRefusal) -> Verdict {
        switch refusal {
        case .notLeader: .again(.notDone(.noLeader))
        case .changeInProgress, .transferring: .again(.refused(.busy))
        case .notCaughtUp: .again(.refused(.notCaughtUp))
        // What was asked for is so.
        case .alreadyLeader: .end(.done)
        case .alreadyVoter: .end(command.onlyStep == nil ? refusedUnlessDone(.alreadyVoter) : .done)
        case .alreadyLearner: .end(command.onlyStep == nil ? refusedUnlessDone(.alreadyLearner) : .done)
        case .alreadyMember: .end(refusedUnlessDone(.alreadyMember))
        case .unknownServer:
            switch command.onlyStep {
            case .promote(_)?, .demote(_)?: .end(.refused(.noSuchMember))
            default: .end(refusedUnlessDone(.noSuchMember))
            }
        case .namedTwice: .end(.refused(.namedTwice))
        case .noVoterLeft: .end(.refused(.noVoterLeft))
        case .notVoter: .end(.refused(.notVoter))
        case .unreachable: .end(.refused(.unreachable))
        case .transferFailed: .end(.refused(.notTakenOver))
        case .anotherLeads: .end(.refused(.anotherLeads))
        case .addressTaken: .end(.refused(.portTaken))
        case .noSuccessor: .end(.refused(.noSuccessor))
        case .snapshotFailed: preconditionFailure("\(command) is no snapshot")
        }
    }
}

extension ChangeRequest.Outcome {
    /// As the client's user sees it.
    var result: Result<Void, any Error> {
        switch self {
        case .done: .success(())
        case .refused(let reason): .failure(ChangeRefused(reason))
        case .notDone(let reason): .failure(NotDone(reason))
        case .unknown: .failure(OutcomeUnknown())
        }
    }
}
