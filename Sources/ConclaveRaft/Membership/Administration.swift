// The requests about the cluster that are under way on one server: a pure value around the core.

import RaftCore

/// Takes operators' requests and says what is to be done about them.
///
/// On the leader a change waits until it may be made, if what stands in its way will be over by itself, and is then answered when it is
/// committed. On any other server it goes to the leader, and the leader's answer comes back.
struct Administration<Client> {
    /// Who is to hear of a request.
    enum Requester {
        case client(Client)
        /// A client of another server, which counts its requests.
        case server(NodeID, request: UInt64)
    }

    enum Action {
        case answer(Requester, AdminResult)
        /// Send to the leader.
        case forward(AdminCommand, request: UInt64, to: NodeID)
    }

    private struct Waiting {
        let command: AdminCommand
        let requester: Requester
        let deadline: UInt64
    }

    private struct Committing {
        let index: LogIndex
        let term: Term
        /// Another entry has to follow.
        let isJoint: Bool
        let requester: Requester
        let deadline: UInt64
    }

    /// Requests under way at a time; one more is refused.
    static var bound: Int { 64 }

    /// On the leader: changes that may not be made yet, in order.
    private var waiting: [Waiting] = []
    /// On the leader: changes that are in the log.
    private var committing: [Committing] = []
    /// A transfer of leadership that was begun here.
    private var transfer: (target: NodeID, requester: Requester, deadline: UInt64)?
    /// Requests passed on to the leader.
    private var forwarded: [UInt64: (client: Client, leader: NodeID, deadline: UInt64)] = [:]
    private var lastRequest: UInt64
    /// The entry of the last change that this server made as leader without being asked: it stands in the way of requests for a moment.
    private var ownChange = LogIndex.zero

    /// - Parameter process: a random number of this process. Requests are counted from there, so that a late answer to one of the process
    ///   before is not taken for an answer to one of this.
    init(process: UInt64) { lastRequest = process }

    var isIdle: Bool { waiting.isEmpty && committing.isEmpty && forwarded.isEmpty && transfer == nil }

    // MARK: Requests

    mutating func request(
        _ command: AdminCommand,
        by requester: Requester,
        _ core: inout RaftCore,
        deadline: UInt64
    ) -> [Action] {
        guard waiting.count + committing.count + forwarded.count < Self.bound else {
            return [.answer(requester, .failure(.request(.overloaded)))]
        }
        if core.role == .leader {
            waiting.append(Waiting(command: command, requester: requester, deadline: deadline))
            return proceed(&core)
        }
        // Rule P37: what was passed on once is not passed on again.
        guard case .client(let client) = requester else {
            return [.answer(requester, .failure(.refused(.notLeader)))]
        }
        guard let leader = core.leader else { return [.answer(requester, .failure(.request(.noLeader)))] }
        lastRequest &+= 1
        forwarded[lastRequest] = (client, leader, deadline)
        return [.forward(command, request: lastRequest, to: leader)]
    }

    /// An answer to a request that was passed on. Only the server that it went to can give it.
    mutating func answered(_ request: UInt64, by server: NodeID, _ result: AdminResult) -> [Action] {
        guard let known = forwarded[request], known.leader == server else { return [] }
        forwarded[request] = nil
        return [.answer(.client(known.client), result)]
    }

    // MARK: Progress

    /// Does what has become possible. To be called when entries were committed, the leader changed, or time has passed.
    mutating func proceed(_ core: inout RaftCore) -> [Action] {
        var actions: [Action] = []
        settle(core, &actions)
        guard core.role == .leader else {
            // None of them is in the log.
            for request in waiting { actions.append(.answer(request.requester, .failure(.refused(.notLeader)))) }
            waiting = []
            return actions
        }
        while let next = waiting.first {
            switch begin(next, &core) {
            case .waits: return actions
            case .begun: break
            case .refused(let refusal): actions.append(.answer(next.requester, .failure(.refused(refusal))))
            }
            waiting.removeFirst()
            settle(core, &actions)
        }
        return actions
    }

    private enum Start {
        case waits
        case begun
        case refused(AdminRefusal)
    }

    private mutating func begin(_ request: Waiting, _ core: inout RaftCore) -> Start {
        let steps: [ConfigurationStep]
        switch request.command {
        case .transferLeadership(let target): return beginTransfer(to: target, request, &core)
        case .change(let wanted): steps = wanted
        }
        // Of a configuration that is not committed, or joint, nothing has come true yet; then the core refuses the change.
        let isSettled = !core.configuration.isJoint && core.configurationIndex <= core.commitIndex
        if isSettled, let refusal = refusal(of: steps, core.configuration) { return .refused(refusal) }
        switch core.change(steps) {
        case .appended(let index, let term):
            committing.append(
                Committing(
                    index: index,
                    term: term,
                    isJoint: core.configuration.isJoint,
                    requester: request.requester,
                    deadline: request.deadline
                )
            )
            return .begun
        case .notLeader: preconditionFailure("a leader does not lead")
        case .refused(.termNotCommitted): return .waits
        case .refused(.changeInProgress) where core.configurationIndex <= ownChange: return .waits
        case .refused(.changeInProgress): return .refused(.changeInProgress)
        case .refused(.transferring): return .refused(.transferring)
        case .refused(.notCaughtUp): return .refused(.notCaughtUp)
        case .refused(.invalid(.ambiguous)): return .refused(.namedTwice)
        case .refused(.invalid(.noVoters)): return .refused(.noVoterLeft)
        case .refused(.invalid): return .refused(.unknownServer)
        }
    }

