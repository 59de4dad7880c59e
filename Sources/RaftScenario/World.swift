// A cluster without clocks, sockets or disks: every event happens when a script or a seed says so.

package import RaftCore

/// Servers 1 to n, the network between them, and the checker that watches.
package struct World: Sendable {
    package private(set) var servers: [Server]
    /// Sent and not yet delivered, in the order of sending.
    package var network: [RaftMessage] = []
    /// Facts that servers announced, in order, until somebody takes them.
    package var announcements: [(id: NodeID, event: RaftEvent)] = []
    /// Reads answered or failed, in order, until somebody takes them.
    package var readOutcomes: [(id: NodeID, read: ReadID, index: LogIndex?)] = []
    /// Links that carry nothing, by `from` and `to`.
    private var cut: [Bool]
    package private(set) var checker: Checker
    package let meddling: Meddling
    /// Inputs pile up in the cores: their output is taken after a later input.
    package var holdsOutput = false
    private let seed: UInt64
    private let timing: RaftTiming
    private let limits: RaftLimits
    private var nextRead: UInt64 = 1

    /// - Parameters:
    ///   - servers: how many.
    ///   - configuration: what the cluster begins with; by default all of them vote. Whoever is no member of it knows nobody.
    ///   - disks: what each finds when it starts first.
    package init(
        servers count: Int,
        configuration: Configuration? = nil,
        seed: UInt64 = 1,
        timing: RaftTiming = RaftTiming(),
        limits: RaftLimits = RaftLimits(),
        disks: [RestoredState]? = nil,
        meddling: Meddling = Meddling()
    ) {
        let all = (1...count).map { NodeID(UInt64($0)) }
        let configuration = configuration ?? Configuration(voters: all)
        servers = all.map {
            Server(id: $0, beginning: configuration.members.contains($0) ? configuration : .unknown)
        }
        cut = Array(repeating: false, count: (count + 1) * (count + 1))
        checker = Checker()
        self.seed = seed
        self.timing = timing
        self.limits = limits
        self.meddling = meddling
        for id in ids {
            if let disks { self[id].disk = disks[Int(id.rawValue) - 1] }
            start(id)
        }
    }

    package var ids: [NodeID] { servers.map(\.id) }

    package subscript(id: NodeID) -> Server {
        get { servers[Int(id.rawValue) - 1] }
        set { servers[Int(id.rawValue) - 1] = newValue }
        _modify { yield &servers[Int(id.rawValue) - 1] }
    }

    /// The running core of a server that must be up.
    package func core(_ id: NodeID) -> RaftCore {
        guard let core = self[id].core else { preconditionFailure("\(id) is down") }
        return core
    }

    /// How all servers stand, a line for each.
    package var summary: String { servers.map(ScenarioPrinter.status).joined(separator: "\n") }

    /// The leader of the highest term among the running servers.
    package var leader: NodeID? {
        servers.compactMap(\.core).filter { $0.role == .leader }.max { $0.term < $1.term }?.id
    }
}

// MARK: - Inputs, each followed by taking the output

extension World {
    /// Gives the server's core an input, if it runs, and carries out what follows, but for the disk writes.
    package mutating func act(
        _ id: NodeID,
        as kind: CoreInput = .other,
        _ input: (inout RaftCore) -> Void
    ) throws(Violation) {
        guard self[id].core != nil else { return }
        give(id, as: kind, input)
        try checker.check(self[id], among: servers)
        if !holdsOutput { try collect(id) }
    }

    private mutating func give(_ id: NodeID, as kind: CoreInput = .other, _ input: (inout RaftCore) -> Void) {
        guard let afterInput = meddling.afterInput else { return input(&self[id].core!) }
        let before = self[id].core!
        meddling.beforeInput(kind, &self[id].core!)
        input(&self[id].core!)
        afterInput(kind, before, &self[id].core!)
    }

    package mutating func tick(_ id: NodeID, _ times: Int = 1) throws(Violation) {
        for _ in 0..<times { try act(id) { $0.tick() } }
    }

    @discardableResult
    package mutating func propose(_ id: NodeID, _ payload: [UInt8] = []) throws(Violation) -> ProposeOutcome {
        var outcome = ProposeOutcome.notLeader(leader: nil)
        try act(id) { outcome = $0.propose(payload) }
        return outcome
    }

    @discardableResult
    package mutating func change(_ id: NodeID, _ steps: [ConfigurationStep]) throws(Violation) -> ChangeOutcome {
        var outcome = ChangeOutcome.notLeader(leader: nil)
        try act(id, as: .change) { outcome = $0.change(steps) }
        return outcome
    }

