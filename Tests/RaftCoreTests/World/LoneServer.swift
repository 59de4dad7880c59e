// One core by itself, spoken to by hand.

@testable import RaftCore

let n1 = NodeID(1)
let n2 = NodeID(2)
let n3 = NodeID(3)
let n4 = NodeID(4)
let n5 = NodeID(5)

/// Entries from index 1 on, one of each of these terms.
func entries(terms: [UInt64]) -> [Entry] {
    terms.enumerated().map { place, term in
        Entry(term: Term(term), index: LogIndex(UInt64(place + 1)), kind: .command, payload: [UInt8(place % 256)])
    }
}

/// The position with these numbers.
func position(_ index: UInt64, _ term: UInt64) -> LogPosition { LogPosition(index: LogIndex(index), term: Term(term)) }

/// AppendEntries right behind `previous`, with entries of these terms.
func append(
    after previous: LogPosition,
    terms: [UInt64] = [],
    commit: UInt64 = 0,
    round: UInt64 = 0
) -> RaftMessage.Kind {
    let added = terms.enumerated().map { place, term in
        Entry(term: Term(term), index: previous.index + (place + 1), kind: .command, payload: [UInt8(term)])
    }
    return .appendEntries(
        AppendEntries(previous: previous, entries: added, leaderCommit: LogIndex(commit), readRound: ReadRound(round))
    )
}

/// "I have all up to `match`."
func accepted(_ match: UInt64, round: UInt64 = 0) -> RaftMessage.Kind {
    .appendAccepted(match: LogIndex(match), readRound: ReadRound(round))
}

extension RaftCore {
    /// Server 1 of `voters`, restarted with a log of these terms.
    static func lone(
        voters: Int = 3,
        term: UInt64 = 0,
        vote: NodeID? = nil,
        log terms: [UInt64] = [],
        limits: RaftLimits = RaftLimits(),
        seed: UInt64 = 1
    ) -> RaftCore {
        RaftCore(
            id: n1,
            voters: (1...voters).map { NodeID(UInt64($0)) },
            limits: limits,
            restored: RestoredState(hardState: HardState(term: Term(term), vote: vote), entries: entries(terms: terms)),
            seed: seed
        )
    }

    /// Hears a message from a peer, of this core's own term unless said otherwise.
    mutating func hear(_ kind: RaftMessage.Kind, from peer: NodeID, term: UInt64? = nil) {
        step(RaftMessage(from: peer, to: id, term: term.map { Term($0) } ?? self.term, kind: kind))
    }

    /// Takes the output and reports its writes as durable.
    @discardableResult
    mutating func sync() -> RaftOutput {
        let output = takeOutput()
        if let ticket = output.ticket { persisted(ticket) }
        return output
    }

    /// Lets time pass until this core asks for pre-votes, and answers all its questions with yes. Its no-op is durable here.
    mutating func win() {
        while role == .follower { tick() }
        for voter in voters where voter != id { hear(.preVoteResponse(granted: true, campaignTerm: term), from: voter) }
        sync()
        for voter in voters where voter != id { hear(.voteResponse(granted: true), from: voter) }
        sync()
        precondition(role == .leader, "everyone voted for it")
    }
}

extension RaftOutput {
    /// What is said to `peer` at once.
    func early(to peer: NodeID) -> [RaftMessage.Kind] { messages.filter { $0.to == peer }.map(\.kind) }
    /// What is said to `peer` when all is durable.
    func late(to peer: NodeID) -> [RaftMessage.Kind] { messagesAfterPersist.filter { $0.to == peer }.map(\.kind) }
}
