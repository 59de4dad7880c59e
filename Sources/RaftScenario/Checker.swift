// What must hold after every step of a cluster.

package import RaftCore

/// A safety property was broken.
package struct Violation: Error, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

/// Watches all servers of a world. Knows the truth: everything that was ever committed anywhere.
package struct Checker: Sendable {
    private struct Origin: Equatable {
        let entry: Entry
        let previousTerm: Term
    }

    private struct PendingRead {
        let server: NodeID
        /// How much was committed when the read began.
        let floor: Int
    }

    /// What was last seen of a server.
    private struct Seen {
        var hardState = HardState()
        var commit = LogIndex.zero
        /// The last index in a durable snapshot.
        var snapshot = LogIndex.zero
        /// The newest configuration it appended as a leader, and in which term.
        var change: LogPosition?
    }

    /// All that was ever committed, from index 1.
    package private(set) var committed: [Entry] = []
    /// The state after each prefix of `committed`, the empty one first.
    private var truth = [HashMachine()]
    /// How many elections were won.
    package private(set) var elections = 0
    /// How many reads were answered.
    package private(set) var readsAnswered = 0
    /// How many changes of membership were committed.
    package private(set) var changes = 0
    /// How many snapshots were installed.
    package private(set) var installations = 0
    private var leaders: [Term: NodeID] = [:]
    private var origins: [LogPosition: Origin] = [:]
    private var seen: [NodeID: Seen] = [:]
    /// The greatest commit index of any server; what is committed may still wait for being handed over.
    private var highestCommit = LogIndex.zero
    private var reads: [ReadID: PendingRead] = [:]

    package init() {}

    /// Whether a read still waits for its answer.
    package func waits(_ read: ReadID) -> Bool { reads[read] != nil }
    /// How many reads wait for an answer.
    package var waitingReads: Int { reads.count }

    mutating func started(_ server: Server) {
        guard let core = server.core else { return }
        seen[core.id] = Seen(
            hardState: core.hardState,
            commit: core.commitIndex,
            snapshot: core.snapshot?.last.index ?? .zero
        )
    }

    /// A dead server owes no answers.
    mutating func crashed(_ id: NodeID) { reads = reads.filter { $0.value.server != id } }

    mutating func readIssued(_ read: ReadID, at id: NodeID) {
        reads[read] = PendingRead(server: id, floor: committed.count)
    }

    /// After each input of a server: nothing goes back, and purged ≤ snapshot ≤ applied ≤ committed ≤ last.
    mutating func check(_ server: Server, among servers: [Server]) throws(Violation) {
        guard let core = server.core else { return }
        let before = seen[core.id] ?? Seen()
        if core.term < before.hardState.term { throw Violation("\(core.id): term went back to \(core.term)") }
        if core.term == before.hardState.term, let vote = before.hardState.vote, core.hardState.vote != vote {
            throw Violation("\(core.id): changed its vote for \(vote) in \(core.term)")
        }
        if core.commitIndex < before.commit { throw Violation("\(core.id): commit went back to \(core.commitIndex)") }
        let snapshot = core.snapshot?.last.index ?? .zero
        if snapshot < before.snapshot { throw Violation("\(core.id): snapshot went back to \(snapshot)") }
        if max(core.commitIndex, core.persistedIndex) > core.lastIndex {
            throw Violation("\(core.id): commit or persisted index beyond \(core.lastIndex)")
        }
        if core.persistedIndex > snapshot, let term = core.term(at: core.persistedIndex),
            !server.holds(LogPosition(index: core.persistedIndex, term: term))
        {
            throw Violation("\(core.id): \(core.persistedIndex) counts as persisted, and it is not on the disk")
        }
        if core.logStart.index > snapshot || snapshot > core.commitIndex || server.machine.index > core.commitIndex {
            throw Violation(
                "\(core.id): log from \(core.logStart), snapshot \(snapshot), applied \(server.machine.index)"
            )
        }
        highestCommit = max(highestCommit, core.commitIndex)
        if core.role == .leader && core.commitIndex > before.commit { try checkDurable(core, among: servers) }
        seen[core.id]?.hardState = core.hardState
        seen[core.id]?.commit = core.commitIndex
        seen[core.id]?.snapshot = snapshot
    }

    /// Committed entries are on a quorum of the configuration in force.
    private func checkDurable(_ core: RaftCore, among servers: [Server]) throws(Violation) {
        guard let term = core.term(at: core.commitIndex) else { return }
        let position = LogPosition(index: core.commitIndex, term: term)
        let holders = servers.filter { $0.holds(position) }.map(\.id)
        if !core.configuration.isQuorum(Set(holders)) {
            throw Violation(
                "\(core.id) committed \(position.index), durable on \(holders), no quorum of \(core.configuration)"
            )
        }
    }

    /// Before the output is carried out.
    mutating func check(_ output: RaftOutput, of server: Server) throws(Violation) {
        guard let core = server.core else { return }
        let writes = output.hardState != nil || !output.entriesToAppend.isEmpty || output.snapshotToInstall != nil
        if writes != (output.ticket != nil) {
            throw Violation("\(core.id): a ticket belongs to each write, and only to writes")
        }
        highestCommit = max(highestCommit, core.commitIndex)
        try checkLogMatching(output.entriesToAppend, core)
        try checkChanges(output.entriesToAppend, core)
        var applied = server.machine
        if let snapshot = output.snapshotToInstall {
            installations += 1
            applied.index = snapshot.last.index
            try checkSnapshot(snapshot, core)
        }
        for entry in output.committed {
            if entry.index != applied.index.next {
                throw Violation("\(core.id) was given \(entry.index) to apply after \(applied.index)")
            }
            applied.index = entry.index
            try checkCommitted(entry, core)
        }
        for case .roleChanged(.leader, let term) in output.events { try checkElected(core, term) }
        for read in output.readsReady { try checkRead(read.id, read.index, core) }
        for read in output.readsFailed where reads.removeValue(forKey: read) == nil {
            throw Violation("\(core.id): \(read) failed after it was answered")
        }
    }

    /// The state after the entry at `index`; nil if that is not known to be committed.
    func state(at index: LogIndex) -> HashMachine? {
        let place = Int(index.rawValue)
        return place < truth.count ? truth[place] : nil
    }

    /// The state of a server after it applied what was committed.
    func checkState(of server: Server) throws(Violation) {
        let place = Int(server.machine.index.rawValue)
        if place < truth.count && truth[place] != server.machine {
            throw Violation("\(server.id): another state than others at \(server.machine.index)")
        }
    }

    /// Log matching: by induction, it is enough that index and term fix an entry and its predecessor's term.
    private mutating func checkLogMatching(_ entries: [Entry], _ core: RaftCore) throws(Violation) {
        for entry in entries {
            guard let previousTerm = core.term(at: entry.index - 1) else { continue }
            let place = LogPosition(index: entry.index, term: entry.term)
            let origin = Origin(entry: entry, previousTerm: previousTerm)
            if let known = origins.updateValue(origin, forKey: place), known != origin {
                throw Violation("log matching: \(core.id) has another \(entry.index) of \(entry.term)")
            }
        }
    }

    /// A leader makes one change of membership at a time, and none before it has committed in its term (rule P2).
    private mutating func checkChanges(_ entries: [Entry], _ core: RaftCore) throws(Violation) {
        guard core.role == .leader else { return }
        for entry in entries where entry.kind == .configuration && entry.term == core.term {
            if core.term(at: core.commitIndex) != core.term {
                throw Violation("\(core.id) changed the membership before it committed in \(core.term)")
            }
            if let last = seen[core.id]?.change, last.term == core.term, last.index > core.commitIndex {
                throw Violation("two changes in flight: \(core.id) appended \(entry.index) after \(last.index)")
            }
            seen[core.id]?.change = LogPosition(index: entry.index, term: entry.term)
        }
    }

    private mutating func checkCommitted(_ entry: Entry, _ core: RaftCore) throws(Violation) {
        let place = Int(entry.index.rawValue) - 1
        if place < committed.count {
            if committed[place] != entry { throw Violation("\(core.id) committed another entry at \(entry.index)") }
            return
        }
        if place > committed.count {
            throw Violation("\(core.id) applies \(entry.index), but \(committed.count) are known to be committed")
        }
        committed.append(entry)
        if entry.kind == .configuration { changes += 1 }
        var state = truth[truth.count - 1]
        state.apply(entry)
        truth.append(state)
    }

    private func checkSnapshot(_ snapshot: SnapshotMetadata, _ core: RaftCore) throws(Violation) {
        let place = Int(snapshot.last.index.rawValue) - 1
        guard place < committed.count, committed[place].term == snapshot.last.term else {
            throw Violation("\(core.id) installed a snapshot of what was never committed: \(snapshot.last)")
        }
        let last = committed[...place].last { $0.kind == .configuration }
        if let last, Configuration(decoding: last.payload) != snapshot.configuration {
            throw Violation("\(core.id) installed a snapshot with the wrong configuration \(snapshot.configuration)")
        }
        if core.lastIndex == snapshot.last.index && core.configuration != snapshot.configuration {
            throw Violation("\(core.id) installed a snapshot and goes on with \(core.configuration)")
        }
    }

    private mutating func checkElected(_ core: RaftCore, _ term: Term) throws(Violation) {
        elections += 1
        if let other = leaders.updateValue(core.id, forKey: term) {
            throw Violation("election safety: \(other) and \(core.id) both won \(term)")
        }
        let start = Int(core.logStart.index.rawValue)
        for entry in committed.dropFirst(start) where core.term(at: entry.index) != entry.term {
            throw Violation("leader completeness: \(core.id) won \(term) without committed \(entry.index)")
        }
    }

    private mutating func checkRead(_ id: ReadID, _ index: LogIndex, _ core: RaftCore) throws(Violation) {
        guard let read = reads.removeValue(forKey: id) else {
            throw Violation("\(core.id): \(id) was answered twice")
        }
        readsAnswered += 1
        if Int(index.rawValue) < read.floor {
            throw Violation("stale read: \(id) on \(core.id) got \(index), but \(read.floor) were committed before it")
        }
        if index > highestCommit { throw Violation("\(id) got uncommitted \(index)") }
    }
}
