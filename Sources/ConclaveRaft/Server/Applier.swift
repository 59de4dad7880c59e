// Runs the user's state machine over the committed entries.

import Conclave
import RaftCore
import RaftLog

/// Committed entries in order, and reads to be answered at an index.
enum ApplierMessage: Sendable {
    /// `completions` has one element for each entry: who waits for it on this server. `reportsTo` hears when all are applied; nil: nobody
    /// has to.
    case apply([Entry], completions: [Completion?], reportsTo: ActorRef<ConsensusMessage>?)
    /// Answer when `index` has been applied; fail at `deadline`, in ticks.
    case read([Completion], at: LogIndex, deadline: UInt64)
    /// Ticks of the server's clock.
    case expireReads(now: UInt64)
    /// Have a snapshot of the state written down and handed to the log.
    case takeSnapshot(writer: ActorRef<LogWriterMessage>)
    /// Have a hash of the state made as it is now.
    case hashState(StateHashCompletion)
    /// A leader's snapshot takes the place of the state: what follows waits for `restore`.
    case awaitRestore
    /// That snapshot is the server's now.
    case restore(SnapshotInfo)
}

/// What the applier starts from, or is set back to.
struct AppliedState<Machine: StateMachine> {
    var machine: Machine
    var sessions = SessionTable()
    var configuration: Configuration
    /// The last entry in it.
    var last = LogPosition.start
}

extension AppliedState {
    /// Reads the state of a snapshot into a machine that has applied nothing.
    /// - Throws: `LogError` for a damaged file, and what the machine throws.
    init(_ fresh: Machine, snapshot info: SnapshotInfo, from files: SnapshotFiles) throws {
        let reader = try files.read(info)
        var machine = fresh
        try machine.restoreSnapshot { take in try reader.readState(take) }
        guard let configuration = Configuration(decoding: try reader.configuration()) else {
            throw WireError.badConfiguration
        }
        let sessions = try SessionTable(decoding: try reader.sessions())
        self.init(machine: machine, sessions: sessions, configuration: configuration, last: info.position)
    }
}

/// Owns the state machine. Entries are applied exactly once for each start of the server, in order.
struct Applier<Machine: StateMachine>: Behavior {
    typealias Message = ApplierMessage

    private struct WaitingReads {
        var completions: [Completion]
        var index: LogIndex
        var deadline: UInt64
    }

    private let fresh: Machine
    private var state: AppliedState<Machine>
    private let files: SnapshotFiles
    private let snapshots: ActorRef<SnapshotMessage>
    private let status: StatusBoard
    private var waiting: [WaitingReads] = []
    /// Snapshots from leaders that are to come.
    private var restoresDue = 0
    /// What arrived since then, in order.
    private var postponed: [ApplierMessage] = []

    /// - Parameter fresh: a machine that has applied nothing, to restore later snapshots into.
    init(
        _ state: AppliedState<Machine>,
        fresh: Machine,
        files: SnapshotFiles,
        snapshots: ActorRef<SnapshotMessage>,
        status: StatusBoard
    ) {
        self.state = state
        self.fresh = fresh
        self.files = files
        self.snapshots = snapshots
        self.status = status
    }

    private var applied: LogIndex { state.last.index }

    mutating func started(_ context: borrowing Context<ApplierMessage>) { publish() }

    mutating func receive(_ message: consuming ApplierMessage, _ context: borrowing Context<ApplierMessage>) throws {
        if restoresDue > 0 { try receiveBeforeRestore(message, context) } else { try handle(message) }
    }

    private mutating func receiveBeforeRestore(
        _ message: consuming ApplierMessage,
        _ context: borrowing Context<ApplierMessage>
    ) throws {
        switch consume message {
        case .awaitRestore:
            restoresDue += 1
            // The state of the last one has all entries that came before, but not what they came to.
            postponed.removeAll { message in
                guard case .apply(_, let completions, _) = message else { return false }
                for completion in completions { completion?.fail(.unknown(.overtaken)) }
                return true
            }
        case .restore(let info): try restore(info, context)
        case let other: postponed.append(other)
        }
    }

