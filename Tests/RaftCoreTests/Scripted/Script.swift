@testable import RaftCore

/// Servers and messages for scripted tests: short names, and the few moves that every script needs.
enum Script {
    static let (n1, n2, n3, n4, n5) = (NodeID(1), NodeID(2), NodeID(3), NodeID(4), NodeID(5))
    static let three = [n1, n2, n3]
    static let five = [n1, n2, n3, n4, n5]

    /// Entries at 1, 2, … with these terms.
    static func log(_ terms: UInt64...) -> [Entry] { log(terms) }

    static func log(_ terms: [UInt64], from first: UInt64 = 1) -> [Entry] {
        terms.enumerated().map { position, term in
            Entry(term: Term(term), index: LogIndex(first + UInt64(position)), kind: .command, payload: [1])
        }
    }

    static func core(
        _ id: NodeID = n1,
        of voters: [NodeID] = three,
        term: UInt64 = 0,
        vote: NodeID? = nil,
        log: [Entry] = [],
        limits: RaftLimits = RaftLimits()
    ) -> RaftCore {
        let hardState = HardState(term: Term(term), vote: vote)
        let restored = RestoredState(hardState: hardState, entries: log)
        return RaftCore(id: id, voters: voters, limits: limits, restored: restored, seed: id.rawValue)
    }

    /// A core that has just won the term after `term`; its first output has been taken and is not durable.
    static func leader(
        of voters: [NodeID] = three,
        after term: UInt64 = 0,
        log: [Entry] = [],
        limits: RaftLimits = RaftLimits()
    ) -> RaftCore {
        var core = core(voters[0], of: voters, term: term, log: log, limits: limits)
        while core.role == .follower { core.tick() }
        for voter in voters.dropFirst() {
            core.hears(.preVoteResponse(granted: true, campaignTerm: core.term), from: voter)
        }
        core.makeDurable()
        for voter in voters.dropFirst() { core.hears(.voteResponse(granted: true), from: voter) }
        precondition(core.role == .leader, "the script's leader did not win")
        core.output = RaftOutput()
        return core
    }

    static func append(
        after previous: (index: UInt64, term: UInt64) = (0, 0),
        _ entries: [Entry] = [],
        commit: UInt64 = 0,
        round: UInt64 = 0
    ) -> RaftMessage.Kind {
        .appendEntries(
            AppendEntries(
                previous: LogPosition(index: LogIndex(previous.index), term: Term(previous.term)),
                entries: entries,
                leaderCommit: LogIndex(commit),
                readRound: ReadRound(round)
            )
        )
    }

    static func accepted(_ match: UInt64, round: UInt64 = 0) -> RaftMessage.Kind {
        .appendAccepted(match: LogIndex(match), readRound: ReadRound(round))
    }
}

extension RaftCore {
    /// A message from `peer`, said in `term` or in ours.
    mutating func hears(_ kind: RaftMessage.Kind, from peer: NodeID, in term: UInt64? = nil) {
        step(RaftMessage(from: peer, to: id, term: term.map { Term($0) } ?? self.term, kind: kind))
    }

    mutating func tick(_ count: Int) { for _ in 0..<count { tick() } }

    /// Takes all output and completes its writes at once.
    @discardableResult
    mutating func makeDurable() -> [RaftOutput] {
        var outputs: [RaftOutput] = []
        while hasOutput {
            let output = takeOutput()
            if let ticket = output.ticket { persisted(ticket) }
            outputs.append(output)
        }
        return outputs
    }

    /// All that is sent at once or after the writes, in that order, with the writes done.
    @discardableResult
    mutating func says() -> [RaftMessage] { makeDurable().flatMap { $0.messages + $0.messagesAfterPersist } }

    /// What a leader knows of a peer.
    func progress(of peer: NodeID) -> Progress? { peers.first { $0.id == peer } }
}

/// What was durable when a server crashed.
struct Disk {
    var hardState = HardState()
    var entries: [Entry] = []

    mutating func write(_ output: RaftOutput) {
        if let hardState = output.hardState { self.hardState = hardState }
        guard let first = output.entriesToAppend.first else { return }
        entries.removeAll { $0.index >= first.index }
        entries += output.entriesToAppend
    }

    func restart(_ id: NodeID, of voters: [NodeID]) -> RaftCore {
        let restored = RestoredState(hardState: hardState, entries: entries)
        return RaftCore(id: id, voters: voters, restored: restored, seed: 99)
    }
}
