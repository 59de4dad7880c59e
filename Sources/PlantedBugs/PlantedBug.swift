// Bugs that real implementations had, made outside the product's code, to see the checkers catch them.

internal import RaftCore
package import RaftScenario

/// A bug, and the rule of design's list of pitfalls that it breaks. What each does is its `summary`.
package enum PlantedBug: String, CaseIterable, Sendable {
    case commitsOldTerms
    case changesTooEarly
    case keepsConfigurationAcrossSnapshot
    case countsTooFew
    case commitsBeyondProof
    case shortensOnEveryAppend
    case promisesBeforeDisk
    case asksForVotesBeforeDisk
    case forgetsVote
    case completesBeforeDisk
    case trustsLateCompletions
    case countsOldAcknowledgements
    case ignoresEarlierTerms
    case confirmsAnyRound
    case countsItselfWhenRemoved
    case admitsWipedServers
    case ignoresLostEntries
    case votesForAnyLog
    case believesInFewerVoters
    case ignoresOutgoingVoters

    /// What goes wrong where it is planted, in a sentence for people.
    package var summary: String {
        switch self {
        case .commitsOldTerms: "Entries of earlier terms are committed by counting."
        case .changesTooEarly: "A new leader changes the membership before it has committed anything."
        case .keepsConfigurationAcrossSnapshot:
            "What a snapshot leaves in force is the configuration that was there before."
        case .countsTooFew: "A leader commits with one server less than a majority."
        case .commitsBeyondProof: "A follower takes for committed what is behind the last entry that a message proves."
        case .shortensOnEveryAppend: "The log is cut behind each AppendEntries, not only at a conflict."
        case .promisesBeforeDisk: "Votes and acknowledgements leave before they are durable."
        case .asksForVotesBeforeDisk: "A candidate asks for votes before its own log and term are durable."
        case .forgetsVote: "A restart remembers the term but not the vote."
        case .completesBeforeDisk: "A write is taken for durable when it was only issued."
        case .trustsLateCompletions: "A completion of an earlier term is taken for one of the present log."
        case .countsOldAcknowledgements: "An acknowledgement counts, whenever and to whomever it was made."
        case .ignoresEarlierTerms: "What comes from an earlier term is not answered."
        case .confirmsAnyRound: "Any acknowledgement confirms any read round."
        case .countsItselfWhenRemoved: "A leader without a vote counts itself all the same."
        case .admitsWipedServers: "A server that lost its disk is let in as the one it was."
        case .ignoresLostEntries: "A server whose disk lost entries goes on as if its log had never been longer."
        case .votesForAnyLog: "Votes are given without comparing logs."
        case .believesInFewerVoters: "One server believes in a smaller cluster, and so in smaller quorums."
        case .ignoresOutgoingVoters: "A joint configuration takes a quorum of the new voters only."
        }
    }

    /// What it breaks: a pitfall's number, or where the paper says so.
    package var rule: String {
        switch self {
        case .commitsOldTerms: "P1"
        case .changesTooEarly: "P2"
        case .keepsConfigurationAcrossSnapshot: "P4"
        case .countsTooFew, .believesInFewerVoters: "P5"
        case .commitsBeyondProof: "P6"
        case .shortensOnEveryAppend: "P7"
        case .promisesBeforeDisk, .asksForVotesBeforeDisk, .forgetsVote, .completesBeforeDisk: "P8"
        case .trustsLateCompletions: "P10"
        case .countsOldAcknowledgements: "P12"
        case .ignoresEarlierTerms: "P17"
        case .confirmsAnyRound: "P22"
        case .countsItselfWhenRemoved: "P26"
        case .admitsWipedServers: "P28"
        case .ignoresLostEntries: "P34"
        case .votesForAnyLog: "§5.4.1"
        case .ignoresOutgoingVoters: "§4.3"
        }
    }

    /// Where servers, or cores, misbehave.
    package var meddling: Meddling {
        var meddling = Meddling()
        switch self {
        case .promisesBeforeDisk:
            meddling.leavesEarly = { _ in true }
        case .asksForVotesBeforeDisk:
            meddling.leavesEarly = { if case .voteRequest = $0.kind { true } else { false } }
        case .forgetsVote:
            meddling.restored = { disk in
                var disk = disk
                disk.hardState.vote = nil
                return disk
            }
        case .completesBeforeDisk:
            meddling.completesAtOnce = true
        case .ignoresLostEntries:
            meddling.restored = { disk in
                var disk = disk
                disk.lost = nil
                return disk
            }
        case .votesForAnyLog: meddling.distort = Self.flatter
        case .confirmsAnyRound: meddling.distort = Self.confirm
        case .countsOldAcknowledgements: meddling.distort = Self.renew
        case .ignoresEarlierTerms: meddling.distort = Self.ignoreEarlierTerms
        case .admitsWipedServers: meddling.admitsWipedServers = true
        case .believesInFewerVoters:
            meddling.beginning = { id, beginning in
                id == NodeID(1) ? Configuration(voters: Array(beginning.voters.prefix(2))) : beginning
            }
        case .commitsOldTerms:
            meddling.afterInput = { _, _, core in core.commitByCounting(core.configuration.voters.count / 2 + 1) }
        case .changesTooEarly:
            meddling.beforeInput = { input, core in
                guard case .change = input else { return }
                core.termStart = .zero
                core.commitIndex = core.lastIndex
            }
            meddling.afterInput = { input, before, core in
                guard case .change = input else { return }
                (core.termStart, core.commitIndex) = (before.termStart, before.commitIndex)
            }
        case .ignoresOutgoingVoters:
            meddling.afterInput = { _, _, core in core.electorate = core.electorate.without(.outgoing) }
        case .keepsConfigurationAcrossSnapshot:
            meddling.afterInput = { _, before, core in
                guard core.logStart.index > before.commitIndex else { return }
                core.configurations = ConfigurationHistory(before.configuration, at: core.logStart.index)
            }
        case .countsItselfWhenRemoved:
            meddling.afterInput = { _, _, core in core.electorate = core.electorate.including(.voters) }
        case .countsTooFew:
            meddling.afterInput = { _, _, core in
                guard core.configuration.voters.count > 2 else { return }
                core.commitByCounting(core.configuration.voters.count / 2, from: core.termStart)
            }
        case .commitsBeyondProof:
            meddling.afterInput = { input, _, core in
                guard let append = core.followed(input) else { return }
                core.commitIndex = max(core.commitIndex, min(append.leaderCommit, core.lastIndex))
            }
        case .shortensOnEveryAppend:
            meddling.afterInput = { input, _, core in
                guard let append = core.followed(input) else { return }
                let kept = max(append.lastIndex, core.commitIndex)
                if kept < core.lastIndex { core.cut(from: kept.next) }
            }
        case .trustsLateCompletions:
            meddling.afterInput = { input, _, core in
                guard case .persisted(let ticket) = input, core.persistedIndex < ticket.last.index,
                    ticket.last.index <= core.lastIndex
                else { return }
                (core.persistedIndex, core.persistedTerm) = (ticket.last.index, core.term)
            }
        }
        return meddling
    }

    // MARK: What the receiver hears instead

    @Sendable private static func flatter(_ message: RaftMessage, _ core: RaftCore) -> RaftMessage? {
        var heard = message
        let last = LogPosition(index: LogIndex(1 << 40), term: Term(1 << 40))
        switch message.kind {
        case .voteRequest: heard.kind = .voteRequest(last: last, isTransfer: false)
        case .preVoteRequest: heard.kind = .preVoteRequest(last: last)
        default: break
        }
        return heard
    }

    @Sendable private static func confirm(_ message: RaftMessage, _ core: RaftCore) -> RaftMessage? {
        guard case .appendAccepted(let match, _, let session) = message.kind else { return message }
        var heard = message
        heard.kind = .appendAccepted(match: match, readRound: core.startedReadRound, session: session)
        return heard
    }

    @Sendable private static func renew(_ message: RaftMessage, _ core: RaftCore) -> RaftMessage? {
        guard case .appendAccepted(let match, let round, _) = message.kind, message.term <= core.term,
            let session = core.peerStatus.first(where: { $0.id == message.from })?.session
        else { return message }
        var heard = message
        heard.term = core.term
        heard.kind = .appendAccepted(match: match, readRound: round, session: session)
        return heard
    }

    @Sendable private static func ignoreEarlierTerms(_ message: RaftMessage, _ core: RaftCore) -> RaftMessage? {
        message.term < core.term ? nil : message
    }
}

