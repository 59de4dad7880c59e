// What a server knows after a restart.

package import RaftCore

/// What was found when a log was opened.
package struct Recovered: Sendable {
    /// The identity in the files, with the incarnation drawn when they were created.
    package var identity: LogIdentity
    /// The latest durable hard state; term zero and no vote in a new log.
    package var hardState: HardState
    /// All entries, in order, the first with index 1.
    package var entries: [Entry]
    /// What was cut off the end, if anything.
    package var tornTail: TornTail?
}

/// A last batch that a crash cut short, so that it was never acknowledged.
///
/// A last batch that *was* acknowledged and got damaged later looks the same: nothing after it proves that its sync
/// returned. Recovery cuts both and reports it here; the other servers still hold the entries.
package struct TornTail: Hashable, Sendable, CustomStringConvertible {
    package var file: String
    package var offset: Int
    /// How far behind `offset` there was something other than zeros.
    package var lengthBytes: Int
    /// The entries of the cut batch, when its header is readable.
    package var entries: ClosedRange<LogIndex>?

    package var description: String {
        let what = entries.map { "entries \($0.lowerBound) to \($0.upperBound)" } ?? "an unreadable batch"
        return "cut \(what) off the end of \(file): \(lengthBytes) bytes at byte \(offset) were not written completely"
    }
}
