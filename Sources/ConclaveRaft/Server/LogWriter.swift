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
    /// An operator wants a snapshot now, whatever the policy says.
    case snapshotWanted(AdminCompletion)
    /// The file of this snapshot can no longer be read.
    case snapshotDamaged(LogPosition)
    /// There may be space on the disk again.
    case lookForSpace
}

/// Owns the write-ahead log, on a thread of its own because a sync blocks.
///
/// Group commit without timers: everything that queued up during one sync is the next batch. A sync that fails ends this actor,
/// and with it the server: what is on the disk is unknown then, so nothing may be acknowledged (rule P32).
///
/// A full disk is no failure: nothing was handed to it, so what does not fit waits, unacknowledged, until there is space. A segment
/// is set aside in advance, so that the gauge tells of it while there is still room for deletions.
struct LogWriter: Behavior {
    typealias Message = LogWriterMessage

    /// How the log is kept from growing for ever.
    struct Snapshots {
        var policy: SnapshotPolicy
        var tail: LogTail
        var keeper: ActorRef<SnapshotMessage>
        var applier: ActorRef<ApplierMessage>
    }

    /// How often a full disk is looked at.
    private static let spaceInterval = Duration.milliseconds(250)

    private let log: WriteAheadLog
    private let outbox: Outbox
    private let snapshots: Snapshots
    private let status: StatusBoard
    private let gauge: DiskGauge
    private var consensus: ActorRef<ConsensusMessage>?
    private var ticket: PersistTicket?
    private var messages: [RaftMessage] = []
    private var writes = 0
    /// What waits for space, in order. Invariant: the first brings a leader's snapshot.
    private var postponed: [LogWrite] = []
    private var isLookingForSpace = false
    /// A snapshot is being written down, or waits to be adopted.
    private var isSnapshotUnderWay = false
    /// Operators who wait for the snapshot under way.
    private var snapshotWaiters: [AdminCompletion] = []
    /// Up to where the last snapshot for want of space was to reach: without new entries, another one frees nothing.
    private var sparingUpTo = LogIndex.zero

    init(_ log: WriteAheadLog, outbox: Outbox, snapshots: Snapshots, status: StatusBoard, gauge: DiskGauge) {
        self.log = log
        self.outbox = outbox
        self.snapshots = snapshots
        self.status = status
        self.gauge = gauge
    }

    mutating func started(_ context: borrowing Context<LogWriterMessage>) throws {
        publish()
        try provideSpace(context)
    }

    mutating func receive(_ message: consuming LogWriterMessage, _ context: borrowing Context<LogWriterMessage>) throws
    {
        switch consume message {
        case .write(let write): try append(write)
        case .adopt(let sealed, let metadata): try adopt(sealed, metadata)
        case .snapshotFailed: snapshotEnded(.failure(.refused(.snapshotFailed)))
        case .snapshotWanted(let completion):
            snapshotWaiters.append(completion)
            takeSnapshot(context)
        case .snapshotDamaged(let position): if log.snapshot?.position == position { takeSnapshot(context) }
        case .lookForSpace:
            isLookingForSpace = false
            try provideSpace(context)
        }
    }

    mutating func batchEnded(_ context: borrowing Context<LogWriterMessage>) throws {
        if !postponed.isEmpty { try appendPostponed() }
        guard postponed.isEmpty, try sync() else {
            gauge.setSpace(.none)
            return lookForSpaceLater(context)
        }
        guard writes > 0 else { return }
        for message in messages { outbox.send(message) }
        consensus?.send(.persisted(ticket, writes: writes))
        ticket = nil
        messages.removeAll(keepingCapacity: true)
        writes = 0
        // Nobody waits for what follows.
        publish()
        if gauge.space == .none || (log.wantsSpare && !isLookingForSpace) { try provideSpace(context) }
        if log.needsSnapshot(snapshots.policy, appliedUpTo: status.appliedIndex) { takeSnapshot(context) }
    }

    mutating func stopping(_ reason: ExitReason, _ context: borrowing Context<LogWriterMessage>) { log.close() }

    /// Whether everything that it was given is durable.
    var isCaughtUp: Bool { writes == 0 && postponed.isEmpty }

    // MARK: Appending

    private mutating func append(_ write: LogWrite) throws {
        guard postponed.isEmpty, try take(write) else {
            postponed.append(write)
            return
        }
        if let ticket = write.ticket { self.ticket = ticket }
        messages += write.messages
        consensus = write.consensus
        writes += 1
    }