    @discardableResult
    package mutating func transfer(_ id: NodeID, to target: NodeID) throws(Violation) -> TransferOutcome {
        var outcome = TransferOutcome.notLeader(leader: nil)
        try act(id) { outcome = $0.transferLeadership(to: target) }
        return outcome
    }

    @discardableResult
    package mutating func read(_ id: NodeID) throws(Violation) -> ReadID {
        let read = ReadID(nextRead)
        nextRead += 1
        if self[id].core != nil { checker.readIssued(read, at: id) }
        try act(id) { $0.read(read) }
        return read
    }

    /// Takes a snapshot of the server's state, durable at once, behind all that is being written. Returns where it was taken; nil:
    /// there is nothing new, or the disk is stalled.
    @discardableResult
    package mutating func takeSnapshot(_ id: NodeID, keeping tail: LogTail = .none) throws(Violation) -> LogPosition? {
        try sync(id)
        guard let core = self[id].core, !self[id].isDiskStalled,
            self[id].machine.index > core.snapshot?.last.index ?? .zero
        else { return nil }
        let metadata = core.snapshotMetadata(at: self[id].machine.index)
        self[id].disk.snapshot = metadata
        self[id].diskMachine = self[id].machine
        var forgotten = LogIndex.zero
        try act(id) { forgotten = $0.snapshotTaken(metadata, keeping: tail) }
        self[id].disk.entries.removeAll { $0.index <= forgotten }
        return metadata.last
    }

    /// Delivers one message, if its link carries and its receiver is up.
    package mutating func deliver(_ message: RaftMessage) throws(Violation) {
        guard !isCut(message.from, message.to), self[message.to].core != nil else { return }
        guard let heard = meddling.distort(message, core(message.to)) else { return }
        try act(heard.to, as: .message(heard)) { $0.step(heard) }
    }

    /// The oldest `count` outputs' writes become durable, by default all; what waited for them happens.
    package mutating func sync(_ id: NodeID, outputs count: Int = .max) throws(Violation) {
        guard self[id].core != nil, !self[id].isDiskStalled else { return }
        var ticket: PersistTicket?
        for output in self[id].unsynced.prefix(count) {
            let installed = output.snapshotToInstall.flatMap { checker.state(at: $0.last.index) }
            self[id].write(output, installing: installed)
            network += output.messagesAfterPersist
            ticket = output.ticket ?? ticket
        }
        self[id].unsynced.removeFirst(min(count, self[id].unsynced.count))
        if let ticket { try act(id, as: .persisted(ticket)) { $0.persisted(ticket) } }
    }

    private mutating func collect(_ id: NodeID) throws(Violation) {
        while self[id].core!.hasOutput {
            var output = self[id].core!.takeOutput()
            try checker.check(output, of: self[id])
            network += output.messages
            for event in output.events { announcements.append((id, event)) }
            for read in output.readsReady { readOutcomes.append((id, read.id, read.index)) }
            for read in output.readsFailed { readOutcomes.append((id, read, nil)) }
            try apply(output, on: id)
            for request in output.chunksToSend { send(request) }
            for piece in output.chunksToStore { store(piece, on: id) }
            network += output.messagesAfterPersist.filter(meddling.leavesEarly)
            if meddling.completesAtOnce, let ticket = output.ticket { self[id].core!.persisted(ticket) }
            if output.ticket != nil || !output.messagesAfterPersist.isEmpty {
                output.committed = []
                self[id].unsynced.append(output)
            }
        }
    }

    private mutating func apply(_ output: RaftOutput, on id: NodeID) throws(Violation) {
        if let snapshot = output.snapshotToInstall {
            guard let machine = HashMachine(decoding: self[id].pieces), machine.index == snapshot.last.index else {
                throw Violation("\(id) installed a snapshot that it did not receive")
            }
            self[id].machine = machine
        }
        for entry in output.committed { self[id].machine.apply(entry) }
        let applied = self[id].machine.index
        self[id].core?.applied(applied)
        try checker.checkState(of: self[id])
    }

    /// Reads a piece of a snapshot and puts it on the network.
    private mutating func send(_ request: SnapshotChunkRequest) {
        guard self[request.from].disk.snapshot == request.snapshot else {
            self[request.from].core!.snapshotUnreadable(request)
            return
        }
        let bytes = self[request.from].diskMachine.encoded
        let end = min(bytes.count, Int(request.offset) + request.sizeBytes)
        network.append(request.message(bytes: Array(bytes[Int(request.offset)..<end]), isLast: end == bytes.count))
    }

