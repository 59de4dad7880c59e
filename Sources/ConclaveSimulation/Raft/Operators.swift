// The people who run the simulated cluster: they hand leadership over, replace servers, and take and give votes.

internal import Conclave
internal import ConclaveRaft
internal import RaftCore

extension RaftWorld {
    /// Orders that may wait; more are left out.
    private static let orderBound = 4

    func order(_ order: Order) {
        guard mayOrder else { return }
        withState { state in
            guard order.places.allSatisfy(state.places.indices.contains) else { return }
            state.orders.append(order)
        }
    }

    /// A server is there no more, and its data with it, for all that the cluster will ever see of it.
    func orderReplacement(ofLost id: NodeID) {
        withState { state in
            guard let place = state.places.firstIndex(of: id) else { return }
            // Whoever is about to be replaced is not needed for that.
            if !state.orders.contains(where: { $0.replaces(place) }) {
                state.orders.append(.replace(place, isLost: true))
            }
        }
    }

    /// Whether operators would not leave out one order more.
    var mayOrder: Bool { withState { $0.orders.count < Self.orderBound } }

    /// Whether operators have nothing to do.
    var isInOrder: Bool { withState { $0.orders.isEmpty } }

    /// Goes a step ahead with what is to be done first: at most one request.
    func workOnOrders(_ random: inout SimulationRandom) async {
        guard let order = withState({ $0.orders.first }) else { return }
        switch order.kind {
        case .transfer:
            _ = await ask(.transferLeadership(to: server(in: order.places[0])), &random)
            withState { _ = $0.orders.removeFirst() }
        case .swap(let newcomers, let areMembers):
            await swap(order.places.map(server(in:)), newcomers, areMembers: areMembers, &random)
        case .demote(let demotion): await demote(server(in: order.places[0]), demotion, &random)
        case .replace(let isLost, let newcomer, let oldIsRemoved, let newIsAdded):
            let old = server(in: order.places[0])
            if isLost, !oldIsRemoved {
                guard await ask(.remove(old), &random) else { return }
                retire(old)
                update(.replace(isLost: true, newcomer: nil, oldIsRemoved: true, newIsAdded: false))
            } else if let newcomer {
                await settle(newcomer, isLost: isLost, newIsAdded: newIsAdded, replacing: old, &random)
            } else {
                let newcomer = settleNewcomer()
                update(.replace(isLost: isLost, newcomer: newcomer, oldIsRemoved: oldIsRemoved, newIsAdded: false))
            }
        }
    }

    private func server(in place: Int) -> NodeID { withState { $0.places[place] } }

    /// Starts a server that is yet to be added.
    private func settleNewcomer() -> NodeID {
        let newcomer = withState { state in
            state.lastID += 1
            state.newcomers.append(NodeID(state.lastID))
            return NodeID(state.lastID)
        }
        do { try settle(newcomer, founders: .unknown) } catch {
            simulation.fail("server \(newcomer) does not start: \(error)")
        }
        return newcomer
    }

    private func record(of newcomer: NodeID, isToBePromoted: Bool) -> MemberRecord {
        MemberRecord(
            newcomer,
            peerAddress: Self.address(of: newcomer),
            incarnation: resident(newcomer)?.incarnation,
            isToBePromoted: isToBePromoted
        )
    }

    // MARK: One for one

    private func settle(
        _ newcomer: NodeID,
        isLost: Bool,
        newIsAdded: Bool,
        replacing old: NodeID,
        _ random: inout SimulationRandom
    ) async {
        if !newIsAdded {
            guard await ask(.add(record(of: newcomer, isToBePromoted: true)), &random) else { return }
            return update(.replace(isLost: isLost, newcomer: newcomer, oldIsRemoved: isLost, newIsAdded: true))
        }
        guard server(newcomer)?.status.current.standing == .voter else {
            // Who was a member already may have been one by a change that came to nothing with its leader.
            if let members = leadersMembers, !members.contains(newcomer) {
                update(.replace(isLost: isLost, newcomer: newcomer, oldIsRemoved: isLost, newIsAdded: false))
            }
            return
        }
        // And so may who was no member any more.
        guard let members = leadersMembers else { return }
        if members.contains(old) {
            _ = await ask(.remove(old), &random)
            return
        }
        take([newcomer], [old])
        withState { state in
            state.replacements += 1
            state.orders.removeFirst()
        }
    }

