import RaftCore

extension AppendEntries {
    /// What a leader says whose log is empty.
    static let emptyHeartbeat = AppendEntries(
        previous: .start,
        entries: [],
        leaderCommit: .zero,
        readRound: .zero,
        session: .zero
    )
}
