// Bugs that real implementations had, made outside the core, to see the checker catch them.

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

    /// What the receiver hears instead.
    func distort(_ message: RaftMessage, for receiver: RaftCore) -> RaftMessage {
        var heard = message
        let flattering = LogPosition(index: LogIndex(1 << 40), term: Term(1 << 40))
        switch (self, message.kind) {
        case (.votesForAnyLog, .voteRequest):
            heard.kind = .voteRequest(last: flattering, isTransfer: false)
        case (.votesForAnyLog, .preVoteRequest):
            heard.kind = .preVoteRequest(last: flattering)
        case (.confirmsAnyRound, .appendAccepted(let match, _, let session)):
            heard.kind = .appendAccepted(
                match: match,
                readRound: receiver.leaderReads.startedRound,
                session: session
            )
        default:
            break
        }
        return heard
    }
}