    /// Newcomers take the places of servers that are no members any more.
    private func take(_ newcomers: [NodeID], _ old: [NodeID]) {
        for (newcomer, old) in zip(newcomers, old) {
            retire(old)
            withState { state in
                state.places = state.places.map { $0 == old ? newcomer : $0 }
                state.newcomers.removeAll { $0 == newcomer }
            }
        }
    }

    // MARK: Two for two

    /// Two servers go, and two others come, by one joint change: there is no moment at which one of them is there and the other is not.
    private func swap(
        _ old: [NodeID],
        _ newcomers: [NodeID],
        areMembers: Bool,
        _ random: inout SimulationRandom
    ) async {
        if newcomers.isEmpty { return update(.swap(newcomers: old.map { _ in settleNewcomer() }, areMembers: false)) }
        if !areMembers {
            let added = newcomers.map { ConfigurationStep.add(record(of: $0, isToBePromoted: false)) }
            if await ask(.change(added), &random) { update(.swap(newcomers: newcomers, areMembers: true)) }
            return
        }
        // Refused until both have caught up.
        let steps = newcomers.map(ConfigurationStep.promote) + old.map(ConfigurationStep.remove)
        guard await ask(.change(steps), &random) else { return }
        take(newcomers, old)
        withState { state in
            state.swaps += 1
            state.orders.removeFirst()
        }
    }

    // MARK: Votes

    /// How long a request may be under way of which its server knows nothing any more: on a machine that is paused, for example.
    private static let longestRequest = Duration.seconds(10)

    private func demote(_ id: NodeID, _ demotion: Order.Demotion, _ random: inout SimulationRandom) async {
        var demotion = demotion
        guard let ends = demotion.ends else {
            if withState({ $0.places.count }) < 2 { return withState { _ = $0.orders.removeFirst() } }
            if await ask(.demote(id), &random) {
                let duration = Duration.milliseconds(Int64.random(in: 0...3_000, using: &random))
                demotion.ends = max(simulation.time + duration, demotion.isUnsureUntil)
            } else {
                demotion.isUnsureUntil = simulation.time + Self.longestRequest
            }
            return update(.demote(demotion))
        }
        guard simulation.time >= ends, await ask(.promote(id), &random) else { return }
        withState { state in
            state.demotions += 1
            state.orders.removeFirst()
        }
    }

    /// The members as the leader with the highest term sees them; nil: nobody leads.
    private var leadersMembers: [NodeID]? {
        let leaders = ids.compactMap { server($0)?.status.current }.filter { $0.role == .leader }
        return leaders.max { $0.term < $1.term }.map(\.configuration.members)
    }

    private func update(_ kind: Order.Kind) { withState { $0.orders[0].kind = kind } }

    /// A server that is no member any more is switched off for good.
    private func retire(_ id: NodeID) {
        crash(id, losesPower: true, isFault: false)
        withState { _ = $0.retired.insert(id) }
    }

    /// Asks any server. True: it is done, now or by an earlier try.
    private func ask(_ command: AdminCommand, _ random: inout SimulationRandom) async -> Bool {
        guard let id = ids.randomElement(using: &random), let server = server(id) else { return false }
        let result: AdminResult = await withCheckedContinuation { continuation in
            server.administrate(command, AdminCompletion { continuation.resume(returning: $0) })
        }
        simulation.note("\(OperatorText.text(command)) at \(id): \(OperatorText.text(result))")
        guard case .failure(let error) = result else { return true }
        guard case .refused(let refusal) = error, case .change(let steps) = command else { return false }
        // All steps of a change are done, or none.
        switch (steps.first, refusal) {
        case (.remove, .unknownServer), (.add, .alreadyMember), (.promote, .alreadyVoter), (.demote, .alreadyLearner):
            return true
        default: return false
        }
    }
}