extension RaftCore {
    /// The AppendEntries that this core has just followed.
    fileprivate func followed(_ input: CoreInput) -> AppendEntries? {
        guard case .message(let message) = input, case .appendEntries(let append) = message.kind, role == .follower,
            leader == message.from, term == message.term
        else { return nil }
        return append
    }

    /// Commits what so many voters have, this leader included, whatever its term is.
    fileprivate mutating func commitByCounting(_ count: Int, from first: LogIndex = .zero) {
        guard role == .leader, !configuration.isJoint, configuration.isVoter(id) else { return }
        var matches = peerStatus.filter { configuration.isVoter($0.id) }.map(\.match)
        matches.append(persistedIndex)
        matches.sort(by: >)
        let reached = matches[count - 1]
        if reached >= first { commitIndex = max(commitIndex, reached) }
    }
}

extension Electorate {
    /// The same, but blind for one half.
    fileprivate func without(_ half: VotingHalves) -> Electorate {
        Electorate(voters: voters, outgoing: half == .outgoing ? 0 : outgoing, own: own.subtracting(half))
    }

    /// The same, but with a vote of its own.
    fileprivate func including(_ half: VotingHalves) -> Electorate {
        Electorate(voters: voters, outgoing: outgoing, own: own.union(half))
    }
}
