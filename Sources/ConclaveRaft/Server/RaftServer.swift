// One server: the supervision tree around the core.

package import Conclave
package import ConclaveNet
package import RaftCore
import Synchronization
package import RaftLog

/// What a server needs to start.
package struct RaftServerConfiguration: Sendable {
    package var id: NodeID
    /// What the cluster began with, the same on each server that was there then; `unknown` on a server that is yet to be added. Of no
    /// consequence once something else is in the log.
    package var founders: Configuration
    /// What this server says of itself to the others, without an address where the transport finds everybody by number. Nil: nothing.
    package var own: MemberRecord?
    package var options = ConsensusOptions()
    /// Drives the randomised timeouts; differs from server to server and from start to start.
    package var seed: UInt64
    /// Drawn at random at each start of the process.
    package var process: UInt64
    /// Called when the role or the leader changes: short, and never blocking.
    package var onEvent: @Sendable (RaftEvent) -> Void = { _ in }
    /// Called when this server's part in the cluster changes, and at first: short, and never blocking.
    package var onStanding: @Sendable (MemberStanding) -> Void = { _ in }

    package init(id: NodeID, founders: Configuration, seed: UInt64, process: UInt64) {
        self.id = id
        self.founders = founders
        self.seed = seed
        self.process = process
    }

    /// A server of a cluster that began with these voters.
    package init(id: NodeID, voters: [NodeID], seed: UInt64, process: UInt64) {
        self.init(id: id, founders: Configuration(voters: voters), seed: seed, process: process)
    }
}

