// The consensus actor: owns one RaftCore and carries out what it says.

import Conclave
import RaftCore
import RaftLog

/// Handles a whole mailbox batch, then carries out one output: what arrives together is written and sent together.
///
/// Does no input or output itself: the log writer, the links and the applier do.
struct Consensus: Behavior {
    typealias Message = ConsensusMessage

    var core: RaftCore
    /// How much of what waits is passed on again with each timer: a leader that hands over refuses all of it, time after time.
    private static let retriedBytes = 8 << 20
    /// After what time a damaged snapshot is replaced again, should that have come to nothing: as on a full disk, which each attempt
    /// fills.
    private static let replacementInterval = Duration.seconds(5)

    private let options: ConsensusOptions
    private let process: UInt64
    private let outbox: Outbox
    private let applier: ActorRef<ApplierMessage>
    private let writer: ActorRef<LogWriterMessage>
    private let snapshots: ActorRef<SnapshotMessage>
    let status: StatusBoard
    private let onEvent: @Sendable (RaftEvent) -> Void
    private let onStanding: @Sendable (MemberStanding) -> Void

    /// Nanoseconds of the actor's clock when it started.
    private var startedAt: UInt64 = 0
    /// Ticks since then, as of this batch.
    private var now: UInt64 = 0
    /// The first message of a batch has been received: `now` is right.
    private var isBatchOpen = false
    /// When the timer is due, in ticks; nil when it has fired.
    private var timer: (timer: Timer, dueAt: UInt64)?
    /// The log time when this server became leader, and its own clock at that moment, in ticks.
    private var leadership = (logTime: UInt64(0), since: UInt64(0))
    /// The last deadline of the queries that wait for the applier.
    private var applierDeadline: UInt64 = 0
    private var proposals = PendingProposals<Completion>()
    /// Queries that wait for a read index; one read of the core serves all that arrive in a batch.
    private var reads = PendingReads<Completion>()
    /// Writes handed to the log writer that are not durable yet.
    private var openWrites = 0
    /// Leaders' snapshots that have arrived as a whole in this batch: the one to be installed goes to the log, others are removed.
    private var received: [SealedSnapshot] = []
    /// Where the snapshots end that the keeper has open for peers.
    private var sentSnapshots: Set<LogPosition> = []
    /// Before this tick no damaged snapshot is replaced.
    private var replacementDueAt: UInt64 = 0
    private var membership: Membership
    private var standing: MemberStanding?

    init(
        core: RaftCore,
        options: ConsensusOptions,
        process: UInt64,
        membership: Membership,
        outbox: Outbox,
        applier: ActorRef<ApplierMessage>,
        writer: ActorRef<LogWriterMessage>,
        snapshots: ActorRef<SnapshotMessage>,
        status: StatusBoard,
        onEvent: @escaping @Sendable (RaftEvent) -> Void,
        onStanding: @escaping @Sendable (MemberStanding) -> Void
    ) {
        self.core = core
        self.options = options
        self.process = process
        self.membership = membership
        self.outbox = outbox
        self.applier = applier
        self.writer = writer
        self.snapshots = snapshots
        self.status = status
        self.onEvent = onEvent
        self.onStanding = onStanding
    }

    mutating func started(_ context: borrowing Context<ConsensusMessage>) {
        startedAt = context.now
        membership.follow(core)
        publishStatus()
        setTimer(context)
    }

    mutating func receive(_ message: consuming ConsensusMessage, _ context: borrowing Context<ConsensusMessage>) {
        if !isBatchOpen || grantsLeases { lookAtClock(context) }
        switch consume message {
        case .peer(let message):
            membership.answerStranger(message, core)
            core.step(message)
        case .forwarded(let proposal, let peer): accept(proposal, from: peer)
        case .refused(let refused): wasRefused(refused)
        case .propose(let purpose, let command, let completion): propose(purpose, command, completion)
        case .read(let completion): read(completion)
        case .persisted(let ticket, let writes):
            openWrites -= writes
            if let ticket { core.persisted(ticket) }
        // What was applied is looked up at the end of the batch.
        case .applied: break
        case .snapshotTaken(let snapshot): core.snapshotTaken(snapshot, keeping: options.logTail)
        case .chunkStored(let chunk, let sealed):
            if let sealed { received.append(sealed) }
            core.chunkStored(chunk)
        case .chunkRefused(let chunk): core.chunkRefused(chunk)
        case .snapshotUnreadable(let request, let damage):
            core.snapshotUnreadable(request)
            if let damage { replaceSnapshot(request.snapshot.last, damage) }
        case .linkDown(let peer, let hasMoved):
            // A leader that is found elsewhere has not gone: its followers have no reason to stand for election.
            if !hasMoved || core.role == .leader { core.peerDisconnected(peer) }
            membership.linkDown(peer, hasMoved: hasMoved, core)
        case .membership(let message): membership.receive(message, &core, deadline: deadline)
        case .timerFired: checkTimeouts()
        }
    }

