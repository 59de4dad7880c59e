// What a core can be told, for whoever watches or meddles.

/// One input of a core, as far as a watcher tells them apart.
package enum CoreInput: Sendable {
    /// `RaftCore.step(_:)`.
    case message(RaftMessage)
    /// `RaftCore.persisted(_:)`.
    case persisted(PersistTicket)
    /// A change of membership is asked for.
    case change
    /// Time, a client, the snapshots, the end of a batch.
    case other
}