/// A running server of `Machine`.
///
/// Its actors, started in this order: snapshots, the applier, the log writer, consensus, the transport. If one but the last fails, the
/// server ends as a whole and has to be started again from its disk: an applier without its state, or a core that
/// forgot its vote, must not go on.
package struct RaftServer<Machine: StateMachine>: Sendable {
    private let consensus: ActorRef<ConsensusMessage>
    private let node: ActorRef<Never>
    private let writer: ActorRef<LogWriterMessage>
    private let applier: ActorRef<ApplierMessage>
    /// How the server stands, at any moment.
    package let status: StatusBoard
    /// How its disk does, at any moment.
    package let disk: DiskGauge
    /// Whether members are found by the addresses in their records, and not by number.
    package let usesAddresses: Bool

    private typealias Started = (ActorRef<ConsensusMessage>, ActorRef<LogWriterMessage>, ActorRef<ApplierMessage>)

    /// Starts a server below the root of `system`.
    ///
    /// - Parameters:
    ///   - log: opened, with what was recovered from it. The server owns it from now on.
    ///   - probe: what sees, and may alter, what the server's actors are told; nil in all but tests.
    ///   - onFailure: called once when the server ended because one of its actors failed.
    /// - Throws: what starting its actors throws; `RestoreError` and `LogError` for what is on the disk. Damage that another server can
    ///   repair is no error: the server starts in quarantine (rule P34).
    package init(
        _ configuration: RaftServerConfiguration,
        machine: Machine,
        log: sending WriteAheadLog,
        recovered: Recovered,
        transport: any Transport,
        in system: ActorSystem,
        probe: (any ServerProbe)? = nil,
        onFailure: @escaping @Sendable (ExitReason) -> Void
    ) throws {
        let members = configuration.founders
        let status = StatusBoard(RaftStatus(id: configuration.id, configuration: members))
        self.status = status
        let gauge = DiskGauge()
        disk = gauge
        usesAddresses = configuration.own?.peerAddress.isEmpty == false
        let files = log.snapshotFiles
        let state =
            if let snapshot = recovered.snapshot {
                try AppliedState(machine, snapshot: snapshot, from: files)
            } else {
                AppliedState(machine: machine, configuration: members)
            }
        var restored = RestoredState(
            hardState: recovered.hardState,
            snapshot: recovered.snapshot.map {
                SnapshotMetadata(last: $0.position, configuration: state.configuration)
            },
            entries: recovered.intactEntries,
            lost: recovered.lost
        )
        probe?.restores(&restored)
        try restored.check()
        let restoredCore = RaftCore(
            id: configuration.id,
            configuration: members,
            timing: configuration.options.timing,
            limits: configuration.options.limits,
            restored: restored,
            seed: configuration.seed
        )
        // Without any voters it has lost who is in its cluster, too: its leader knows it, and will be heard.
        let voters = restoredCore.configuration.voters + restoredCore.configuration.outgoing
        if restoredCore.isQuarantined, let corruption = recovered.corruptions.first, !voters.isEmpty,
            voters.allSatisfy({ $0 == configuration.id })
        {
            throw LogError.nobodyToRepairFrom(corruption)
        }
        let incarnations = KnownIncarnations(restoredCore.configuration)
        let core = Handover(restoredCore)
        let log = Handover(log)
        let options = configuration.options
        let started = Handover<Started>()
        let blocking = SpawnOptions(runsOn: .ownThread)
        // The first four share the node's fate, and it allows no restart of the fifth: see the type's comment.
        let node = try system.spawn("node", options: SpawnOptions(intensity: RestartIntensity(0, per: .seconds(1)))) {
            Supervisor { context in
                let outbox = Outbox(transport: transport)
                let keeper = try context.spawn("snapshots", options: blocking) {
                    SnapshotKeeper(files, current: recovered.snapshot, outbox: outbox)
                }
                let applier = try context.spawn("applier") {
                    Applier(state, fresh: machine, files: files, snapshots: keeper, status: status)
                }
                let snapshots = LogWriter.Snapshots(
                    policy: options.snapshotPolicy,
                    tail: options.logTail,
                    keeper: keeper,
                    applier: applier
                )
                let makeWriter = { @Sendable in
                    LogWriter(log.take(), outbox: outbox, snapshots: snapshots, status: status, gauge: gauge)
                }
                let writer =
                    if let probe {
                        try context.spawn("log", options: blocking) { ProbedLogWriter(makeWriter(), outbox, probe) }
                    } else {
                        try context.spawn("log", options: blocking, makeWriter)
                    }
                let makeConsensus = { @Sendable in
                    Consensus(
                        core: core.take(),
                        options: options,
                        process: configuration.process,
                        membership: Membership(
                            own: configuration.own,
                            told: members.records,
                            process: configuration.process,
                            patience: 2 * UInt64(options.timing.electionTicks.upperBound),
                            outbox: outbox,
                            incarnations: incarnations
                        ),
                        outbox: outbox,
                        applier: applier,
                        writer: writer,
                        snapshots: keeper,
                        status: status,
                        onEvent: configuration.onEvent,
                        onStanding: configuration.onStanding
                    )
                }
                let consensus =
                    if let probe {
                        try context.spawn("consensus") { ProbedConsensus(makeConsensus(), probe) }
                    } else {
                        try context.spawn("consensus", makeConsensus)
                    }
                context.link(keeper)
                context.link(applier)
                context.link(writer)
                context.link(consensus)
                try transport.start(
                    under: context,
                    sink: ConsensusSink(consensus: consensus, id: configuration.id, incarnations: incarnations)
                )
                started.put((consensus, writer, applier))
            }
        }
        (consensus, writer, applier) = started.take()
        self.node = node
        system.onEvent { event in
            if case .restartIntensityExceeded("/node", let child) = event { onFailure(.failed(NodeGaveUp(on: child))) }
        }
        // Beside the actors: in a simulation no other thread may take part.
        Task(executorPreference: system.taskExecutor) {
            let reason = await node.terminated()
            if !reason.isNormal { onFailure(reason) }
        }
    }

    /// Waits until the server has ended, and says why.
    package func terminated() async -> ExitReason { await node.terminated() }

    /// Whether a command has to be refused because it takes space that this server's disk does not have.
    private func lacksSpace(for command: [UInt8]) -> Bool { disk.space != .ample && !Machine.freesSpace(command) }

    /// Proposes a command; `completion` hears its response or its failure, once. While this server's disk is full, commands
    /// that do not make space fail with `diskFull`.
    package func propose(_ command: [UInt8], _ completion: CommandCompletion<Machine>) {
        if lacksSpace(for: command) { return completion.fail(.diskFull) }
        consensus.send(.propose(.command, command, completion))
    }

    /// Proposes a command of a session: carried out once, however often and on whichever server it is tried.
    package func propose(_ label: SessionCommand, _ command: [UInt8], _ completion: CommandCompletion<Machine>) {
        if lacksSpace(for: command) { return completion.fail(.diskFull) }
        consensus.send(.propose(.sessionCommand(label), command, completion))
    }

    /// Registers a session; `completion` hears its id.
    package func registerSession(_ completion: SessionCompletion) {
        consensus.send(.propose(.registerSession, [], completion))
    }

    /// Tells that a session's client is alive.
    package func keepAlive(_ session: SessionID, _ completion: SessionCompletion) {
        consensus.send(.propose(.keepSessionAlive(session), [], completion))
    }

    /// Ends a session; its answers are forgotten.
    package func endSession(_ session: SessionID, _ completion: SessionCompletion) {
        consensus.send(.propose(.endSession(session), [], completion))
    }

    /// Asks the cluster for something about itself; the leader does it, whichever server is asked.
    package func administrate(_ command: AdminCommand, _ completion: AdminCompletion) {
        consensus.send(.membership(.asked(command, completion)))
    }

    /// Has this server write its state down, so that its log can be cut.
    package func takeSnapshot(_ completion: AdminCompletion) { writer.send(.snapshotWanted(completion)) }

    /// Hashes this server's own state as it is now.
    package func hashState(_ completion: StateHashCompletion) { applier.send(.hashState(completion)) }

    /// Answers a query linearizably.
    package func read(_ completion: QueryCompletion<Machine>) { consensus.send(.read(completion)) }
}

/// Why a server ended although none of its actors failed by itself.
private struct NodeGaveUp: Error, CustomStringConvertible {
    let child: String

    init(on child: String) { self.child = child }

    var description: String { "\(child) failed too often" }
}
