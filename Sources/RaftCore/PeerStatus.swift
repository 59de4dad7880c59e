// What observers may know about replication.

/// What an operator sees of a peer.
package struct PeerStatus: Hashable, Sendable {
    package let id: NodeID
    /// How far the peer's durable log is known to agree.
    package let match: LogIndex
    /// What the leader sends next.
    package let next: LogIndex
    /// The leader's replication session with it.
    package let session: ReplicationSession
    /// Whether entries stream, or the leader still looks for where the logs part.
    package let isReplicating: Bool
    /// How much of a snapshot the peer has stored, while it is sent one.
    package let snapshotOffset: UInt64?
    /// Unacknowledged messages with entries.
    package let inflightMessages: Int
    /// Their payload bytes.
    package let inflightBytes: Int
    /// Ticks since the peer was last heard.
    package let silentTicks: Int
}
