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
        AppendEntries(
            previous: previous,
            entries: added,
            leaderCommit: LogIndex(commit),
            readRound: ReadRound(round),
            session: .zero
        )
    )
}

/// "I have all up to `match`."
func accepted(_ match: UInt64, round: UInt64 = 0) -> RaftMessage.Kind {
    .appendAccepted(match: LogIndex(match), readRound: ReadRound(round), session: .zero)
}

/// "I have nothing at `previous`, but maybe at `hint`."
func rejected(_ previous: UInt64, hint: LogPosition, round: UInt64 = 0) -> RaftMessage.Kind {
    .appendRejected(previousIndex: LogIndex(previous), hint: hint, readRound: ReadRound(round), session: .zero)
}

/// "Vote for me."
func vote(_ last: LogPosition, isTransfer: Bool = false) -> RaftMessage.Kind {
    .voteRequest(last: last, isTransfer: isTransfer)
}

extension RaftMessage.Kind {
    /// The same, but said in `session`. Scripts leave sessions out where they are not about them.
    func said(in session: ReplicationSession) -> RaftMessage.Kind {
        switch self {
        case .appendEntries(var append):
            append.session = session
            return .appendEntries(append)
        case .appendAccepted(let match, let round, _):
            return .appendAccepted(match: match, readRound: round, session: session)
        case .appendRejected(let previous, let hint, let round, _):
            return .appendRejected(previousIndex: previous, hint: hint, readRound: round, session: session)
        case .entriesLost(let index, _):
            return .entriesLost(from: index, session: session)
        case .installSnapshot(var chunk):
            chunk.session = session
            return .installSnapshot(chunk)
        case .snapshotStored(let last, let offset, let nextOffset, _):
            return .snapshotStored(last: last, offset: offset, nextOffset: nextOffset, session: session)
        default:
            return self
        }
    }
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

    /// All voters.
    var voters: [NodeID] { configuration.voters }

    /// Hears a message from a peer, of this core's own term and in its present session unless said otherwise.
    mutating func hear(
        _ kind: RaftMessage.Kind,
        from peer: NodeID,
        term: UInt64? = nil,
        session: ReplicationSession? = nil
    ) {
        let session = session ?? place(of: peer).map { peers[$0].session } ?? .zero
        step(RaftMessage(from: peer, to: id, term: term.map { Term($0) } ?? self.term, kind: kind.said(in: session)))
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
    func early(to peer: NodeID) -> [RaftMessage.Kind] {
        messages.filter { $0.to == peer }.map { $0.kind.said(in: .zero) }
    }
    /// What is said to `peer` when all is durable.
    func late(to peer: NodeID) -> [RaftMessage.Kind] {
        messagesAfterPersist.filter { $0.to == peer }.map { $0.kind.said(in: .zero) }
    }
}

extension RestoredState {
    /// Makes an output's writes durable.
    mutating func write(_ output: RaftOutput) {
        if let hardState = output.hardState { self.hardState = hardState }
        guard let first = output.entriesToAppend.first else { return }
        entries.removeLast(entries.count - Int(first.index.rawValue - 1))
        entries += output.entriesToAppend
    }
}
