import Testing

@testable import RaftCore

@Suite struct ApplyRuleTests {
    /// A leader whose entries up to `last`, of ten bytes each behind its no-op, are committed.
    private func leader(upTo last: UInt64, _ limits: RaftLimits) -> RaftCore {
        var core = RaftCore.lone(limits: limits)
        core.win()
        for _ in 1..<last { _ = core.propose(Array(repeating: 7, count: 10)) }
        core.sync()
        core.hear(accepted(last), from: n2)
        return core
    }

    @Test(
        "what is handed over for applying and not reported is bounded in entries; the rest waits, and commands are refused"
    )
    func entryBound() {
        var core = leader(upTo: 10, RaftLimits(committedPerOutput: 3, unappliedEntries: 4))
        #expect(core.takeOutput().committed.map(\.index.rawValue) == [1, 2, 3])
        #expect(core.isHalfUnapplied && core.propose([1]) == .appended(index: LogIndex(11), term: Term(1)))
        #expect(core.takeOutput().committed.map(\.index.rawValue) == [4])
        core.sync()
        #expect(!core.hasOutput && core.commitIndex == LogIndex(10))
        #expect(core.propose([1]) == .refused(.tooMuchUnapplied))
        core.applied(LogIndex(2))
        #expect(core.hasOutput && core.takeOutput().committed.map(\.index.rawValue) == [5, 6])
        // Old news, and what is no news.
        core.applied(LogIndex(1))
        core.applied(LogIndex(2))
        #expect(!core.hasOutput)
        core.applied(LogIndex(6))
        #expect(core.takeOutput().committed.map(\.index.rawValue) == [7, 8, 9])
        core.applied(LogIndex(9))
        #expect(core.takeOutput().committed.map(\.index.rawValue) == [10] && !core.isHalfUnapplied)
        #expect(core.propose([1]) == .appended(index: LogIndex(12), term: Term(1)))
    }

    @Test("it is bounded in bytes, too; one entry always fits, however large")
    func byteBound() {
        var core = leader(upTo: 10, RaftLimits(unappliedBytes: 25))
        // The no-op, and two of ten bytes: a third one would be too much, unless there is none before it.
        #expect(core.takeOutput().committed.map(\.index.rawValue) == [1, 2, 3])
        #expect(core.takeOutput().committed.map(\.index.rawValue) == [4])
        #expect(!core.hasOutput && core.unappliedBytes == 30)
        core.applied(LogIndex(4))
        #expect(core.unappliedBytes == 0 && core.takeOutput().committed.map(\.index.rawValue) == [5, 6])
        var tight = leader(upTo: 3, RaftLimits(unappliedBytes: 1))
        for index in 1...UInt64(3) {
            tight.applied(LogIndex(index - 1))
            while tight.hasOutput { tight.sync() }
            #expect(tight.handedToApply >= LogIndex(index))
        }
    }

    @Test(
        "a snapshot says that all up to it was applied, one that is installed also that nothing is under way any more"
    )
    func snapshots() {
        var core = leader(upTo: 10, RaftLimits(unappliedEntries: 4))
        core.sync()
        core.snapshotTaken(core.snapshotMetadata(at: LogIndex(3)), keeping: .none)
        #expect(core.appliedIndex == LogIndex(3) && core.unappliedBytes == 10)
        #expect(core.takeOutput().committed.map(\.index.rawValue) == [5, 6, 7])
        // Another server leads by now, and sends a snapshot.
        let snapshot = SnapshotMetadata(last: position(20, 2), configuration: Configuration(voters: [n1, n2, n3]))
        let chunk = SnapshotChunk(snapshot: snapshot, offset: 0, bytes: [1], isLast: true, session: .zero)
        core.hear(.installSnapshot(chunk), from: n2, term: 2)
        for piece in core.sync().chunksToStore { core.chunkStored(piece) }
        core.sync()
        #expect(core.appliedIndex == LogIndex(20) && core.handedToApply == LogIndex(20) && core.unappliedBytes == 0)
        #expect(!core.isHalfUnapplied)
    }
}
