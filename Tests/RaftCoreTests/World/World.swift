// A cluster without clocks, sockets or disks: every event happens when a test, scripted or seeded, says so.

@testable import RaftCore

/// A server and its disk. What was not synced is lost in a crash.
struct Server {
    let id: NodeID
    /// Nil while the server is down.
    var core: RaftCore?
    /// What a restart finds.
    var disk = RestoredState()
    /// Outputs whose writes are under way, the oldest first.
    var unsynced: [RaftOutput] = []
    var starts: UInt64 = 0
    /// What the state machine was given since the last start.
    var applied: [Entry] = []
}

/// Servers 1 to n, the network between them, and the checker that watches.
struct World {
    private(set) var servers: [Server]
    /// Sent and not yet delivered, in the order of sending.
    var network: [RaftMessage] = []
    /// Links that carry nothing, by `from` and `to`.
    private var cut: [Bool]
    private(set) var checker: Checker
    let bug: PlantedBug?
    /// Inputs pile up in the cores: their output is taken after a later input.
    var holdsOutput = false
    private let seed: UInt64
    private let timing: RaftTiming
    private let limits: RaftLimits
    private var nextRead: UInt64 = 1

    init(
        servers count: Int,
        seed: UInt64 = 1,
        timing: RaftTiming = RaftTiming(),
        limits: RaftLimits = RaftLimits(),
        disks: [RestoredState]? = nil,
        bug: PlantedBug? = nil
    ) {
        servers = (1...count).map { Server(id: NodeID(UInt64($0))) }
        cut = Array(repeating: false, count: (count + 1) * (count + 1))
        checker = Checker(voters: count)
        self.seed = seed
        self.timing = timing
        self.limits = limits
        self.bug = bug
        for id in ids {
            if let disks { self[id].disk = disks[Int(id.rawValue) - 1] }
            start(id)
        }
    }

    var ids: [NodeID] { servers.map(\.id) }

    subscript(id: NodeID) -> Server {
        get { servers[Int(id.rawValue) - 1] }
        set { servers[Int(id.rawValue) - 1] = newValue }
        _modify { yield &servers[Int(id.rawValue) - 1] }
    }

    /// The running core of a server that must be up.
    func core(_ id: NodeID) -> RaftCore {
        guard let core = self[id].core else { preconditionFailure("\(id) is down") }
        return core
    }

    /// The leader of the highest term among the running servers.
    var leader: NodeID? {
        servers.compactMap(\.core).filter { $0.role == .leader }.max { $0.term < $1.term }?.id
    }
}

// MARK: - Inputs, each followed by taking the output

extension World {
    /// Gives the server's core an input, if it runs, and carries out what follows, but for the disk writes.
    mutating func act(_ id: NodeID, _ input: (inout RaftCore) -> Void) throws(Violation) {
        guard self[id].core != nil else { return }
        input(&self[id].core!)
        if !holdsOutput { try collect(id) }
    }

    mutating func tick(_ id: NodeID, _ times: Int = 1) throws(Violation) {
        for _ in 0..<times { try act(id) { $0.tick() } }
    }

    @discardableResult
    mutating func propose(_ id: NodeID, _ payload: [UInt8] = []) throws(Violation) -> ProposeOutcome {
        var outcome = ProposeOutcome.notLeader(leader: nil)
        try act(id) { outcome = $0.propose(payload) }
        return outcome
    }

    @discardableResult
    mutating func read(_ id: NodeID) throws(Violation) -> ReadID {
        let read = ReadID(nextRead)
        nextRead += 1
        if self[id].core != nil { checker.readIssued(read, at: id) }
        try act(id) { $0.read(read) }
        return read
    }

    /// Delivers one message, if its link carries and its receiver is up.
    mutating func deliver(_ message: RaftMessage) throws(Violation) {
        guard !isCut(message.from, message.to), self[message.to].core != nil else { return }
        let heard = bug?.distort(message, for: core(message.to)) ?? message
        if bug == .shortensOnEveryAppend { shorten(by: heard) }
        try act(heard.to) { $0.step(heard) }
    }

    /// The oldest `count` outputs' writes become durable, by default all; what waited for them happens.
    mutating func sync(_ id: NodeID, outputs count: Int = .max) throws(Violation) {
        guard self[id].core != nil else { return }
        var ticket: PersistTicket?
        for output in self[id].unsynced.prefix(count) {
            self[id].disk.write(output)
            network += output.messagesAfterPersist
            ticket = output.ticket ?? ticket
        }
        self[id].unsynced.removeFirst(min(count, self[id].unsynced.count))
        checker.wrote(self[id].disk, on: id)
        if let ticket { try act(id) { $0.persisted(ticket) } }
    }

