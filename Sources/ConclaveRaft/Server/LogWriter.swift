// The disk actor: makes outputs durable in order, as many at a time as have queued up.

import Conclave
import ConclaveNet
import RaftCore
import RaftLog

/// What one output wants written, and what may go out once it is.
struct LogWrite: Sendable {
    var hardState: HardState?
    /// Takes the place of the whole log, before `entries`.
    var snapshot: SealedSnapshot?
    var entries: [Entry]
    var ticket: PersistTicket?
    var messages: [RaftMessage]
    /// Who hears that it is durable.
    var consensus: ActorRef<ConsensusMessage>
}

/// What the disk actor is told.
enum LogWriterMessage: Sendable {
    case write(LogWrite)
    /// A snapshot of this server's own state is written down.
    case adopt(SealedSnapshot, SnapshotMetadata)
    /// It could not be written down; the next one is tried when the log has grown again.
    case snapshotFailed
}

/// Owns the write-ahead log, on a thread of its own because a sync blocks.
///
/// Group commit without timers: everything that queued up during one sync is the next batch. A sync that fails ends this actor,
/// and with it the server: what is on the disk is unknown then, so nothing may be acknowledged (rule P32).
struct LogWriter: Behavior {
    typealias Message = LogWriterMessage

    /// How the log is kept from growing for ever.
    struct Snapshots {
        var policy: SnapshotPolicy
        var tail: LogTail
        var keeper: ActorRef<SnapshotMessage>
        var applier: ActorRef<ApplierMessage>
    }

    private let log: WriteAheadLog
    private let outbox: Outbox
    private let snapshots: Snapshots
    private let status: StatusBoard
    private var consensus: ActorRef<ConsensusMessage>?
    private var ticket: PersistTicket?
    private var messages: [RaftMessage] = []
    private var writes = 0
    /// A snapshot is being written down, or waits to be adopted.
    private var isSnapshotUnderWay = false

    init(_ log: WriteAheadLog, outbox: Outbox, snapshots: Snapshots, status: StatusBoard) {
        self.log = log
        self.outbox = outbox
        self.snapshots = snapshots
        self.status = status
    }

    mutating func receive(_ message: consuming LogWriterMessage, _ context: borrowing Context<LogWriterMessage>) throws
    {
        switch consume message {
        case .write(let write): try append(write)
        case .adopt(let sealed, let metadata): try adopt(sealed, metadata)
        case .snapshotFailed: isSnapshotUnderWay = false
        }
    }

    mutating func batchEnded(_ context: borrowing Context<LogWriterMessage>) throws {
        guard writes > 0 else { return }
        if ticket != nil { try log.sync() }
        for message in messages { outbox.send(message) }
        consensus?.send(.persisted(ticket, writes: writes))
        ticket = nil
        messages.removeAll(keepingCapacity: true)
        writes = 0
        // Nobody waits for what follows.
        if log.wantsSpare { try log.setSpareAside() }
        if !isSnapshotUnderWay, log.needsSnapshot(snapshots.policy, appliedUpTo: status.appliedIndex) {
            isSnapshotUnderWay = true
            snapshots.applier.send(.takeSnapshot(writer: context.myself))
        }
    }

    mutating func stopping(_ reason: ExitReason, _ context: borrowing Context<LogWriterMessage>) { log.close() }

    private mutating func append(_ write: LogWrite) throws {
        if let snapshot = write.snapshot {
            // What was appended before is durable before the log begins anew, and so is the term in which it does.
            try log.append(hardState: write.hardState)
            if log.hasPending { try log.sync() }
            try log.adopt(snapshot, replacingLog: true)
            announce(snapshot.info)
            snapshots.applier.send(.restore(snapshot.info))
            try log.append(entries: write.entries)
        } else {
            try log.append(hardState: write.hardState, entries: write.entries)
        }
        if let ticket = write.ticket { self.ticket = ticket }
        messages += write.messages
        consensus = write.consensus
        writes += 1
    }

    private mutating func adopt(_ sealed: SealedSnapshot, _ metadata: SnapshotMetadata) throws {
        isSnapshotUnderWay = false
        // One from a leader may have overtaken ours.
        guard sealed.info.position.index > log.snapshot?.position.index ?? .zero else { return }
        do throws(LogError) {
            if log.hasPending { try log.sync() }
            try log.adopt(sealed, replacingLog: false)
        } catch {
            guard case .diskFull = error else { throw error }
            return
        }
        announce(sealed.info)
        consensus?.send(.snapshotTaken(metadata))
        try log.dropOldSegments(keeping: snapshots.tail)
    }

    private func announce(_ info: SnapshotInfo) { snapshots.keeper.send(.adopted(info)) }
}

/// Encodes messages and gives them to the transport. From any thread.
struct Outbox: Sendable {
    let transport: any Transport

    func send(_ message: RaftMessage) {
        transport.send(WireCodec.encode(.raft(message)), to: PeerID(message.to.rawValue))
    }

    func forward(_ proposal: ForwardedProposal, to leader: NodeID) {
        transport.send(WireCodec.encode(.proposal(proposal)), to: PeerID(leader.rawValue))
    }
}