    /// Hands a write to the log. False when it brings a snapshot whose record does not fit on the disk: then nothing was changed
    /// that doing it again would change once more.
    private func take(_ write: LogWrite) throws -> Bool {
        guard let snapshot = write.snapshot else {
            try log.append(hardState: write.hardState, entries: write.entries)
            return true
        }
        // What was appended before is durable before the log begins anew, and so is the term in which it does.
        try log.append(hardState: write.hardState)
        let fits = try unlessDiskIsFull { () throws(LogError) in
            if log.hasPending { try log.sync() }
            try log.adopt(snapshot, replacingLog: true)
        }
        guard fits else { return false }
        announce(snapshot.info)
        snapshots.applier.send(.restore(snapshot.info))
        try log.append(entries: write.entries)
        return true
    }

    private mutating func appendPostponed() throws {
        let waiting = postponed
        postponed = []
        for write in waiting { try append(write) }
    }

    /// False when what was appended does not fit on the disk.
    private func sync() throws -> Bool {
        guard ticket != nil else { return true }
        return try unlessDiskIsFull { () throws(LogError) in try log.sync() }
    }

    private func unlessDiskIsFull(_ body: () throws(LogError) -> Void) throws(LogError) -> Bool {
        do throws(LogError) {
            try body()
            return true
        } catch {
            guard case .diskFull = error else { throw error }
            return false
        }
    }

    // MARK: Snapshots

    private mutating func takeSnapshot(_ context: borrowing Context<LogWriterMessage>) {
        guard !isSnapshotUnderWay else { return }
        isSnapshotUnderWay = true
        snapshots.applier.send(.takeSnapshot(writer: context.myself))
    }

    private mutating func adopt(_ sealed: SealedSnapshot, _ metadata: SnapshotMetadata) throws {
        // One from a leader may have overtaken ours, or be about to. Where nothing was applied since the last one, that one is replaced:
        // its file may be damaged.
        guard sealed.info.position.index >= log.snapshot?.position.index ?? .zero,
            sealed.info.position.index > .zero, postponed.isEmpty
        else {
            log.discard(sealed)
            return snapshotEnded(.success(()))
        }
        let fits = try unlessDiskIsFull { () throws(LogError) in
            if log.hasPending { try log.sync() }
            try log.adopt(sealed, replacingLog: false)
        }
        guard fits else {
            log.discard(sealed)
            return snapshotEnded(.failure(.refused(.snapshotFailed)))
        }
        announce(sealed.info)
        consensus?.send(.snapshotTaken(metadata))
        try log.dropOldSegments(keeping: gauge.space == .ample ? snapshots.tail : .none)
        publish()
        snapshotEnded(.success(()))
    }

    private mutating func snapshotEnded(_ result: AdminResult) {
        isSnapshotUnderWay = false
        let waiters = snapshotWaiters
        snapshotWaiters = []
        for waiter in waiters { waiter.end(result) }
    }

    private func publish() {
        status.setLog(sizeBytes: log.sizeBytes, snapshot: log.snapshot?.position.index ?? .zero)
    }

    private func announce(_ info: SnapshotInfo) { snapshots.keeper.send(.adopted(info)) }

    // MARK: Space

    /// Sets a segment aside where there is none. When that is not possible, old ones are given up for a snapshot, and
    /// the disk is looked at again later.
    private mutating func provideSpace(_ context: borrowing Context<LogWriterMessage>) throws {
        try log.setSpareAside()
        gauge.setSpace(log.isLowOnSpace ? .low : .ample)
        guard log.isLowOnSpace else { return }
        lookForSpaceLater(context)
        let applied = status.appliedIndex
        guard log.segmentCount > 1, applied > max(sparingUpTo, log.snapshot?.position.index ?? .zero) else { return }
        sparingUpTo = applied
        takeSnapshot(context)
    }

    private mutating func lookForSpaceLater(_ context: borrowing Context<LogWriterMessage>) {
        guard !isLookingForSpace else { return }
        isLookingForSpace = true
        _ = context.after(Self.spaceInterval, send: .lookForSpace)
    }
}

/// Encodes messages and gives them to the transport. From any thread.
struct Outbox: Sendable {
    let transport: any Transport

    func send(_ message: RaftMessage) {
        transport.send(WireCodec.encode(.raft(message)), to: PeerID(message.to.rawValue))
    }

    func forward(_ proposal: ForwardedProposal, to leader: NodeID) {
        send(.proposal(proposal), to: leader)
    }

    func send(_ message: WireMessage, to server: NodeID) {
        transport.send(WireCodec.encode(message), to: PeerID(server.rawValue))
    }
}
