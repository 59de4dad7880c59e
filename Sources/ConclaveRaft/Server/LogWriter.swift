// The disk actor: makes outputs durable in order, as many at a time as have queued up.

import Conclave
import ConclaveNet
import RaftCore
import RaftLog

/// What one output wants written, and what may go out once it is.
struct LogWrite: Sendable {
    var hardState: HardState?
    var entries: [Entry]
    var ticket: PersistTicket?
    var messages: [RaftMessage]
    /// Who hears that it is durable.
    var consensus: ActorRef<ConsensusMessage>
}

/// Owns the write-ahead log, on a thread of its own because a sync blocks.
///
/// Group commit without timers: everything that queued up during one sync is the next batch. A sync that fails ends this actor,
/// and with it the server: what is on the disk is unknown then, so nothing may be acknowledged (rule P32).
struct LogWriter: Behavior {
    typealias Message = LogWrite

    private let log: WriteAheadLog
    private let outbox: Outbox
    private var consensus: ActorRef<ConsensusMessage>?
    private var ticket: PersistTicket?
    private var messages: [RaftMessage] = []
    private var writes = 0

    init(_ log: WriteAheadLog, outbox: Outbox) {
        self.log = log
        self.outbox = outbox
    }

    mutating func receive(_ message: consuming LogWrite, _ context: borrowing Context<LogWrite>) throws {
        try log.append(hardState: message.hardState, entries: message.entries)
        if let ticket = message.ticket { self.ticket = ticket }
        messages += message.messages
        consensus = message.consensus
        writes += 1
    }

    mutating func batchEnded(_ context: borrowing Context<LogWrite>) throws {
        guard writes > 0 else { return }
        if ticket != nil { try log.sync() }
        for message in messages { outbox.send(message) }
        consensus?.send(.persisted(ticket, writes: writes))
        ticket = nil
        messages.removeAll(keepingCapacity: true)
        writes = 0
    }

    mutating func stopping(_ reason: ExitReason, _ context: borrowing Context<LogWrite>) { log.close() }
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
