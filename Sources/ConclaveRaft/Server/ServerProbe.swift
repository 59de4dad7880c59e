// What stands between the parts of a server in a test: it sees what passes, and may plant a bug.

package import RaftCore
import Conclave
import RaftLog

/// Sees what the actors of one server are told, and may alter it.
///
/// A server has one only where whoever starts it brings one, as the simulation does: then its consensus and its log writer run
/// inside the two actors below. A server without a probe runs no line of this file.
package protocol ServerProbe: Sendable {
    /// The run is over: the actors are told nothing any more.
    var isOver: Bool { get }
    /// The server is about to start from this.
    func restores(_ state: inout RestoredState)
    /// Its core runs.
    func started(_ core: RaftCore)
    /// A peer's message is about to be handed to the core. Returns what the core hears; nil: nothing.
    func hears(_ message: RaftMessage, _ core: RaftCore) -> RaftMessage?
    /// The core is about to take an input.
    func willTake(_ input: CoreInput, _ core: inout RaftCore)
    /// The core has taken an input; the state machine has applied so much.
    func hasTaken(_ input: CoreInput, _ core: inout RaftCore, applied: LogIndex)
    /// The log writer is told to write; `snapshot` takes the place of the whole log, before `entries`.
    func writes(_ hardState: HardState?, snapshot: LogPosition?, _ entries: [Entry])
    /// All that it was told to write is durable.
    func hasWritten()
    /// Whether a message leaves although what it promises is not durable.
    func leavesEarly(_ message: RaftMessage) -> Bool
    /// Whether writes are taken for durable when they are issued.
    var completesAtOnce: Bool { get }
}

/// The consensus actor of a server with a probe.
struct ProbedConsensus: Behavior {
    typealias Message = ConsensusMessage

    private var inner: Consensus
    private let probe: any ServerProbe

    init(_ inner: Consensus, _ probe: any ServerProbe) {
        self.inner = inner
        self.probe = probe
    }

    mutating func started(_ context: borrowing Context<ConsensusMessage>) {
        inner.started(context)
        probe.started(inner.core)
    }

    mutating func receive(_ message: consuming ConsensusMessage, _ context: borrowing Context<ConsensusMessage>) {
        guard !probe.isOver else { return }
        switch consume message {
        case .peer(let message):
            guard let heard = probe.hears(message, inner.core) else { return }
            take(.peer(heard), as: .message(heard), context)
        case .persisted(let ticket?, let writes):
            take(.persisted(ticket, writes: writes), as: .persisted(ticket), context)
        case .membership(.asked(let command, let completion)):
            take(.membership(.asked(command, completion)), as: .change, context)
        case .membership(.passedOn(let command, let request, let peer)):
            take(.membership(.passedOn(command, request: request, from: peer)), as: .change, context)
        case let other: take(other, as: .other, context)
        }
    }

    private mutating func take(
        _ message: ConsensusMessage,
        as input: CoreInput,
        _ context: borrowing Context<ConsensusMessage>
    ) {
        probe.willTake(input, &inner.core)
        inner.receive(message, context)
        probe.hasTaken(input, &inner.core, applied: inner.status.appliedIndex)
    }

    mutating func batchEnded(_ context: borrowing Context<ConsensusMessage>) {
        guard !probe.isOver else { return }
        inner.batchEnded(context)
        probe.hasTaken(.other, &inner.core, applied: inner.status.appliedIndex)
    }

    mutating func stopping(_ reason: ExitReason, _ context: borrowing Context<ConsensusMessage>) {
        inner.stopping(reason, context)
    }
}

/// The log writer of a server with a probe.
struct ProbedLogWriter: Behavior {
    typealias Message = LogWriterMessage

    private var inner: LogWriter
    private let outbox: Outbox
    private let probe: any ServerProbe

    init(_ inner: LogWriter, _ outbox: Outbox, _ probe: any ServerProbe) {
        self.inner = inner
        self.outbox = outbox
        self.probe = probe
    }

    mutating func started(_ context: borrowing Context<LogWriterMessage>) throws { try inner.started(context) }

    mutating func receive(_ message: consuming LogWriterMessage, _ context: borrowing Context<LogWriterMessage>) throws
    {
        guard !probe.isOver else { return }
        guard case .write(var write) = message else { return try inner.receive(message, context) }
        probe.writes(write.hardState, snapshot: write.snapshot?.info.position, write.entries)
        for message in write.messages where probe.leavesEarly(message) { outbox.send(message) }
        if probe.completesAtOnce, let ticket = write.ticket { write.consensus.send(.persisted(ticket, writes: 0)) }
        write.messages.removeAll(where: probe.leavesEarly)
        try inner.receive(.write(write), context)
    }

    mutating func batchEnded(_ context: borrowing Context<LogWriterMessage>) throws {
        guard !probe.isOver else { return }
        try inner.batchEnded(context)
        if inner.isCaughtUp { probe.hasWritten() }
    }

    mutating func stopping(_ reason: ExitReason, _ context: borrowing Context<LogWriterMessage>) {
        inner.stopping(reason, context)
    }
}
