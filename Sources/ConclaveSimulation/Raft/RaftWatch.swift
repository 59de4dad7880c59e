// Holds every step of a cluster against all that must hold, and lends each server its probe.

internal import Conclave
internal import ConclaveNet
internal import ConclaveRaft
internal import RaftCore
internal import RaftScenario
internal import Synchronization

/// All checkers of one run.
///
/// A step that changes nothing of what they look at costs one comparison.
final class RaftWatch: Sendable {
    /// All that the checkers look at of a server. Its entries too are the same as long as this is: the last one's position stands for
    /// the whole log (log matching, Raft §5.3).
    fileprivate struct Sight: Equatable {
        let role: RaftRole
        let hardState: HardState
        let commit: LogIndex
        let applied: LogIndex
        let persisted: LogIndex
        let logStart: LogPosition
        let last: LogPosition
        let snapshot: LogIndex
        let configuration: LogIndex
        let isQuarantined: Bool

        init(_ core: borrowing RaftCore, applied: LogIndex) {
            role = core.role
            hardState = core.hardState
            commit = core.commitIndex
            self.applied = applied
            persisted = core.persistedIndex
            logStart = core.logStart
            last = core.lastPosition
            snapshot = core.snapshotIndex
            configuration = core.configurationIndex
            isQuarantined = core.isQuarantined
        }
    }

    private struct Checkers {
        var elections = ElectionSafetyChecker()
        var logs = LogMatchingChecker()
        var committed = CommittedEntriesChecker()
        var leaders = LeaderCommitChecker()
        var disks = DurabilityChecker()
        var promises = PromiseChecker()
        var membership = MembershipChecker()
        var progress = ProgressChecker()
        var leases = LeaseChecker()
        var applied = StateMachineSafetyChecker()
        var effects = AtMostOnceChecker()
        var oracle = ClientOracle()
        var identities = IdentityChecker()
        /// What was wrong first: after that nothing is looked at any more.
        var complaint: String?
        /// The roles as of the last step, to see who was elected.
        var roles = NumberedTable<NodeID, RaftRole>()
        /// What was found in order of servers, unless something was heard of them since.
        var inOrder = NumberedTable<NodeID, Sight>()
    }

    private let checkers = Mutex(Checkers())
    private let onViolation: @Sendable (String) -> Void
    let meddling: Meddling

    /// - Parameters:
    ///   - meddling: bugs to plant in the servers.
    ///   - onViolation: hears the first complaint.
    init(meddling: Meddling, onViolation: @escaping @Sendable (String) -> Void) {
        self.meddling = meddling
        self.onViolation = onViolation
    }

    /// The probe of one start of a server.
    func probe(of id: NodeID) -> some ServerProbe { WatchedServer(id, self) }

    var isOver: Bool { checkers.withLock { $0.complaint != nil } }

    /// How many commands were applied, and how many elections were won.
    var counts: (commits: Int, elections: Int) {
        checkers.withLock { ($0.applied.count, $0.elections.electionCount) }
    }

    private func check(_ body: (inout Checkers) -> String?) {
        let complaint = checkers.withLock { checkers -> String? in
            guard checkers.complaint == nil else { return nil }
            checkers.complaint = body(&checkers)
            return checkers.complaint
        }
        if let complaint { onViolation(complaint) }
    }

    // MARK: Servers

    fileprivate func restored(_ state: RestoredState, by id: NodeID) {
        check { checkers in
            checkers.disks.restored(state, by: id)
            checkers.committed.restarted(id)
            checkers.leaders.restarted(id)
            checkers.progress.restarted(id)
            checkers.leases.restarted(id, state.hardState)
            checkers.roles[id] = .follower
            checkers.inOrder[id] = nil
            return nil
        }
    }

    fileprivate func started(_ core: RaftCore) {
        check { checkers in
            checkers.membership.restarted(core)
            checkers.identities.look(at: core)
            return checkers.promises.look(at: core) ?? checkers.committed.look(at: core)
        }
    }

    /// The server's process or machine ended.
    func ended(_ id: NodeID) {
        check { checkers in
            checkers.disks.ended(id)
            return nil
        }
    }

