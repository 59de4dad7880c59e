// What an operator may ask of a cluster, and what comes of it.

package import RaftCore

/// A request about the cluster itself. The leader carries it out; any other server passes it on, once.
package enum AdminCommand: Hashable, Sendable {
    /// Members come and go, and get or lose their votes: all in one step, or none of it. `add`, `promote`, `demote` and `remove` only,
    /// at most `stepBound`; a server that is added becomes a voter as soon as it has caught up if its record says so.
    case change([ConfigurationStep])
    /// Leadership goes to this voter; nil: to the one that would be missed least as the next leader.
    case transferLeadership(to: NodeID?)
}

extension AdminCommand {
    /// How many members one change may be about.
    package static var stepBound: Int { 32 }

    package static func add(_ record: MemberRecord) -> AdminCommand { .change([.add(record)]) }
    package static func promote(_ id: NodeID) -> AdminCommand { .change([.promote(id)]) }
    package static func demote(_ id: NodeID) -> AdminCommand { .change([.demote(id)]) }
    package static func remove(_ id: NodeID) -> AdminCommand { .change([.remove(id)]) }

    /// The step of a change of one member; nil for anything else.
    package var onlyStep: ConfigurationStep? {
        if case .change(let steps) = self, steps.count == 1 { steps[0] } else { nil }
    }
}

/// Why a request about the cluster was not carried out.
package enum AdminError: Error, Hashable, Sendable {
    /// Not done, or unknown, for the reasons that any request may have.
    case request(RaftError)
    /// Definitely not done, and why.
    case refused(AdminRefusal)
}

/// Why the cluster refuses a request of an operator. The raw value is the byte on the wire.
package enum AdminRefusal: UInt8, Error, Hashable, Sendable, CaseIterable {
    /// The server that the request reached does not lead: the leader has changed meanwhile.
    case notLeader = 1
    /// The change before this one is not committed yet.
    case changeInProgress = 2
    /// Leadership is being handed over.
    case transferring = 3
    /// No member has this number.
    case unknownServer = 4
    /// A member has this number already.
    case alreadyMember = 5
    /// The server votes already.
    case alreadyVoter = 6
    /// Nobody would be left to vote.
    case noVoterLeft = 7
    /// The learner is too far behind, or has not been heard: as a voter it would hold up commits.
    case notCaughtUp = 8
    /// The target of a transfer has no vote.
    case notVoter = 9
    /// The target of a transfer leads already.
    case alreadyLeader = 10
    /// The target of a transfer has not been heard lately.
    case unreachable = 11
    /// The target of a transfer did not take over in time: the leader goes on.
    case transferFailed = 12
    /// Another server took over than the one that was to.
    case anotherLeads = 13
    /// Another member has this address.
    case addressTaken = 14
    /// No other voter could lead.
    case noSuccessor = 15
    /// The snapshot could not be written.
    case snapshotFailed = 16
    /// The server has no vote already.
    case alreadyLearner = 17
    /// A change says two things of one server.
    case namedTwice = 18
}

extension AdminRefusal: CustomStringConvertible {
    package var description: String {
        switch self {
        case .notLeader: "this server is not the leader any more, try again"
        case .changeInProgress: "another change of the membership is in progress, try again later"
        case .transferring: "leadership is being handed over, try again later"
        case .unknownServer: "no member has this id"
        case .alreadyMember: "a member has this id already"
        case .alreadyVoter: "this server is a voter already"
        case .noVoterLeft: "the cluster would have no voter left"
        case .notCaughtUp: "the learner has not caught up yet, try again later"
        case .notVoter: "the target is no voter"
        case .alreadyLeader: "the target leads already"
        case .unreachable: "the target has not been heard lately"
        case .transferFailed: "the target did not take over in time; the leader goes on"
        case .anotherLeads: "another server took over than the one asked for"
        case .addressTaken: "another member has this address"
        case .noSuccessor: "no other voter could take over"
        case .snapshotFailed: "the snapshot could not be written"
        case .alreadyLearner: "this server is a learner already"
        case .namedTwice: "the change names a server twice"
        }
    }
}

/// What a request about the cluster comes to: nothing but that it is done.
package typealias AdminResult = Result<Void, AdminError>

/// Waits for a request about the cluster. Dropped, it fails: the outcome is unknown then.
package final class AdminCompletion: @unchecked Sendable {
    // SAFETY: `finish` changes only when the completion is finished or destroyed, by the one actor that holds it at that time;
    // messages pass it on. Nil once finished.
    private var finish: (@Sendable (AdminResult) -> Void)?

    /// `finish` is called once.
    package init(_ finish: @escaping @Sendable (AdminResult) -> Void) { self.finish = finish }

    deinit { finish?(.failure(.request(.serverStopped))) }

    func end(_ result: AdminResult) {
        guard let finish = finish.take() else { preconditionFailure("a request about the cluster was finished twice") }
        finish(result)
    }
}