    private mutating func handle(_ message: consuming ApplierMessage) throws {
        switch consume message {
        case .apply(let entries, let completions, let consensus):
            for (position, entry) in entries.enumerated() { try apply(entry, completions[position]) }
            try state.machine.batchEnded()
            status.setApplied(applied)
            consensus?.send(.applied)
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
        case .takeSnapshot(let writer): takeSnapshot(writer)
        case .hashState(let completion): hashState(completion)
        case .awaitRestore: restoresDue = 1
        case .restore(let info): preconditionFailure("a snapshot at \(info.position) that was not announced")
        }
    }

    // MARK: Snapshots

    /// Copies the state, which costs little, and goes on; the copy is written down elsewhere.
    private func takeSnapshot(_ writer: ActorRef<LogWriterMessage>) {
        let machine = state.machine
        let job = SnapshotJob(
            metadata: SnapshotMetadata(last: state.last, configuration: state.configuration),
            sessions: state.sessions.encoded(),
            writeState: { file in try machine.writeSnapshot { try file.write($0) } }
        )
        snapshots.send(.take(job, writer: writer))
    }

    /// As with a snapshot: the copy is hashed elsewhere.
    private func hashState(_ completion: StateHashCompletion) {
        let (machine, last) = (state.machine, state.last)
        snapshots.send(.run { completion.end(StateHash(last: last, hash: machine.contentHash)) })
    }

    /// - Throws: for a snapshot that cannot be read, although it was found sound when it arrived: the server starts again from its disk.
    private mutating func restore(_ info: SnapshotInfo, _ context: borrowing Context<ApplierMessage>) throws {
        restoresDue -= 1
        // If another one is to come already, this one's state would not be used.
        guard restoresDue == 0 else { return }
        state = try context.blocking { try AppliedState(fresh, snapshot: info, from: files) }
        publish()
        let messages = postponed
        postponed = []
        for message in messages { try handle(message) }
        if !waiting.isEmpty { answerWaiting() }
    }

    private func publish() {
        status.setApplied(applied)
        status.setLogTime(state.sessions.time)
    }

    // MARK: Entries

    private mutating func apply(_ entry: Entry, _ completion: Completion?) throws {
        precondition(entry.index == applied.next, "entry \(entry.index) was to be applied after \(applied)")
        switch entry.kind {
        case .noop: break
        case .configuration:
            guard let configuration = Configuration(decoding: entry.payload) else { throw WireError.badConfiguration }
            state.configuration = configuration
        case .command: try applyCommand(entry, completion)
        }
        state.last = LogPosition(index: entry.index, term: entry.term)
    }

    private mutating func applyCommand(_ entry: Entry, _ completion: Completion?) throws {
        let (header, commandStart) = try ProposalHeader.decode(entry.payload)
        let command = entry.payload[commandStart...]
        guard case .command = header.purpose else { return try applySession(header, command, entry.index, completion) }
        let response = try state.machine.apply(command, wantsResponse: completion != nil)
        if let completion { unsafeDowncast(completion, to: CommandCompletion<Machine>.self).succeed(response) }
    }

    /// Applies an entry that concerns a session.
    private mutating func applySession(
        _ header: ProposalHeader,
        _ command: ArraySlice<UInt8>,
        _ index: LogIndex,
        _ completion: Completion?
    ) throws {
        state.sessions.advance(to: header.stamp)
        status.setLogTime(state.sessions.time)
        switch header.purpose {
        case .command: preconditionFailure("a command without a session")
        case .registerSession:
            let session = state.sessions.register(at: index)
            if let completion { unsafeDowncast(completion, to: SessionCompletion.self).succeed(session) }
        case .keepSessionAlive(let session):
            let isAlive = state.sessions.keepAlive(session)
            guard let completion else { return }
            if isAlive {
                unsafeDowncast(completion, to: SessionCompletion.self).succeed(session)
            } else {
                completion.fail(.session(.unknownSession))
            }
        case .endSession(let session):
            state.sessions.end(session)
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
        switch state.sessions.admit(label) {
        case .answered(let answer): return .success(try Machine.decode(response: answer))
        case .refused(let refusal): return .failure(refusal)
        case .new:
            let response = try state.machine.apply(command, wantsResponse: true)
            state.sessions.record(Machine.encode(response), of: label)
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
            unsafeDowncast(completion, to: QueryCompletion<Machine>.self).answer(from: state.machine)
        }
    }
}