    /// The server's data is gone, and with it what it promised: from now on it is the others who must not count on that (rule P28).
    func wiped(_ id: NodeID) {
        check { checkers in
            checkers.promises.released(id)
            checkers.disks.wiped(id)
            checkers.identities.wiped(id)
            checkers.inOrder.removeAll()
            return nil
        }
    }

    /// A frame of one server was let in by another.
    fileprivate func heard(_ sender: NodeID, by receiver: NodeID) {
        check { $0.identities.heard(sender, by: receiver) }
    }

    fileprivate func look(at core: borrowing RaftCore, applied: LogIndex) {
        let sight = Sight(core, applied: applied)
        let id = core.id
        let isInOrder = checkers.withLock { $0.complaint != nil || $0.inOrder[id] == sight }
        if !isInOrder { look(at: copy core, sight) }
    }

    private func look(at core: RaftCore, _ sight: Sight) {
        check { checkers in
            checkers.inOrder[core.id] = sight
            if core.role != checkers.roles.updateValue(core.role, forKey: core.id), core.role == .leader {
                if let complaint = checkers.elections.elected(core.id, in: core.term)
                    ?? checkers.committed.elected(core)
                {
                    return complaint
                }
            }
            checkers.identities.look(at: core)
            return checkers.committed.look(at: core) ?? checkers.leaders.look(at: core)
                ?? checkers.disks.look(at: core) ?? checkers.promises.look(at: core)
                ?? checkers.membership.look(at: core) ?? checkers.progress.look(at: core, applied: sight.applied)
        }
    }

    /// Where leases are granted: what they promise.
    fileprivate func lookAtLease(of core: RaftCore, after input: CoreInput) {
        var isTransfer = false
        var isLeadersWord = false
        if case .message(let message) = input {
            switch message.kind {
            case .timeoutNow, .voteRequest(_, isTransfer: true): isTransfer = true
            case .appendEntries, .installSnapshot:
                isLeadersWord = message.term == core.term && message.from == core.leader
            default: break
            }
        }
        check { checkers in
            if isLeadersWord { checkers.leases.heard(core.id, at: core.now) }
            if core.role == .leader, core.holdsLease,
                let complaint = checkers.leases.holdsLease(
                    core.id,
                    in: core.term,
                    lastCommitIn: checkers.committed.lastCommitTerm
                )
            {
                return complaint
            }
            return checkers.leases.look(
                at: core.id,
                core.hardState,
                now: core.now,
                patience: UInt64(core.timing.electionTicks.lowerBound),
                isTransfer: isTransfer
            )
        }
    }

    fileprivate func writes(_ snapshot: LogPosition?, _ entries: [Entry], by id: NodeID) {
        check { checkers in
            var complaint: String?
            var logs = checkers.logs
            checkers.logs = LogMatchingChecker()
            checkers.disks.writes(snapshot: snapshot, entries, by: id) { entry, previousTerm in
                complaint = complaint ?? logs.written(entry, behind: previousTerm, by: id)
            }
            checkers.logs = logs
            return complaint
        }
    }

    fileprivate func hasWritten(_ id: NodeID) {
        check { checkers in
            if checkers.disks.hasWritten(id) { checkers.inOrder[id] = nil }
            return nil
        }
    }

    /// A message left a server that promises something.
    func promised(_ message: RaftMessage) {
        check { checkers in
            switch message.kind {
            case .voteResponse(granted: true):
                checkers.inOrder[message.from] = nil
                return checkers.promises.voted(message.from, for: message.to, in: message.term)
            case .appendAccepted(let match, _, _):
                if checkers.promises.acknowledged(message.from, upTo: match, in: message.term) {
                    checkers.inOrder[message.from] = nil
                }
                return nil
            default: return nil
            }
        }
    }

    // MARK: Clients

    func applied(_ applied: RegisterMachine.Applied, by id: NodeID) {
        check { checkers in
            let isFirst = applied.place == checkers.applied.count
            let complaint = checkers.applied.applied(applied.command, at: applied.place, by: id)
            guard complaint == nil, isFirst else { return complaint }
            switch applied.call {
            case .write(let value), .compareAndSet(_, let value):
                checkers.oracle.written(value, to: applied.key, at: applied.place)
            case .read, .delete: break
            }
            return checkers.effects.applied(applied.command, at: applied.place)
        }
    }

