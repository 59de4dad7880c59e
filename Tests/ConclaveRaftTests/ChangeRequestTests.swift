import RaftCore
import Testing

@testable import ConclaveRaft

@Suite("A client's change of the membership") struct ChangeRequestTests {
    private typealias Step = ChangeRequest.Step
    private let add = AdminCommand.add(MemberRecord(NodeID(4)))

    /// What a change comes to when its tries are answered like this, one after the other; nil: it would be tried again.
    private func outcome(_ command: AdminCommand, _ answers: [AdminError?]) -> ChangeRequest.Outcome? {
        var request = ChangeRequest(command, nodeCount: 2)
        guard request.begin() == .ask(node: 0) else { return nil }
        for (place, answer) in answers.enumerated() {
            switch request.answered(answer) {
            case .end(let outcome): return place == answers.count - 1 ? outcome : nil
            case .pause:
                guard request.pauseOver() == .ask(node: (place + 1) % 2) else { return nil }
            case .ask: return nil
            }
        }
        return nil
    }

    @Test("what passes is asked again, on the next node, until it is done")
    func asksAgain() {
        let passing: [AdminError] = [
            .request(.noLeader), .request(.overloaded), .request(.timeout), .request(.serverStopped),
            .refused(.notLeader), .refused(.changeInProgress), .refused(.transferring), .refused(.notCaughtUp),
        ]
        for error in passing { #expect(outcome(.promote(NodeID(4)), [error, error, nil]) == .done, "\(error)") }
    }

    @Test("a refusal that does not pass is told at once, each with its own reason")
    func refusals() {
        let final: [AdminRefusal] = [
            .unknownServer, .alreadyMember, .noVoterLeft, .notVoter, .unreachable, .transferFailed, .anotherLeads,
            .addressTaken, .noSuccessor, .namedTwice,
        ]
        var reasons: Set<ChangeRefused.Reason> = []
        for refusal in final {
            guard case .refused(let reason) = outcome(add, [.refused(refusal)]) else {
                Issue.record("\(refusal) is not told")
                continue
            }
            reasons.insert(reason)
            #expect(ChangeRefused(reason).description.hasPrefix("refused: "))
        }
        #expect(reasons.count == final.count)
    }

    @Test("what is so already is done; after a try without an answer, so is what that try must have done")
    func alreadyDone() {
        #expect(outcome(.promote(NodeID(2)), [.refused(.alreadyVoter)]) == .done)
        #expect(outcome(.transferLeadership(to: NodeID(2)), [.refused(.alreadyLeader)]) == .done)
        #expect(outcome(add, [.refused(.alreadyMember)]) == .refused(.alreadyMember))
        #expect(outcome(add, [.request(.timeout), .refused(.alreadyMember)]) == .done)
        #expect(outcome(.remove(NodeID(2)), [.refused(.unknownServer)]) == .refused(.noSuchMember))
        #expect(outcome(.remove(NodeID(2)), [.request(.timeout), .refused(.unknownServer)]) == .done)
        // Of several, one by one cannot be told from another change.
        let both = AdminCommand.change([.promote(NodeID(2)), .demote(NodeID(3))])
        #expect(outcome(.demote(NodeID(3)), [.refused(.alreadyLearner)]) == .done)
        #expect(outcome(both, [.refused(.alreadyVoter)]) == .refused(.alreadyVoter))
        #expect(outcome(both, [.refused(.alreadyLearner)]) == .refused(.alreadyLearner))
        #expect(outcome(both, [.request(.timeout), .refused(.alreadyVoter)]) == .unknown)
        // To be promoted it would have to be there.
        #expect(
            outcome(.promote(NodeID(2)), [.request(.timeout), .refused(.unknownServer)]) == .refused(.noSuchMember)
        )
    }

    @Test("when the time is over, it is unknown while a try is out or one had no answer; else the last answer is told")
    func givesUp() {
        var request = ChangeRequest(add, nodeCount: 1)
        _ = request.begin()
        #expect(request.giveUp(isCancelled: false) == .unknown)
        _ = request.answered(.request(.noLeader))
        #expect(request.giveUp(isCancelled: false) == .notDone(.noLeader))
        #expect(request.giveUp(isCancelled: true) == .notDone(.cancelled))
        _ = request.pauseOver()
        _ = request.answered(.refused(.changeInProgress))
        #expect(request.giveUp(isCancelled: false) == .refused(.busy))
        _ = request.pauseOver()
        _ = request.answered(.request(.timeout))
        #expect(request.giveUp(isCancelled: false) == .unknown && request.giveUp(isCancelled: true) == .unknown)
    }
}
