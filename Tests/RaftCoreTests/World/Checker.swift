// What must hold after every step of a cluster.

@testable import RaftCore

/// A safety property was broken.
struct Violation: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Watches all servers of a world. Knows the truth: everything that was ever committed anywhere.
struct Checker {
    private struct Place: Hashable {
        let index: LogIndex
        let term: Term
    }

    private struct Origin: Equatable {
        let entry: Entry
        let previousTerm: Term
    }

    private struct PendingRead {
        let server: NodeID
        /// How much was committed when the read began.
        let floor: Int
    }

    private let voters: Int
    /// All that was ever committed, from index 1.
    private(set) var committed: [Entry] = []
    /// How many elections were won.
    private(set) var elections = 0
    /// How many reads were answered.
    private(set) var readsAnswered = 0
    private var leaders: [Term: NodeID] = [:]
    private var origins: [Place: Origin] = [:]
    private var terms: [Term]
    private var commits: [LogIndex]
    private var applied: [LogIndex]
    private var disks: [RestoredState]
    /// The greatest commit index of any server; what is committed may still wait for being handed over.
    private var highestCommit = LogIndex.zero
    private var reads: [ReadID: PendingRead] = [:]

    init(voters: Int) {
        self.voters = voters
        terms = Array(repeating: .zero, count: voters + 1)
        commits = Array(repeating: .zero, count: voters + 1)
        applied = commits
        disks = Array(repeating: RestoredState(), count: voters + 1)
    }

    /// Whether a read still waits for its answer.
    func waits(_ read: ReadID) -> Bool { reads[read] != nil }
    /// How many reads wait for an answer.
    var waitingReads: Int { reads.count }

    mutating func started(_ core: RaftCore) {
        let place = Int(core.id.rawValue)
        terms[place] = core.term
        commits[place] = .zero
        applied[place] = .zero
    }

    /// A dead server owes no answers.
    mutating func crashed(_ id: NodeID) { reads = reads.filter { $0.value.server != id } }

    mutating func wrote(_ disk: RestoredState, on id: NodeID) { disks[Int(id.rawValue)] = disk }

    mutating func readIssued(_ read: ReadID, at id: NodeID) {
        reads[read] = PendingRead(server: id, floor: committed.count)
    }

    /// Term and commit index never go back; nothing is persisted or committed that is not in the log.
    mutating func check(_ core: RaftCore) throws(Violation) {
        let place = Int(core.id.rawValue)
        if core.term < terms[place] { throw Violation("\(core.id): term went back to \(core.term)") }
        if core.commitIndex < commits[place] { throw Violation("\(core.id): commit went back to \(core.commitIndex)") }
        if max(core.commitIndex, core.persistedIndex) > core.lastIndex {
            throw Violation("\(core.id): commit or persisted index beyond \(core.lastIndex)")
        }
        terms[place] = core.term
        commits[place] = core.commitIndex
    }

    mutating func check(_ output: RaftOutput, of core: RaftCore) throws(Violation) {
        if (output.hardState != nil || !output.entriesToAppend.isEmpty) != (output.ticket != nil) {
            throw Violation("\(core.id): a ticket belongs to each write, and only to writes")
        }
        highestCommit = max(highestCommit, core.commitIndex)
        try checkLogMatching(output.entriesToAppend, core)
        for entry in output.committed { try checkCommitted(entry, core) }
        for case .roleChanged(.leader, let term) in output.events { try checkElected(core, term) }
        for read in output.readsReady { try checkRead(read.id, read.index, core) }
        for read in output.readsFailed where reads.removeValue(forKey: read) == nil {
            throw Violation("\(core.id): \(read) failed after it was answered")
        }
    }

    /// Log matching: by induction, it is enough that index and term fix an entry and its predecessor's term.
    private mutating func checkLogMatching(_ entries: [Entry], _ core: RaftCore) throws(Violation) {
        for entry in entries {
            let place = Place(index: entry.index, term: entry.term)
            let origin = Origin(entry: entry, previousTerm: core.term(at: entry.index - 1) ?? .zero)
            if let known = origins.updateValue(origin, forKey: place), known != origin {
                throw Violation("log matching: \(core.id) has another \(entry.index) of \(entry.term)")
            }
        }
    }

    private mutating func checkCommitted(_ entry: Entry, _ core: RaftCore) throws(Violation) {
        let server = Int(core.id.rawValue)
        guard entry.index == applied[server].next else {
            throw Violation("\(core.id) was given \(entry.index) to apply after \(applied[server])")
        }
        applied[server] = entry.index
        let place = Int(entry.index.rawValue) - 1
        if place < committed.count {
            if committed[place] != entry { throw Violation("\(core.id) committed another entry at \(entry.index)") }
            return
        }
        committed.append(entry)
        let copies = disks.count { $0.entries.count > place && $0.entries[place] == entry }
        if copies < voters / 2 + 1 {
            throw Violation("\(core.id) committed \(entry.index), durable on only \(copies) of \(voters)")
        }
    }

    private mutating func checkElected(_ core: RaftCore, _ term: Term) throws(Violation) {
        elections += 1
        if let other = leaders.updateValue(core.id, forKey: term) {
            throw Violation("election safety: \(other) and \(core.id) both won \(term)")
        }
        for entry in committed where core.term(at: entry.index) != entry.term {
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
