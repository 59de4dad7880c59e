// Bugs that real implementations had, made outside the core, to see the checker catch them.

import RaftScenario

@testable import RaftCore

enum PlantedBug: String, CaseIterable, Sendable {
    /// Votes and acknowledgements leave before they are durable (rule P8).
    case promisesBeforeDisk
    /// A candidate asks for votes before its own log and term are durable. Takes a script: see `PersistenceRuleTests`.
    case asksForVotesBeforeDisk
    /// A restart remembers the term but not the vote (rule P8).
    case forgetsVote
    /// A write is taken for durable when it was only issued (rule P8).
    case completesBeforeDisk
    /// The log is cut behind each AppendEntries, not only at a conflict (rule P7).
    case shortensOnEveryAppend
    /// Votes are given without comparing logs (Raft §5.4.1).
    case votesForAnyLog
    /// Any acknowledgement confirms any read round (rule P22).
    case confirmsAnyRound
    /// One server believes in a smaller cluster, and so in smaller quorums (rule P5).
    case countsTooFewVoters
    /// Entries of earlier terms are committed by counting (rule P1).
    case commitsOldTerms
    /// A new leader changes the membership before it has committed anything (rule P2).
    case changesTooEarly
    /// A joint configuration takes a quorum of the new voters only (dissertation §4.3).
    case ignoresOutgoingVoters
    /// A snapshot leaves in force the configuration that was there before (rule P4).
    case keepsConfigurationAcrossSnapshot
    /// A leader without a vote counts itself all the same (rule P26).
    case countsItselfWhenRemoved
    /// A server whose disk lost entries goes on as if its log had never been longer (rule P34).
    case ignoresLostEntries

    /// Found by a script only: a history that shows it is too rare.
    var takesScript: Bool { self == .asksForVotesBeforeDisk || self == .commitsOldTerms }

    /// Where the world misbehaves.
    var meddling: Meddling {
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
        case .shortensOnEveryAppend:
            meddling.damage = shortened
        case .votesForAnyLog, .confirmsAnyRound:
            meddling.distort = distort
        case .countsTooFewVoters:
            meddling.beginning = { id, beginning in
                id == NodeID(1) ? Configuration(voters: Array(beginning.voters.prefix(2))) : beginning
            }
        case .commitsOldTerms:
            meddling.afterInput = { _, core in core.termStart = .zero }
        case .changesTooEarly:
            meddling.change = { core, steps in
                let (termStart, commit) = (core.termStart, core.commitIndex)
                core.termStart = .zero
                core.commitIndex = core.lastIndex
                defer { (core.termStart, core.commitIndex) = (termStart, commit) }
                return core.change(steps)
            }
        case .ignoresOutgoingVoters:
            meddling.afterInput = { _, core in core.electorate = core.electorate.without(.outgoing) }
        case .keepsConfigurationAcrossSnapshot:
            meddling.afterInput = { before, core in
                guard core.log.start.index > before.commitIndex else { return }
                core.configurations = ConfigurationHistory(before.configuration, at: core.log.start.index)
            }
        case .countsItselfWhenRemoved:
            meddling.afterInput = { _, core in core.electorate = core.electorate.including(.voters) }
        case .ignoresLostEntries:
            meddling.restored = { disk in
                var disk = disk
                disk.lost = nil
                return disk
            }
        }
        return meddling
    }

    /// What the receiver hears instead.
    @Sendable private func distort(_ message: RaftMessage, for receiver: RaftCore) -> RaftMessage {
        var heard = message
        let flattering = LogPosition(index: LogIndex(1 << 40), term: Term(1 << 40))
        switch (self, message.kind) {
        case (.votesForAnyLog, .voteRequest):
            heard.kind = .voteRequest(last: flattering, isTransfer: false)
        case (.votesForAnyLog, .preVoteRequest):
            heard.kind = .preVoteRequest(last: flattering)
        case (.confirmsAnyRound, .appendAccepted(let match, _, let session)):
            let round = receiver.leaderReads.startedRound
            heard.kind = .appendAccepted(match: match, readRound: round, session: session)
        default:
            break
        }
        return heard
    }

    /// Whatever the log holds behind the last entry of an AppendEntries is cut.
    @Sendable private func shortened(by message: RaftMessage, _ disk: RestoredState) -> RestoredState? {
        guard case .appendEntries(let append) = message.kind, let last = disk.entries.last,
            last.index > append.lastIndex, append.lastIndex >= disk.snapshot?.last.index ?? .zero
        else { return nil }
        var shorter = disk
        shorter.entries.removeAll { $0.index > append.lastIndex }
        return shorter
    }
}

extension Electorate {
    /// The same, but blind for one half.
    func without(_ half: VotingHalves) -> Electorate {
        Electorate(voters: voters, outgoing: half == .outgoing ? 0 : outgoing, own: own.subtracting(half))
    }

    /// The same, but with a vote of its own.
    func including(_ half: VotingHalves) -> Electorate {
        Electorate(voters: voters, outgoing: outgoing, own: own.union(half))
    }
}
