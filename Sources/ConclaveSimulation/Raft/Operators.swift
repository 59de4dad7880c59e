// The people who run the simulated cluster: they hand leadership over, and replace servers.

internal import Conclave
internal import ConclaveRaft
internal import RaftCore

/// Something that an operator is to do about a place of the cluster.
struct Order: Sendable {
    enum Kind: Sendable {
        case transfer
        /// What was done already is done: a request may be repeated.
        case replace(isLost: Bool, newcomer: NodeID?, oldIsRemoved: Bool, newIsAdded: Bool)
    }

    var place: Int
    var kind: Kind

    static func transfer(_ place: Int) -> Order { Order(place: place, kind: .transfer) }

    static func replace(_ place: Int, isLost: Bool) -> Order {
        Order(place: place, kind: .replace(isLost: isLost, newcomer: nil, oldIsRemoved: false, newIsAdded: false))
    }
}

extension RaftWorld {
    /// Orders that may wait; more are left out.
    private static let orderBound = 4

    func order(_ order: Order) {
        guard mayOrder else { return }
        withState { state in
            guard state.places.indices.contains(order.place) else { return }
            state.orders.append(order)
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
            _ = await ask(.transferLeadership(to: withState { $0.places[order.place] }), &random)
            withState { _ = $0.orders.removeFirst() }
        case .replace(let isLost, let newcomer, let oldIsRemoved, let newIsAdded):
            let old = withState { $0.places[order.place] }
            if isLost, !oldIsRemoved {
                guard await ask(.remove(old), &random) else { return }
                retire(old)
                update(.replace(isLost: true, newcomer: nil, oldIsRemoved: true, newIsAdded: false))
            } else if let newcomer {
                await settle(newcomer, isLost: isLost, newIsAdded: newIsAdded, replacing: old, &random)
            } else {
                let newcomer = withState { state in
                    state.lastID += 1
                    state.newcomer = NodeID(state.lastID)
                    return NodeID(state.lastID)
                }
                do { try settle(newcomer, founders: .unknown) } catch {
                    simulation.fail("server \(newcomer) does not start: \(error)")
                }
                update(.replace(isLost: isLost, newcomer: newcomer, oldIsRemoved: oldIsRemoved, newIsAdded: false))
            }
        }
    }

    private func settle(
        _ newcomer: NodeID,
        isLost: Bool,
        newIsAdded: Bool,
        replacing old: NodeID,
        _ random: inout SimulationRandom
    ) async {
        if !newIsAdded {
            let record = MemberRecord(
                newcomer,
                peerAddress: Self.address(of: newcomer),
                incarnation: resident(newcomer)?.incarnation,
                isToBePromoted: true
            )
            guard await ask(.add(record), &random) else { return }
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
        retire(old)
        withState { state in
            state.places = state.places.map { $0 == old ? newcomer : $0 }
            state.newcomer = nil
            state.replacements += 1
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
        simulation.note("\(command) at \(id): \(result)")
        switch (command.onlyStep, result) {
        case (_, .success): return true
        case (.remove(_)?, .failure(.refused(.unknownServer))), (.add(_)?, .failure(.refused(.alreadyMember))):
            return true
        default: return false
        }
    }
}