    private mutating func store(_ piece: ReceivedChunk, on id: NodeID) {
        self[id].pieces.removeLast(max(0, self[id].pieces.count - Int(piece.chunk.offset)))
        self[id].pieces += piece.chunk.bytes
        give(id) { $0.chunkStored(piece) }
    }
}

// MARK: - Faults

extension World {
    package func isCut(_ from: NodeID, _ to: NodeID) -> Bool { cut[place(from, to)] }

    private func place(_ from: NodeID, _ to: NodeID) -> Int {
        Int(from.rawValue) * (servers.count + 1) + Int(to.rawValue)
    }

    /// From now on nothing, or everything again, gets from `from` to `to`.
    package mutating func setLink(_ from: NodeID, _ to: NodeID, cut isCut: Bool) { cut[place(from, to)] = isCut }

    /// Cuts the server off from all others, or rejoins it.
    package mutating func isolate(_ id: NodeID, _ isCut: Bool = true) {
        for other in ids where other != id {
            setLink(id, other, cut: isCut)
            setLink(other, id, cut: isCut)
        }
    }

    package mutating func healNetwork() { cut = cut.map { _ in false } }

    /// The server dies and forgets all that was not synced. Its peers see their connections close if `noticed`.
    package mutating func crash(_ id: NodeID, noticed: Bool = false) throws(Violation) {
        self[id].core = nil
        self[id].unsynced = []
        self[id].pieces = []
        checker.crashed(id)
        if noticed {
            for other in ids where other != id { try act(other) { $0.peerDisconnected(id) } }
        }
    }

    /// Starts the server from its disk.
    package mutating func start(_ id: NodeID) {
        self[id].disk = meddling.restored(self[id].disk)
        self[id].starts += 1
        self[id].machine = self[id].disk.snapshot == nil ? HashMachine() : self[id].diskMachine
        self[id].core = RaftCore(
            id: id,
            configuration: meddling.beginning(id, self[id].beginning),
            timing: timing,
            limits: limits,
            restored: self[id].disk,
            seed: seed &* 1_000_003 &+ id.rawValue &* 1009 &+ self[id].starts
        )
        checker.started(self[id])
    }

    /// The disk of a server that is down, and is no member any more, is emptied: a new server in its place.
    package mutating func wipe(_ id: NodeID) {
        precondition(self[id].core == nil, "\(id) is running")
        self[id].disk = RestoredState()
        self[id].diskMachine = HashMachine()
        self[id].beginning = .unknown
    }

    /// The disk of a server that is down loses its entries from `index` on, and knows it.
    package mutating func damage(_ id: NodeID, from index: LogIndex) {
        precondition(self[id].core == nil, "\(id) is running")
        guard let last = self[id].disk.entries.last, index <= last.index, index > .zero else { return }
        self[id].disk.lost = index...max(last.index, self[id].disk.lost?.upperBound ?? .zero)
        self[id].disk.entries.removeAll { $0.index >= index }
    }
}

// MARK: - For scripts

extension World {
    /// Delivers and syncs until nothing is under way. What `lose` picks is lost instead.
    package mutating func settle(losing lose: (RaftMessage) -> Bool = { _ in false }) throws(Violation) {
        var busy = true
        var rounds = 0
        while busy {
            rounds += 1
            if rounds > 10_000 { throw Violation("the cluster does not come to rest: \(network.first as Any)") }
            busy = !network.isEmpty
            let batch = network
            network = []
            for message in batch where !lose(message) { try deliver(message) }
            for id in ids where self[id].core != nil && !self[id].unsynced.isEmpty && !self[id].isDiskStalled {
                busy = true
                try sync(id)
            }
        }
    }

    /// Delivers what is under way now, but not what that leads to.
    package mutating func deliverAll() throws(Violation) {
        let batch = network
        network = []
        for message in batch { try deliver(message) }
    }

    /// One tick on every running server, and all that follows.
    package mutating func pass(ticks: Int) throws(Violation) {
        for _ in 0..<ticks {
            for id in ids { try tick(id) }
            try settle()
        }
    }

    /// Only this server's time passes, until it leads.
    package mutating func elect(_ id: NodeID, losing lose: (RaftMessage) -> Bool = { _ in false }) throws(Violation) {
        for _ in 0..<1000 where core(id).role != .leader {
            try tick(id)
            try settle(losing: lose)
        }
        precondition(core(id).role == .leader, "\(id) was not elected")
    }
}