    private func refusal(of steps: [ConfigurationStep], _ configuration: Configuration) -> AdminRefusal? {
        var addresses: Set<String> = []
        for step in steps {
            switch step {
            case .add(let record):
                if let refusal = refusal(of: record, configuration) { return refusal }
                if !record.peerAddress.isEmpty, !addresses.insert(record.peerAddress).inserted { return .addressTaken }
            case .promote(let id): if configuration.isVoter(id) { return .alreadyVoter }
            case .demote(let id): if configuration.learners.contains(id) { return .alreadyLearner }
            case .remove: break
            case .addLearner, .describe: preconditionFailure("\(step) is no step of an operator")
            }
        }
        return nil
    }

    private func refusal(of record: MemberRecord, _ configuration: Configuration) -> AdminRefusal? {
        if configuration.members.contains(record.id) { return .alreadyMember }
        // Where everybody is found by number there are no addresses.
        if record.peerAddress.isEmpty { return nil }
        return configuration.records.contains { $0.peerAddress == record.peerAddress } ? .addressTaken : nil
    }

    private mutating func beginTransfer(to wanted: NodeID?, _ request: Waiting, _ core: inout RaftCore) -> Start {
        if transfer != nil { return .refused(.transferring) }
        guard let target = wanted ?? core.successor else { return .refused(.noSuccessor) }
        if target == core.id { return .refused(.alreadyLeader) }
        guard core.configuration.members.contains(target) else { return .refused(.unknownServer) }
        switch core.transferLeadership(to: target) {
        case .started:
            transfer = (target, request.requester, request.deadline)
            return .begun
        case .notLeader: preconditionFailure("a leader does not lead")
        case .notVoter: return .refused(.notVoter)
        case .unreachable: return .refused(.unreachable)
        case .transferring: return .refused(.transferring)
        }
    }

    /// Answers the changes whose entries are committed, and those whose entries this server can no longer vouch for.
    private mutating func settle(_ core: RaftCore, _ actions: inout [Action]) {
        guard !committing.isEmpty else { return }
        committing.removeAll { change in
            if core.commitIndex >= change.index {
                // Whoever leads goes on from a joint configuration by itself; only while that is this server, it can say when it is done.
                let isUnsettled = core.configuration.isJoint || core.configurationIndex > core.commitIndex
                let isHalfDone = change.isJoint && isUnsettled
                if isHalfDone, core.role == .leader, core.term == change.term { return false }
                // Another leader's entry may be in its place by now. Compacted away, it cannot be looked at.
                let isDone = !isHalfDone && core.term(at: change.index) == change.term
                actions.append(.answer(change.requester, isDone ? .success(()) : .failure(.request(.timeout))))
                return true
            }
            guard core.term == change.term else {
                actions.append(.answer(change.requester, .failure(.request(.timeout))))
                return true
            }
            return false
        }
    }

    // MARK: What happens

    /// A transfer of leadership that was begun here came to nothing.
    mutating func transferAborted() -> [Action] {
        guard let ended = transfer.take() else { return [] }
        return [.answer(ended.requester, .failure(.refused(.transferFailed)))]
    }

    /// Some server leads now.
    mutating func leaderChanged(to leader: NodeID) -> [Action] {
        guard let ended = transfer.take() else { return [] }
        return [.answer(ended.requester, ended.target == leader ? .success(()) : .failure(.refused(.anotherLeads)))]
    }

    /// The way to `server` is lost. What it was passed on may be done; a leader that only stopped leading still answers.
    mutating func linkDown(_ server: NodeID) -> [Action] {
        let lost = forwarded.filter { $0.value.leader == server }.sorted { $0.key < $1.key }
        return lost.map { request, waiting in
            forwarded[request] = nil
            return .answer(.client(waiting.client), .failure(.request(.timeout)))
        }
    }

    mutating func expire(at now: UInt64) -> [Action] {
        var actions: [Action] = []
        waiting.removeAll { request in
            guard request.deadline <= now else { return false }
            actions.append(.answer(request.requester, .failure(.refused(.changeInProgress))))
            return true
        }
        committing.removeAll { change in
            guard change.deadline <= now else { return false }
            actions.append(.answer(change.requester, .failure(.request(.timeout))))
            return true
        }
        if let ended = transfer, ended.deadline <= now {
            transfer = nil
            actions.append(.answer(ended.requester, .failure(.request(.timeout))))
        }
        for (request, waiting) in forwarded.filter({ $0.value.deadline <= now }).sorted(by: { $0.key < $1.key }) {
            forwarded[request] = nil
            actions.append(.answer(.client(waiting.client), .failure(.request(.timeout))))
        }
        return actions
    }

    // MARK: Housekeeping

    /// What a leader does about the membership without being asked: writes down what it has learnt of members, and promotes the
    /// learners that are to be voters and have caught up.
    ///
    /// - Parameter known: what members that are there say of themselves.
    mutating func keepHouse(_ known: [NodeID: MemberRecord], _ core: inout RaftCore) {
        guard core.role == .leader, waiting.isEmpty else { return }
        let configuration = core.configuration
        var steps: [ConfigurationStep] = []
        for id in configuration.members {
            guard let said = known[id] else { continue }
            let written = configuration.record(of: id)
            // Rule P28: what was written down first holds.
            if let incarnation = written?.incarnation, incarnation != said.incarnation { continue }
            var record = said
            record.isToBePromoted = written?.isToBePromoted ?? false && !configuration.isVoter(id)
            if record != written { steps.append(.describe(record)) }
        }
        if steps.isEmpty {
            steps = configuration.learners.filter { configuration.record(of: $0)?.isToBePromoted == true }.prefix(1)
                .map { .promote($0) }
        }
        guard !steps.isEmpty, case .appended(let index, _) = core.change(steps) else { return }
        ownChange = index
    }
}