    mutating func batchEnded(_ context: borrowing Context<ConsensusMessage>) {
        if reads.hasArrivals { core.read(reads.start(deadline: deadline)) }
        core.applied(status.appliedIndex)
        repeat {
            while core.hasOutput { carryOut(core.takeOutput(), context) }
            if !membership.isIdle { membership.proceed(&core) }
        } while core.hasOutput
        for sealed in received { snapshots.send(.discard(sealed)) }
        received.removeAll()
        setTimer(context)
        isBatchOpen = false
    }

    mutating func stopping(_ reason: ExitReason, _ context: borrowing Context<ConsensusMessage>) {
        fail(reads.takeAll())
        for (completion, mayBeDone) in proposals.expire(at: .max) {
            completion.fail(mayBeDone ? .serverStopped : .noLeader)
        }
    }

    // MARK: Time

    /// Whether leaders may answer reads from their lease. Then time is looked at for each message and not once for each batch: what a
    /// follower promises counts from when it was told so, or later, however long the process was paused within the batch (rule P24).
    private var grantsLeases: Bool { options.timing.leaseDriftPercent != nil }

    /// Tells the core how much time has passed, at the latest before anything else of a batch.
    private mutating func lookAtClock(_ context: borrowing Context<ConsensusMessage>) {
        isBatchOpen = true
        let ticks = (context.now - startedAt) / options.tick.nanoseconds
        guard ticks > now else { return }
        core.timePassed(ticks: ticks - now)
        now = ticks
    }

    private mutating func checkTimeouts() {
        timer = nil
        core.checkTimeouts()
        for (completion, mayBeDone) in proposals.expire(at: now) { completion.fail(mayBeDone ? .timeout : .noLeader) }
        // A leader that goes on leading after all, as after a transfer that came to nothing, does not tell followers.
        if core.role != .leader, core.leader != nil {
            for sequence in proposals.waiting(upToBytes: Self.retriedBytes) { submit(sequence) }
        }
        // A leader that hears a quorum, but cannot commit the first entry of its term, answers no read and fails none.
        fail(reads.expire(at: now))
        if applierDeadline > 0 {
            applier.send(.expireReads(now: now))
            if applierDeadline <= now { applierDeadline = 0 }
        }
        membership.timePassed(&core, now: now)
        if !sentSnapshots.isEmpty { endSending() }
        publishStatus()
    }

    /// Gives up the snapshots that nobody needs any more.
    private mutating func endSending() {
        let underWay = core.snapshotsUnderWay
        for position in sentSnapshots where !underWay.contains(position) { snapshots.send(.sendingEnded(position)) }
        sentSnapshots.formIntersection(underWay)
    }

    /// What the file was made of is there, and more: the applied state.
    private mutating func replaceSnapshot(_ position: LogPosition, _ damage: String) {
        guard now >= replacementDueAt else { return }
        replacementDueAt = now + Self.replacementInterval.nanoseconds / options.tick.nanoseconds
        writer.send(.snapshotDamaged(position))
        announce(.snapshotDamaged(index: position.index, reason: damage))
    }

    /// Sets the timer, unless it fires soon enough: an idle server wakes for heartbeats and elections only.
    private mutating func setTimer(_ context: borrowing Context<ConsensusMessage>) {
        let clientsWait = proposals.count > 0 || reads.count > 0 || applierDeadline > 0 || !membership.isIdle
        let ticks = min(core.ticksUntilTimeout, clientsWait ? UInt64(options.timing.heartbeatTicks) : .max)
        let dueAt = now + ticks
        if let timer {
            if timer.dueAt <= dueAt { return }
            context.cancel(timer.timer)
        }
        let due = startedAt + dueAt * options.tick.nanoseconds
        let nanoseconds = context.now
        let delay = Duration.nanoseconds(Int64(clamping: due > nanoseconds ? due - nanoseconds : 0))
        timer = (context.after(delay, send: .timerFired), dueAt)
    }

