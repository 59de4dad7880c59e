// What is committed is on the disks of a quorum, and no server takes for durable what is not on its disk (rules P5, P8, P10).

package import RaftCore

/// Knows what each server's disk holds: by what its log writer was told to write and has synced.
package struct DurabilityChecker: Sendable {
    /// The terms of the entries behind `start`.
    private struct Terms {
        var start = LogPosition.start
        var terms: [Term] = []

        func term(at index: LogIndex) -> Term? {
            let place = index - start.index
            if place == 0 { return start.term }
            return place > 0 && place <= terms.count ? terms[place - 1] : nil
        }

        mutating func write(_ write: Write) {
            if let snapshot = write.snapshot { self = Terms(start: snapshot, terms: []) }
            guard let first = write.first else { return }
            terms.removeLast(max(0, terms.count - (first - start.index - 1)))
            terms += write.terms
        }
    }

    private struct Write {
        var snapshot: LogPosition?
        var first: LogIndex?
        var terms: [Term]
    }

    private struct ServerDisk {
        /// What a power cut would leave at least.
        var durable = Terms()
        /// What was handed over for writing.
        var written = Terms()
        var pending: [Write] = []
        /// What the server counts as committed.
        var commit = LogIndex.zero
        /// What it may have held and knows that it lost: it will not help to elect anyone who lacks it (rule P34).
        var lost: ClosedRange<LogIndex>?
        /// What a running server has dropped from its log again; nil: nothing, or it is down.
        var last: LogIndex?

        mutating func write(_ write: Write) {
            pending.append(write)
            written.write(write)
        }

        mutating func sync() -> Bool {
            defer { pending.removeAll(keepingCapacity: true) }
            for write in pending { durable.write(write) }
            return !pending.isEmpty
        }

        /// Takes down what is new. Returns what was committed before, and which term is durable at the persisted index.
        mutating func note(_ core: some ObservedCore) -> (commit: LogIndex, durable: Term?) {
            defer { commit = core.commitIndex }
            last = core.lastIndex
            if lost != nil, !core.isQuarantined { lost = nil }
            return (commit, durable.term(at: core.persistedIndex))
        }
    }

    private var disks = NumberedTable<NodeID, ServerDisk>()
    /// What was on disks that are gone. Acknowledgements may still be under way, and count: whoever has lost its data is refused, and helps
    /// to elect nobody (rule P28).
    private var gone = NumberedTable<NodeID, Terms>()

    package init() {}

    /// A server's data is gone.
    package mutating func wiped(_ server: NodeID) { gone[server] = disks[server]?.durable }

    /// A server starts from what was found on its disk.
    package mutating func restored(_ state: RestoredState, by server: NodeID) {
        var terms = Terms(start: state.snapshot?.last ?? .start, terms: [])
        for entry in state.entries where entry.index > terms.start.index { terms.terms.append(entry.term) }
        disks[server] = ServerDisk(durable: terms, written: terms, lost: state.lost)
    }

    /// A server's process or machine ended.
    package mutating func ended(_ server: NodeID) {
        disks[server]?.pending = []
        disks[server]?.last = nil
    }

    /// A server's log writer is told to write. `check` gets each entry and the term in front of it.
    package mutating func writes(
        snapshot: LogPosition?,
        _ entries: [Entry],
        by server: NodeID,
        _ check: (Entry, Term) -> Void
    ) {
        let write = Write(snapshot: snapshot, first: entries.first?.index, terms: entries.map(\.term))
        disks[server, default: ServerDisk()].write(write)
        guard let written = disks[server]?.written else { return }
        for entry in entries {
            if let term = written.term(at: entry.index - 1) { check(entry, term) }
        }
    }

    /// All of it is durable. False: nothing was to be written.
    @discardableResult
    package mutating func hasWritten(_ server: NodeID) -> Bool { disks[server]?.sync() ?? false }

    /// Nil, or what the server claims beyond what is on the disks.
    package mutating func look(at core: some ObservedCore) -> String? {
        let (before, durable) = disks[core.id, default: ServerDisk()].note(core)
        if core.persistedIndex > core.snapshotIndex, let term = core.term(at: core.persistedIndex), durable != term {
            return
                "persisted index: server \(core.id) takes \(core.persistedIndex) of \(term) for durable, and it is not"
        }
        guard core.role == .leader, core.commitIndex > before, let term = core.term(at: core.commitIndex) else {
            return nil
        }
        let holders = core.configuration.members.filter { holds(core.commitIndex, term, $0) }
        if core.configuration.isQuorum(Set(holders)) { return nil }
        return "committed on a quorum: server \(core.id) committed \(core.commitIndex) of \(term), durable on "
            + "\(holders), no quorum of \(core.configuration)"
    }

    private func holds(_ index: LogIndex, _ term: Term, _ server: NodeID) -> Bool {
        guard let disk = disks[server] else { return false }
        if let gone = gone[server], gone.start.index >= index || gone.term(at: index) == term { return true }
        if disk.lost?.contains(index) == true { return true }
        guard disk.last ?? index >= index else { return false }
        return disk.durable.start.index >= index || disk.durable.term(at: index) == term
    }
}
