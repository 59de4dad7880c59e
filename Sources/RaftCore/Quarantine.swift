// A server that may have lost what it once acknowledged (rule P34).

/// The damage a server found in its own log when it started.
///
/// It must not campaign: its log looks shorter than it was. It must not deny either: that it does not hold an entry proves
/// nothing. So it votes only for whom it would have voted for with anything it can have lost, and is silent otherwise. A
/// leader sends it the lost entries again.
struct Quarantine: Sendable {
    /// What may be lost: entries up to here, of terms up to `term`.
    let lastLost: LogIndex
    /// The server's term when it found out.
    let term: Term

    /// The best log it can have had.
    var bound: LogPosition { LogPosition(index: lastLost, term: term) }

    /// Whether everything that can have been committed with this server's help is back.
    ///
    /// It is, when the log is durable as far as it once reached; or when an entry of a later term is committed, since the leader
    /// of that term had all that was ever committed before it (Raft §5.4.3) and this log agrees with it.
    func isOver(committed: LogPosition) -> Bool { committed.index >= lastLost || committed.term > term }
}
