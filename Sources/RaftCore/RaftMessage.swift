// What servers say to each other.

/// The index and term of one log entry: enough to tell whether two logs agree up to there (log matching, Raft §5.3).
///
/// Ordered as §5.4.1 orders logs by their last entry: by term first, then by index. "At least as up to date" is `>=`.
package struct LogPosition: Hashable, Comparable, Sendable {
    /// Where the entry is; zero in front of the first entry.
    package var index: LogIndex
    /// The term in which a leader made the entry; zero in front of the first entry.
    package var term: Term

    /// The position of the entry at `index`, made in `term`.
    package init(index: LogIndex, term: Term) {
        self.index = index
        self.term = term
    }

    /// The position in front of the first entry.
    package static let start = LogPosition(index: .zero, term: .zero)

    /// Which of two logs is more up to date, judged by their last entries (Raft §5.4.1).
    package static func < (a: Self, b: Self) -> Bool { (a.term, a.index) < (b.term, b.index) }
}

/// One message between two servers. Messages may be lost, repeated, delayed and reordered; none of that is unsafe.
package struct RaftMessage: Hashable, Sendable {
    package var from: NodeID
    package var to: NodeID
    /// The sender's current term, in pre-votes too.
    ///
    /// etcd puts the term that *would* follow into its pre-votes and so has to special-case them on both sides. With the
    /// real term here, one rule holds for all kinds: a higher term is news, except in a pre-vote request.
    package var term: Term
    package var kind: Kind

    /// A message of `kind`, said by `from` in its `term`.
    package init(from: NodeID, to: NodeID, term: Term, kind: Kind) {
        self.from = from
        self.to = to
        self.term = term
        self.kind = kind
    }

    /// What is asked or answered.
    package enum Kind: Hashable, Sendable {
        /// "Would you vote for me in the next term?" Changes nothing at the receiver (dissertation §9.6).
        case preVoteRequest(last: LogPosition)
        /// `campaignTerm` is the term of the request, so that an answer to an earlier campaign is not counted.
        case preVoteResponse(granted: Bool, campaignTerm: Term)
        /// RequestVote (Raft §5.2). A leader that hands over asked for it if `isTransfer`: then it is no reason to refuse that
        /// the leader is alive (dissertation §3.10).
        case voteRequest(last: LogPosition, isTransfer: Bool)
        case voteResponse(granted: Bool)
        /// Entries, or a heartbeat when there are none (Raft §5.3).
        case appendEntries(AppendEntries)
        /// The sender's durable log agrees with the leader's up to and including `match`. `readRound` and `session` are echoed.
        case appendAccepted(match: LogIndex, readRound: ReadRound, session: ReplicationSession)
        /// The sender's log has no entry with the previous position of the request, whose index is echoed. `hint` is the
        /// last position at which the two logs may agree (dissertation §10.2.2 and etcd's `findConflictByTerm`).
        case appendRejected(
            previousIndex: LogIndex,
            hint: LogPosition,
            readRound: ReadRound,
            session: ReplicationSession
        )
        /// The sender's disk lost its entries from here on, also acknowledged ones: they are to be sent again (rule P34).
        case entriesLost(from: LogIndex, session: ReplicationSession)
        /// A piece of a snapshot (Raft §7).
        case installSnapshot(SnapshotChunk)
        /// The sender stored the piece at `offset` of the snapshot at `last`, or refused it; the next piece is to start at `nextOffset`.
        case snapshotStored(last: LogPosition, offset: UInt64, nextOffset: UInt64, session: ReplicationSession)
        /// A leader that hands over: the receiver, whose log is complete, is to stand for election at once (dissertation §3.10).
        case timeoutNow
        /// An AppendEntries came from a leader whose term has passed. Its only news is the term of this message (rule P17).
        ///
        /// Not a rejection that echoes the read round: the old leader may lead again in the term it is told of,
        /// and would take a round of its old term for confirmed in its new one: a stale read (rule P22).
        case termPassed
        /// A follower wants to serve linearizable reads (dissertation §6.4).
        case readIndexRequest(ReadTicket)
        /// `index` is what the follower must have applied before it reads; nil: refused, the receiver does not lead.
        case readIndexResponse(ReadTicket, index: LogIndex?)
    }
}

/// The argument of AppendEntries (Raft, figure 2). The leader's id and term are in the message around it.
package struct AppendEntries: Hashable, Sendable {
    /// The position right before the first of `entries`.
    package var previous: LogPosition
    /// Consecutive entries, the first at `previous.index + 1`; empty in a heartbeat.
    package var entries: [Entry]
    /// The leader's commit index. Says nothing about entries beyond the last one of this message (rule P6).
    package var leaderCommit: LogIndex
    /// The youngest round of read confirmation; whoever answers this message confirms it and all before.
    package var readRound: ReadRound
    /// The leader's replication session with the receiver; echoed (rule P12).
    package var session: ReplicationSession

    /// The entries right after `previous`, with the leader's commit index, read round and session.
    package init(
        previous: LogPosition,
        entries: [Entry],
        leaderCommit: LogIndex,
        readRound: ReadRound,
        session: ReplicationSession
    ) {
        self.previous = previous
        self.entries = entries
        self.leaderCommit = leaderCommit
        self.readRound = readRound
        self.session = session
    }

    /// The last index this message speaks about.
    package var lastIndex: LogIndex { previous.index + entries.count }
}