    /// What a read that begins now must see at least.
    func floor(of key: String) -> Int { checkers.withLock { $0.oracle.floor(of: key) } }

    /// A client was answered.
    func answered(_ answer: RegisterModel.Answer, to call: RegisterModel.Call, of key: String, floor: Int) {
        check { checkers in
            switch (call, answer) {
            case (.read, .value(let value)): checkers.oracle.read(value, of: key, floor: floor)
            case (.write(let value), _), (.compareAndSet(_, let value), .swapped(true)):
                checkers.oracle.acknowledged(value, to: key)
            default: nil
            }
        }
    }
}

/// One start of one server, as the watch sees it.
private final class WatchedServer: ServerProbe {
    private let id: NodeID
    private let watch: RaftWatch
    private let meddling: Meddling
    private let before = Mutex<RaftCore?>(nil)

    init(_ id: NodeID, _ watch: RaftWatch) {
        self.id = id
        self.watch = watch
        meddling = watch.meddling
    }

    var isOver: Bool { watch.isOver }
    var completesAtOnce: Bool { meddling.completesAtOnce }

    func leavesEarly(_ message: RaftMessage) -> Bool { meddling.leavesEarly(message) }

    func restores(_ state: inout RestoredState) {
        watch.restored(state, by: id)
        state = meddling.restored(state)
    }

    func started(_ core: RaftCore) { watch.started(core) }

    func hears(_ message: RaftMessage, _ core: RaftCore) -> RaftMessage? { meddling.distort(message, core) }

    func willTake(_ input: CoreInput, _ core: inout RaftCore) {
        guard meddling.afterInput != nil else { return }
        before.withLock { $0 = core }
        meddling.beforeInput(input, &core)
    }

    func hasTaken(_ input: CoreInput, _ core: inout RaftCore, applied: LogIndex) {
        if let afterInput = meddling.afterInput {
            afterInput(input, before.withLock { $0.take() } ?? core, &core)
        }
        watch.look(at: core, applied: applied)
        if core.timing.leaseDriftPercent != nil { watch.lookAtLease(of: core, after: input) }
    }

    func writes(_ hardState: HardState?, snapshot: LogPosition?, _ entries: [Entry]) {
        watch.writes(snapshot, entries, by: id)
    }

    func hasWritten() { watch.hasWritten(id) }
}

/// A server's way out: what it promises is noted in the moment in which it leaves.
final class WatchedTransport: Transport {
    private let id: NodeID
    private let transport: any Transport
    private let watch: RaftWatch

    init(of id: NodeID, _ transport: any Transport, _ watch: RaftWatch) {
        self.id = id
        self.transport = transport
        self.watch = watch
    }

    func start<Message>(under context: borrowing Context<Message>, sink: any TransportSink) throws {
        try transport.start(under: context, sink: WatchedSink(id: id, sink: sink, watch: watch))
    }

    func setPeers(_ peers: [PeerID: SocketAddress]) { transport.setPeers(peers) }

    func send(_ frame: [UInt8], to receiver: PeerID) {
        if WireCodec.isPromise(frame),
            case .raft(let message)? = try? frame.withUnsafeBytes({ try WireCodec.decode($0) })
        {
            watch.promised(message)
        }
        transport.send(frame, to: receiver)
    }
}

/// A server's way in.
private struct WatchedSink: TransportSink {
    let id: NodeID
    let sink: any TransportSink
    let watch: RaftWatch

    func refusal(of handshake: Handshake) -> Handshake.Refusal? {
        watch.meddling.admitsWipedServers ? nil : sink.refusal(of: handshake)
    }

    func linkUp(_ peer: PeerID, incarnation: UInt64) { sink.linkUp(peer, incarnation: incarnation) }
    func linkDown(_ peer: PeerID, _ reason: LinkFailure) { sink.linkDown(peer, reason) }

    func received(_ frame: UnsafeRawBufferPointer, from peer: PeerID) throws {
        watch.heard(NodeID(peer.rawValue), by: id)
        try sink.received(frame, from: peer)
    }
}
