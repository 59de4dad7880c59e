// What an operator of the simulated cluster has been told to do, and how far that is.

internal import Conclave
internal import RaftCore

/// Something that an operator is to do about places of the cluster.
struct Order: Sendable {
    enum Kind: Sendable {
        case transfer
        /// What was done already is done: a request may be repeated.
        case replace(isLost: Bool, newcomer: NodeID?, oldIsRemoved: Bool, newIsAdded: Bool)
        /// Two servers, once they are started, come for two others. `areMembers`: without a vote as yet.
        case swap(newcomers: [NodeID], areMembers: Bool)
        /// A vote is taken, and given back.
        case demote(Demotion)
    }

    /// How far the taking of a vote is.
    struct Demotion: Sendable {
        /// The server has no vote, and gets it back after that; nil: it has its vote.
        var ends: Duration?
        /// Until then a request of which nothing was heard may be carried out. A vote that is given back before could be taken again.
        var isUnsureUntil = Duration.zero
    }

    var places: [Int]
    var kind: Kind

    static func transfer(_ place: Int) -> Order { Order(places: [place], kind: .transfer) }

    static func replace(_ place: Int, isLost: Bool) -> Order {
        Order(places: [place], kind: .replace(isLost: isLost, newcomer: nil, oldIsRemoved: false, newIsAdded: false))
    }

    static func swap(_ one: Int, _ other: Int) -> Order {
        Order(places: [one, other], kind: .swap(newcomers: [], areMembers: false))
    }

    static func demote(_ place: Int) -> Order { Order(places: [place], kind: .demote(Demotion())) }

    /// Whether another server comes to this place.
    func replaces(_ place: Int) -> Bool {
        switch kind {
        case .replace, .swap: places.contains(place)
        case .transfer, .demote: false
        }
    }

    /// Whether the server's data is gone.
    var isAboutLoss: Bool { if case .replace(isLost: true, _, _, _) = kind { true } else { false } }

    /// Whether there is, or may be, a vote less until it is done.
    var isDemotion: Bool { if case .demote = kind { true } else { false } }
}
