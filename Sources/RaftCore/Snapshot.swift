// What the core knows of snapshots. Their bytes are the shell's business.

/// What a snapshot stands for: the state machine after the entry at `last`, and the members at that moment.
package struct SnapshotMetadata: Hashable, Sendable {
    /// The last entry that went into it.
    package var last: LogPosition
    /// The configuration in force at `last` (rule P4).
    package var configuration: Configuration

    /// The description of a snapshot at `last`.
    package init(last: LogPosition, configuration: Configuration) {
        self.last = last
        self.configuration = configuration
    }
}

/// What a log keeps of the entries that a snapshot stands for, with which followers that are only a little behind catch up more
/// cheaply than with the snapshot: as many as both bounds allow.
package struct LogTail: Hashable, Sendable {
    /// So many entries up to the snapshot's position at most,
    package var entries: Int
    /// of so many bytes: of payload in memory, of whole segments on disk.
    package var bytes: Int

    /// Defaults for a server that has some memory to spare.
    package init(entries: Int = 50_000, bytes: Int = 64 << 20) {
        self.entries = entries
        self.bytes = bytes
    }

    /// Keeps nothing that can be spared.
    package static let none = LogTail(entries: 0, bytes: 0)
}

/// A piece of a snapshot on its way to a follower.
package struct SnapshotChunk: Hashable, Sendable {
    /// The snapshot it is a piece of.
    package var snapshot: SnapshotMetadata
    /// Where in the snapshot `bytes` begin.
    package var offset: UInt64
    /// The piece.
    package var bytes: [UInt8]
    /// Whether the snapshot ends here.
    package var isLast: Bool
    /// The leader's replication session with the receiver; echoed (rule P12).
    package var session: ReplicationSession

    /// The piece at `offset`.
    package init(
        snapshot: SnapshotMetadata,
        offset: UInt64,
        bytes: [UInt8],
        isLast: Bool,
        session: ReplicationSession
    ) {
        self.snapshot = snapshot
        self.offset = offset
        self.bytes = bytes
        self.isLast = isLast
        self.session = session
    }
}

/// An order to read a piece of a snapshot and send it.
package struct SnapshotChunkRequest: Hashable, Sendable {
    /// Who ordered it, as the leader of `term`.
    package let from: NodeID
    package let term: Term
    let session: ReplicationSession
    /// Who gets it.
    package let to: NodeID
    /// Which snapshot to read from. It has to stay readable, also when there are newer ones, as long as `RaftCore.snapshotsUnderWay` has it:
    /// a transfer goes on with the snapshot that it began with, or one that takes longer than the next snapshot would never end.
    package let snapshot: SnapshotMetadata
    /// Where to start.
    package let offset: UInt64
    /// How much to read at most.
    package let sizeBytes: Int

    /// The message to send once the bytes are read.
    package func message(bytes: [UInt8], isLast: Bool) -> RaftMessage {
        let chunk = SnapshotChunk(snapshot: snapshot, offset: offset, bytes: bytes, isLast: isLast, session: session)
        return RaftMessage(from: from, to: to, term: term, kind: .installSnapshot(chunk))
    }
}

/// A piece of a snapshot to be stored until the whole is there.
package struct ReceivedChunk: Hashable, Sendable {
    /// Who sent it, in which term.
    let from: NodeID
    let term: Term
    /// The piece. One at offset 0 begins anew: what was stored of any other transfer is void.
    package let chunk: SnapshotChunk
}

/// A snapshot that this follower is being sent.
struct SnapshotReceipt: Sendable {
    let leader: NodeID
    let term: Term
    let snapshot: SnapshotMetadata
    /// What the shell has stored. The next piece starts here.
    var stored: UInt64 = 0
    /// A piece is with the shell; its copies are dropped meanwhile.
    var isStoring = false
}