    private var deadline: UInt64 { now + options.requestTimeout.nanoseconds / options.tick.nanoseconds }

    // MARK: Commands

    private mutating func propose(_ purpose: ProposalPurpose, _ command: [UInt8], _ completion: Completion) {
        guard core.leader != nil else { return completion.fail(.noLeader) }
        guard command.count <= WriteAheadLog.maximumPayloadBytes - ProposalHeader.maximumSizeBytes else {
            return completion.fail(.tooLarge)
        }
        guard proposals.count < options.pendingProposals, !hasTooMuchUncommitted,
            proposals.count == 0 || proposals.payloadBytes + command.count <= options.pendingBytes
        else { return completion.fail(.overloaded) }
        let sequence = proposals.nextSequence
        let id = ProposalID(process: process, sequence: sequence)
        let payload = ProposalHeader(id: id, purpose: purpose).payload(command)
        proposals.add(.init(payload: payload, completion: completion, term: nil, deadline: deadline))
        submit(sequence)
    }

    /// Puts a command into the log, or on its way to the leader. Without a leader it waits.
    private mutating func submit(_ sequence: UInt64) {
        guard var payload = proposals.payload(sequence) else { return }
        if core.role == .leader { ProposalHeader.stamp(&payload, logTime) }
        switch core.propose(payload) {
        case .appended(_, let term): proposals.setTerm(sequence, term)
        case .notLeader(let leader?) where leader != core.id:
            proposals.setTerm(sequence, core.term)
            outbox.forward(ForwardedProposal(term: core.term, payload: payload), to: leader)
        case .notLeader, .refused(.transferring): proposals.setTerm(sequence, nil)
        case .refused(.tooMuchUncommitted), .refused(.tooMuchUnapplied): proposals.complete(sequence)?.fail(.overloaded)
        }
    }

    private mutating func accept(_ proposal: consuming ForwardedProposal, from peer: NodeID) {
        guard core.role == .leader, proposal.term == core.term else { return refuse(proposal, .notLeading, from: peer) }
        guard !hasTooMuchUncommitted else { return refuse(proposal, .overloaded, from: peer) }
        ProposalHeader.stamp(&proposal.payload, logTime)
        switch core.propose(proposal.payload) {
        case .appended(let index, _): core.awaitCommit(of: index, for: peer)
        case .notLeader, .refused(.transferring): refuse(proposal, .notLeading, from: peer)
        case .refused(.tooMuchUncommitted), .refused(.tooMuchUnapplied): refuse(proposal, .overloaded, from: peer)
        }
    }

    private func refuse(_ proposal: ForwardedProposal, _ reason: RefusedProposal.Reason, from peer: NodeID) {
        guard let id = ProposalHeader.id(of: proposal.payload) else { return }
        outbox.send(.proposalRefused(RefusedProposal(id: id, term: proposal.term, reason: reason)), to: peer)
    }

    /// A command is definitely not done so far. If another leader may take it, it waits for that one.
    private mutating func wasRefused(_ refused: RefusedProposal) {
        guard refused.id.process == process, proposals.isProposed(refused.id.sequence, in: refused.term) else { return }
        switch refused.reason {
        case .overloaded: proposals.complete(refused.id.sequence)?.fail(.overloaded)
        case .notLeading:
            proposals.setTerm(refused.id.sequence, nil)
            if core.leader != nil, core.term > refused.term { submit(refused.id.sequence) }
        }
    }

    /// The time a leader stamps into entries: it goes on from where the log's time stood when it was elected, at the pace of the
    /// leader's own monotonic clock (as LogCabin's cluster time). No clock of the day is involved (rule P40).
    private var logTime: UInt64 { leadership.logTime + (now - leadership.since) * options.tick.nanoseconds }

    private var hasTooMuchUncommitted: Bool {
        core.role == .leader && core.lastIndex - core.commitIndex >= options.uncommittedEntries
    }

    // MARK: Queries

    private mutating func read(_ completion: Completion) {
        guard reads.count < options.pendingReads else { return completion.fail(.overloaded) }
        reads.add(completion)
    }

