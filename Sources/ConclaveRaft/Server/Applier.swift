// Runs the user's state machine over the committed entries.

import Conclave
import RaftCore

/// Committed entries in order, and reads to be answered at an index.
enum ApplierMessage: Sendable {
    /// `completions` has one element for each entry: who waits for it on this server.
    case apply([Entry], completions: [Completion?])
    /// Answer when `index` has been applied; fail at `deadline`, in ticks.
    case read([Completion], at: LogIndex, deadline: UInt64)
    /// Ticks of the server's clock.
    case expireReads(now: UInt64)
}

/// Owns the state machine. Entries are applied exactly once for each start of the server, in order.
struct Applier<Machine: StateMachine>: Behavior {
    typealias Message = ApplierMessage

    private struct WaitingReads {
        var completions: [Completion]
        var index: LogIndex
        var deadline: UInt64
    }

    private var machine: Machine
    private let status: StatusBoard
    private var sessions = SessionTable()
    private var applied = LogIndex.zero
    private var waiting: [WaitingReads] = []

    init(_ machine: Machine, status: StatusBoard) {
        self.machine = machine
        self.status = status
    }

    mutating func receive(_ message: consuming ApplierMessage, _ context: borrowing Context<ApplierMessage>) throws {
        switch consume message {
        case .apply(let entries, let completions):
            for (position, entry) in entries.enumerated() { try apply(entry, completions[position]) }
            status.setApplied(applied)
            if !waiting.isEmpty { answerWaiting() }
        case .read(let completions, let index, let deadline):
            if index <= applied {
                answer(completions)
            } else {
                waiting.append(WaitingReads(completions: completions, index: index, deadline: deadline))
            }
        case .expireReads(let now):
            let expired = waiting.filter { $0.deadline <= now }
            waiting.removeAll { $0.deadline <= now }
            for reads in expired { for completion in reads.completions { completion.fail(.noLeader) } }
        }
    }

    private mutating func apply(_ entry: Entry, _ completion: Completion?) throws {
        precondition(entry.index == applied.next, "entry \(entry.index) was to be applied after \(applied)")
        switch entry.kind {
        case .noop, .configuration: break
        case .command: try applyCommand(entry, completion)
        }
        applied = entry.index
    }

    private mutating func applyCommand(_ entry: Entry, _ completion: Completion?) throws {
        let (header, commandStart) = try ProposalHeader.decode(entry.payload)
        let command = entry.payload[commandStart...]
        guard case .command = header.purpose else { return try applySession(header, command, entry.index, completion) }
        let response = try machine.apply(command, wantsResponse: completion != nil)
        if let completion { unsafeDowncast(completion, to: CommandCompletion<Machine>.self).succeed(response) }
    }

    /// Applies an entry that concerns a session.
    private mutating func applySession(
        _ header: ProposalHeader,
        _ command: ArraySlice<UInt8>,
        _ index: LogIndex,
        _ completion: Completion?
    ) throws {
        sessions.advance(to: header.stamp)
        status.setLogTime(sessions.time)
        switch header.purpose {
        case .command: preconditionFailure("a command without a session")
        case .registerSession:
            let session = sessions.register(at: index)
            if let completion { unsafeDowncast(completion, to: SessionCompletion.self).succeed(session) }
        case .keepSessionAlive(let session):
            let isAlive = sessions.keepAlive(session)
            guard let completion else { return }
            if isAlive {
                unsafeDowncast(completion, to: SessionCompletion.self).succeed(session)
            } else {
                completion.fail(.session(.unknownSession))
            }
        case .endSession(let session):
            sessions.end(session)
            if let completion { unsafeDowncast(completion, to: SessionCompletion.self).succeed(session) }
        case .sessionCommand(let label):
            let result = try applyOnce(label, command)
            guard let completion else { return }
            switch result {
            case .success(let response):
                unsafeDowncast(completion, to: CommandCompletion<Machine>.self).succeed(response)
            case .failure(let refusal): completion.fail(.session(refusal))
            }
        }
    }

    /// Carries a session's command out, unless it was before; then its answer is the one given then.
    private mutating func applyOnce(
        _ label: SessionCommand,
        _ command: ArraySlice<UInt8>
    ) throws -> Result<Machine.Response, SessionRefusal> {
        switch sessions.admit(label) {
        case .answered(let answer): return .success(try Machine.decode(response: answer))
        case .refused(let refusal): return .failure(refusal)
        case .new:
            let response = try machine.apply(command, wantsResponse: true)
            sessions.record(Machine.encode(response), of: label)
            return .success(response)
        }
    }

    private mutating func answerWaiting() {
        let applied = applied
        let ready = waiting.filter { $0.index <= applied }
        waiting.removeAll { $0.index <= applied }
        for reads in ready { answer(reads.completions) }
    }

    private func answer(_ completions: [Completion]) {
        for completion in completions {
            unsafeDowncast(completion, to: QueryCompletion<Machine>.self).answer(from: machine)
        }
    }
}
