// What a client may conclude from a failure: two kinds, two types.

/// The request has definitely not been carried out, and will not be.
public struct NotDone: Error, Hashable, Sendable {
    /// Why not.
    public enum Reason: Hashable, Sendable {
        /// No leader was found within the time given. Trying again is safe.
        case noLeader
        /// Too much was waiting, for all of the time given. Trying again later is safe.
        case overloaded
        /// The command is longer than an entry of the log may be. Trying again is useless.
        case tooLarge
        /// The disks of the nodes that were asked are full, and the command does not make space.
        case diskFull
        /// The task was cancelled, or the client stopped, in time.
        case cancelled
    }

    /// Why not.
    public let reason: Reason

    package init(_ reason: Reason) { self.reason = reason }
}

/// Nobody can tell whether the command was carried out, or still will be. It is carried out once at most.
public struct OutcomeUnknown: Error, Hashable, Sendable {
    package init() {}
}

/// The command was carried out, once, but its answer is not to be had: it was too large to be kept for a second try, and the first
/// one was lost.
public struct AnswerLost: Error, Hashable, Sendable {}

extension NotDone: CustomStringConvertible {
    /// For people to read.
    public var description: String {
        switch reason {
        case .noLeader: "not done: no leader was found in time"
        case .overloaded: "not done: the cluster is overloaded"
        case .tooLarge: "not done: the command is too large for the log"
        case .diskFull: "not done: the disk is full; delete something, or make room on it"
        case .cancelled: "not done: cancelled"
        }
    }
}

extension OutcomeUnknown: CustomStringConvertible {
    /// For people to read.
    public var description: String { "no answer in time: the command may have been carried out, once, or not at all" }
}

extension AnswerLost: CustomStringConvertible {
    /// For people to read.
    public var description: String { "the command was carried out, once; its answer was too large to be kept" }
}

/// A change of the members, or of who leads, was refused. Nothing was changed.
public struct ChangeRefused: Error, Hashable, Sendable {
    /// Why.
    public enum Reason: Hashable, Sendable, CaseIterable {
        /// A member has this id already.
        case alreadyMember
        /// Another member is found at this port.
        case portTaken
        /// One of several members to get a vote has one.
        case alreadyVoter
        /// One of several members to lose its vote has none.
        case alreadyLearner
        /// The change says two things of one node.
        case namedTwice
        /// No member has this id.
        case noSuchMember
        /// Nobody would be left to vote.
        case noVoterLeft
        /// The learner did not catch up within the time given: as a voter it would hold up commits.
        case notCaughtUp
        /// Who is to lead has no vote.
        case notVoter
        /// Who is to lead has not been heard lately.
        case unreachable
        /// Who was to lead did not take over in time: the leader goes on.
        case notTakenOver
        /// Another node took over than the one that was to.
        case anotherLeads
        /// No other voter could lead.
        case noSuccessor
        /// Another change stood in the way for all of the time given.
        case busy
    }

    /// Why.
    public let reason: Reason

    init(_ reason: Reason) { self.reason = reason }
}

extension ChangeRefused: CustomStringConvertible {
    /// For people to read.
    public var description: String {
        switch reason {
        case .alreadyMember: "refused: a member has this id already"
        case .portTaken: "refused: another member is found at this port"
        case .alreadyVoter: "refused: a node to be promoted has a vote already"
        case .alreadyLearner: "refused: a node to be demoted has no vote already"
        case .namedTwice: "refused: the change names a node twice"
        case .noSuchMember: "refused: no member has this id"
        case .noVoterLeft: "refused: nobody would be left to vote"
        case .notCaughtUp: "refused: the learner has not caught up in time"
        case .notVoter: "refused: the target has no vote"
        case .unreachable: "refused: the target has not been heard lately"
        case .notTakenOver: "refused: the target did not take over in time; the leader goes on"
        case .anotherLeads: "refused: another node took over than the one asked for"
        case .noSuccessor: "refused: no other voter could lead"
        case .busy: "refused: another change was in progress for all of the time given"
        }
    }
}