    /// Has the applier answer, as soon as it has come to the read's index.
    ///
    /// Under a lease the clock is looked at once more, now that the index is known: in between the process may have been paused, and
    /// another leader elected. From here on it does not matter how long anything takes: the index was high enough at a moment
    /// after the question, which is all that a linearizable answer needs.
    private mutating func answer(_ read: ReadyRead, _ context: borrowing Context<ConsensusMessage>) {
        if let end = read.validUntil {
            lookAtClock(context)
            guard now < end else { return core.read(read.id) }
        }
        guard let waiting = reads.take(read.id) else { return }
        applierDeadline = max(applierDeadline, waiting.deadline)
        applier.send(.read(waiting.completions, at: read.index, deadline: waiting.deadline))
    }

    private func fail(_ completions: [Completion]) { for completion in completions { completion.fail(.noLeader) } }

    // MARK: Obligations

    private mutating func carryOut(_ output: RaftOutput, _ context: borrowing Context<ConsensusMessage>) {
        let myself = context.myself
        for message in output.messages { outbox.send(message) }
        if output.snapshotToInstall != nil { beginInstall() }
        write(output, myself)
        if !output.committed.isEmpty { apply(output.committed, myself) }
        for read in output.readsReady { answer(read, context) }
        for id in output.readsFailed { if let waiting = reads.take(id) { fail(waiting.completions) } }
        for request in output.chunksToSend {
            sentSnapshots.insert(request.snapshot.last)
            snapshots.send(.send(request, consensus: myself))
        }
        for chunk in output.chunksToStore { snapshots.send(.store(chunk, consensus: myself)) }
        for event in output.events { announce(event) }
    }

    private mutating func write(_ output: RaftOutput, _ myself: ActorRef<ConsensusMessage>) {
        if output.ticket == nil, output.snapshotToInstall == nil {
            if output.messagesAfterPersist.isEmpty { return }
            if openWrites == 0 {
                // All earlier outputs are durable already.
                for message in output.messagesAfterPersist { outbox.send(message) }
                return
            }
        }
        openWrites += 1
        let write = LogWrite(
            hardState: output.hardState,
            snapshot: output.snapshotToInstall.map { takeReceived($0.last) },
            entries: output.entriesToAppend,
            ticket: output.ticket,
            messages: output.messagesAfterPersist,
            consensus: myself
        )
        writer.send(.write(write))
    }

    /// A leader's snapshot takes the place of log and state. Whether it holds commands that our clients wait for is not to be seen.
    private mutating func beginInstall() {
        applier.send(.awaitRestore)
        for completion in proposals.abandonSubmitted() { completion.fail(.unknown(.overtaken)) }
    }

    private mutating func takeReceived(_ position: LogPosition) -> SealedSnapshot {
        guard let place = received.firstIndex(where: { $0.info.position == position }) else {
            preconditionFailure("a snapshot is installed that has not arrived: \(position)")
        }
        return received.remove(at: place)
    }

    private mutating func apply(_ entries: [Entry], _ myself: ActorRef<ConsensusMessage>) {
        var completions: [Completion?] = []
        completions.reserveCapacity(entries.count)
        for entry in entries { completions.append(completion(of: entry)) }
        let lastTerm = entries[entries.count - 1].term
        // Mostly nobody has to be woken: what is applied is looked up with the next batch.
        let reportsTo = core.isHalfUnapplied ? myself : nil
        applier.send(.apply(entries, completions: completions, reportsTo: reportsTo))
        for sequence in proposals.lostCommands(committed: lastTerm) { submit(sequence) }
    }

    private mutating func completion(of entry: Entry) -> Completion? {
        guard entry.kind == .command, let id = ProposalHeader.id(of: entry.payload), id.process == process else {
            return nil
        }
        return proposals.complete(id.sequence)
    }

    private mutating func announce(_ event: RaftEvent) {
        if case .roleChanged(.leader, _) = event { leadership = (status.logTime, now) }
        publishStatus()
        onEvent(event)
        switch event {
        case .leaderChanged(let leader?, _):
            membership.leaderChanged(to: leader)
            for sequence in proposals.waiting() { submit(sequence) }
        case .transferAborted:
            membership.transferAborted()
            for sequence in proposals.waiting() { submit(sequence) }
        case .configurationChanged: membership.follow(core)
        case .leaderChanged(nil, _), .roleChanged, .diskStalled, .quarantineOver, .snapshotDamaged: break
        }
    }

    private mutating func publishStatus() {
        let standing = core.standing
        status.update { $0.follow(core, standing) }
        guard standing != self.standing else { return }
        self.standing = standing
        onStanding(standing)
    }
}