    private mutating func collect(_ id: NodeID) throws(Violation) {
        while self[id].core!.hasOutput {
            var output = self[id].core!.takeOutput()
            try checker.check(output, of: core(id))
            network += output.messages
            self[id].applied += output.committed
            if bug == .promisesBeforeDisk {
                network += output.messagesAfterPersist
                output.messagesAfterPersist = []
            }
            if bug == .asksForVotesBeforeDisk {
                for message in output.messagesAfterPersist {
                    if case .voteRequest = message.kind { network.append(message) }
                }
            }
            if bug == .completesBeforeDisk, let ticket = output.ticket { self[id].core!.persisted(ticket) }
            if output.ticket != nil || !output.messagesAfterPersist.isEmpty { self[id].unsynced.append(output) }
        }
        try checker.check(core(id))
    }
}

// MARK: - Faults

extension World {
    func isCut(_ from: NodeID, _ to: NodeID) -> Bool { cut[place(from, to)] }

    private func place(_ from: NodeID, _ to: NodeID) -> Int {
        Int(from.rawValue) * (servers.count + 1) + Int(to.rawValue)
    }

    /// From now on nothing, or everything again, gets from `from` to `to`.
    mutating func setLink(_ from: NodeID, _ to: NodeID, cut isCut: Bool) { cut[place(from, to)] = isCut }

    /// Cuts the server off from all others, or rejoins it.
    mutating func isolate(_ id: NodeID, _ isCut: Bool = true) {
        for other in ids where other != id {
            setLink(id, other, cut: isCut)
            setLink(other, id, cut: isCut)
        }
    }

    mutating func healNetwork() { cut = cut.map { _ in false } }

    /// The server dies and forgets all that was not synced. Its peers see their connections close if `noticed`.
    mutating func crash(_ id: NodeID, noticed: Bool = false) throws(Violation) {
        self[id].core = nil
        self[id].unsynced = []
        self[id].applied = []
        checker.crashed(id)
        if noticed {
            for other in ids where other != id { try act(other) { $0.peerDisconnected(id) } }
        }
    }

    /// Starts the server from its disk.
    mutating func start(_ id: NodeID) {
        if bug == .forgetsVote { self[id].disk.hardState.vote = nil }
        self[id].starts += 1
        self[id].core = RaftCore(
            id: id,
            voters: bug == .countsTooFewVoters && id == NodeID(1) ? Array(ids.prefix(2)) : ids,
            timing: timing,
            limits: limits,
            restored: self[id].disk,
            seed: seed &* 1_000_003 &+ id.rawValue &* 1009 &+ self[id].starts
        )
        checker.started(core(id))
    }

    /// The planted bug of rule P7: whatever the log holds behind the last entry of an AppendEntries is cut.
    private mutating func shorten(by message: RaftMessage) {
        guard case .appendEntries(let append) = message.kind, message.term == core(message.to).term else { return }
        let length = Int(append.lastIndex.rawValue)
        guard self[message.to].unsynced.isEmpty, self[message.to].disk.entries.count > length else { return }
        self[message.to].disk.entries.removeLast(self[message.to].disk.entries.count - length)
        checker.crashed(message.to)
        start(message.to)
        checker.wrote(self[message.to].disk, on: message.to)
    }
}

// MARK: - For scripts

extension World {
    /// Delivers and syncs until nothing is under way. What `lose` picks is lost instead.
    mutating func settle(losing lose: (RaftMessage) -> Bool = { _ in false }) throws(Violation) {
        var busy = true
        var rounds = 0
        while busy {
            rounds += 1
            if rounds > 10_000 { throw Violation("the cluster does not come to rest: \(network.first as Any)") }
            busy = !network.isEmpty
            let batch = network
            network = []
            for message in batch where !lose(message) { try deliver(message) }
            for id in ids where self[id].core != nil && !self[id].unsynced.isEmpty {
                busy = true
                try sync(id)
            }
        }
    }

    /// Delivers what is under way now, but not what that leads to.
    mutating func deliverAll() throws(Violation) {
        let batch = network
        network = []
        for message in batch { try deliver(message) }
    }

    /// One tick on every running server, and all that follows.
    mutating func pass(ticks: Int) throws(Violation) {
        for _ in 0..<ticks {
            for id in ids { try tick(id) }
            try settle()
        }
    }

    /// Only this server's time passes, until it leads.
    mutating func elect(_ id: NodeID, losing lose: (RaftMessage) -> Bool = { _ in false }) throws(Violation) {
        for _ in 0..<1000 where core(id).role != .leader {
            try tick(id)
            try settle(losing: lose)
        }
        precondition(core(id).role == .leader, "\(id) was not elected")
    }
}

extension RestoredState {
    /// Makes an output's writes durable.
    mutating func write(_ output: RaftOutput) {
        if let hardState = output.hardState { self.hardState = hardState }
        guard let first = output.entriesToAppend.first else { return }
        entries.removeLast(entries.count - Int(first.index.rawValue - 1))
        entries += output.entriesToAppend
    }
}
