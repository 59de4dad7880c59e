import RaftScenario
import Testing

@testable import RaftCore

@Suite struct SnapshotRuleTests {
    private let voters = Configuration(voters: [n1, n2, n3])

    private func snapshot(_ index: UInt64, _ term: UInt64, _ configuration: Configuration? = nil) -> SnapshotMetadata {
        SnapshotMetadata(last: position(index, term), configuration: configuration ?? voters)
    }

    private func chunk(_ snapshot: SnapshotMetadata, offset: UInt64 = 0, isLast: Bool = true) -> RaftMessage.Kind {
        .installSnapshot(
            SnapshotChunk(snapshot: snapshot, offset: offset, bytes: [1, 2], isLast: isLast, session: .zero)
        )
    }

    /// A follower of n2 in term 3 that has stored a whole snapshot at 9, on top of a log of these terms.
    private func installed(log terms: [UInt64], _ configuration: Configuration? = nil) -> (RaftCore, RaftOutput) {
        var core = RaftCore.lone(term: 3, log: terms)
        core.hear(chunk(snapshot(9, 2, configuration)), from: n2)
        for piece in core.sync().chunksToStore { core.chunkStored(piece) }
        return (core, core.takeOutput())
    }

    @Test("P4: after a snapshot its configuration is in force, and nothing of the log before it")
    func configuration() throws {
        var core = RaftCore.lone(term: 1, log: [1])
        let stale = Configuration(voters: [n1])
        let entry = Entry(term: Term(1), index: LogIndex(2), kind: .configuration, payload: stale.encoded())
        let append = AppendEntries(
            previous: position(1, 1),
            entries: [entry],
            leaderCommit: .zero,
            readRound: .zero,
            session: .zero
        )
        core.hear(.appendEntries(append), from: n2)
        #expect(core.configuration == stale)
        let joint = Configuration(voters: [n1, n2], outgoing: [n2, n3])
        core.hear(chunk(snapshot(9, 2, joint)), from: n2, term: 3)
        for piece in core.sync().chunksToStore { core.chunkStored(piece) }
        #expect(core.configuration == joint && core.lastIndex == LogIndex(9) && core.commitIndex == LogIndex(9))
    }

    @Test("P4: a snapshot of what the log holds already leaves the log, and the configurations behind it, as they are")
    func retained() {
        var core = RaftCore.lone(term: 3, log: [1, 1, 2, 2])
        core.hear(chunk(snapshot(3, 2)), from: n2)
        let output = core.sync()
        #expect(output.chunksToStore.isEmpty && output.snapshotToInstall == nil)
        #expect(core.lastIndex == LogIndex(4) && core.commitIndex == LogIndex(3))
        #expect(output.late(to: n2) == [accepted(3)])
    }

    @Test("P29: a snapshot is acknowledged when it is durable, and takes the place of the whole log")
    func atomic() throws {
        var (core, output) = installed(log: [1, 1, 1])
        #expect(output.snapshotToInstall == snapshot(9, 2) && output.ticket != nil)
        #expect(output.messages.isEmpty && output.late(to: n2) == [accepted(9)])
        #expect(core.lastIndex == LogIndex(9) && core.logStart == position(9, 2))
        // A heartbeat in between is not answered with what is not durable.
        core.hear(append(after: .start), from: n2)
        let early = core.takeOutput().early(to: n2)
        #expect(early.allSatisfy { $0 == accepted(0) })
        core.persisted(try #require(output.ticket))
        #expect(core.persistedIndex == LogIndex(9))
        core.hear(append(after: position(9, 2), terms: [3], commit: 10), from: n2)
        #expect(core.sync().committed.map(\.index) == [LogIndex(10)])
    }

    @Test("P29: pieces come in order, a repeated one is answered again, one that is refused begins anew")
    func pieces() throws {
        var core = RaftCore.lone(term: 3)
        let metadata = snapshot(9, 2)
        core.hear(chunk(metadata, isLast: false), from: n2)
        let first = try #require(core.sync().chunksToStore.first)
        // While it is being stored its copies are dropped.
        core.hear(chunk(metadata, isLast: false), from: n2)
        #expect(core.takeOutput().chunksToStore.isEmpty)
        core.chunkStored(first)
        let next = RaftMessage.Kind.snapshotStored(last: metadata.last, offset: 0, nextOffset: 2, session: .zero)
        #expect(core.takeOutput().early(to: n2) == [next])
        core.hear(chunk(metadata, isLast: false), from: n2)
        #expect(core.takeOutput().early(to: n2) == [next])
        core.hear(chunk(metadata, offset: 2), from: n2)
        let last = try #require(core.takeOutput().chunksToStore.first)
        core.chunkRefused(last)
        let anew = RaftMessage.Kind.snapshotStored(last: metadata.last, offset: 2, nextOffset: 0, session: .zero)
        #expect(core.takeOutput().early(to: n2) == [anew])
        // Late reports change nothing.
        core.chunkStored(last)
        core.chunkStored(first)
        #expect(core.lastIndex == .zero)
        // Another leader's snapshot begins at its beginning.
        core.hear(chunk(metadata, offset: 2), from: n3, term: 4)
        let other = RaftMessage.Kind.snapshotStored(last: metadata.last, offset: 2, nextOffset: 0, session: .zero)
        #expect(core.takeOutput().early(to: n3) == [other])
    }

    @Test("P30: a gap between snapshot and log, and whatever else no crash brings about, keeps a server from starting")
    func gaps() throws {
        let log = entries(terms: [1, 1, 1, 2, 2])
        let term = HardState(term: Term(3))
        func check(_ snapshot: SnapshotMetadata?, _ entries: [Entry], _ state: HardState? = nil) throws(RestoreError) {
            try RestoredState(hardState: state ?? term, snapshot: snapshot, entries: entries).check()
        }
        try check(snapshot(3, 1), log)
        try check(snapshot(3, 1), Array(log[3...]))
        try check(snapshot(9, 2), Array(log[..<2]))
        #expect(throws: RestoreError.gap(snapshot: LogIndex(2), firstEntry: LogIndex(4))) {
            try check(snapshot(2, 1), Array(log[3...]))
        }
        #expect(throws: RestoreError.gap(snapshot: .zero, firstEntry: LogIndex(2))) { try check(nil, Array(log[1...])) }
        #expect(throws: RestoreError.notConsecutive(LogIndex(4))) { try check(nil, [log[0], log[3]]) }
        #expect(throws: RestoreError.snapshotDisagrees(position(4, 1))) { try check(snapshot(4, 1), log) }
        #expect(throws: RestoreError.termBehindLog(Term(1), position(5, 2))) {
            try check(nil, log, HardState(term: Term(1)))
        }
        let damaged = Entry(term: Term(1), index: LogIndex(1), kind: .configuration, payload: [7])
        #expect(throws: RestoreError.unreadableConfiguration(LogIndex(1))) { try check(nil, [damaged]) }
    }

    @Test("a restart goes on from snapshot and log, with the configuration of the last entry that has one")
    func restart() {
        let learner = Configuration(voters: [n1, n2, n3], learners: [n4])
        var log = entries(terms: [1, 1, 1, 2, 2])
        log[4] = Entry(term: Term(2), index: LogIndex(5), kind: .configuration, payload: learner.encoded())
        let disk = RestoredState(hardState: HardState(term: Term(2)), snapshot: snapshot(3, 1), entries: log)
        let core = RaftCore(id: n1, configuration: .unknown, restored: disk, seed: 1)
        #expect(core.commitIndex == LogIndex(3) && core.lastIndex == LogIndex(5) && core.logStart == position(3, 1))
        #expect(core.configuration == learner && core.snapshot == snapshot(3, 1))
    }

    @Test("P14: through compaction and lost messages a leader never speaks of a term that it has forgotten")
    func compactionRaces() throws {
        var (messages, snapshots, wrong) = (0, 0, 0)
        for seed in 1...UInt64(40) {
            var random = SplitMix64(seed: seed)
            var world = World(
                servers: 3,
                seed: seed,
                limits: RaftLimits(entriesPerMessage: 2, inflightMessages: 2, snapshotChunkBytes: 5)
            )
            try world.elect(n1)
            for step in 0..<60 {
                try world.propose(n1, [UInt8(step)])
                try world.settle(losing: { message in
                    if case .appendEntries(let append) = message.kind {
                        messages += 1
                        if (append.previous.index == .zero) != (append.previous.term == .zero) { wrong += 1 }
                    }
                    if case .installSnapshot = message.kind { snapshots += 1 }
                    return random.next() % 5 == 0
                })
                if random.next() % 3 == 0 {
                    try world.takeSnapshot(n1, keeping: LogTail(entries: Int(random.next() % 3)))
                }
                try world.tick(n1, Int(random.next() % 3))
            }
            try world.pass(ticks: 80)
            #expect(Int(world.core(n3).commitIndex.rawValue) == world.checker.committed.count, "seed \(seed)")
        }
        #expect(wrong == 0 && messages > 100 && snapshots > 10, "\(messages) messages, \(snapshots) snapshots")
    }

    @Test("a snapshot that cannot be read is asked for again after a while, and not before; another one at once")
    func unreadable() throws {
        var core = RaftCore.lone(term: 1, log: [1, 1, 1])
        core.win()
        core.hear(accepted(4), from: n2)
        core.sync()
        core.snapshotTaken(snapshot(4, core.term.rawValue), keeping: .none)
        core.hear(rejected(3, hint: .start), from: n3)
        let request = try #require(core.sync().chunksToSend.first)
        core.snapshotUnreadable(request)
        #expect(core.sync().chunksToSend.isEmpty)

        var asked: [Int] = []
        let patience = core.timing.electionTicks.lowerBound
        for tick in 1...(3 * patience) {
            core.tick()
            core.hear(accepted(4), from: n2)
            core.hear(accepted(0), from: n3)
            for request in core.sync().chunksToSend {
                asked.append(tick)
                core.snapshotUnreadable(request)
            }
        }
        #expect(asked == [patience, 2 * patience, 3 * patience])

        _ = core.propose([1])
        core.sync()
        core.hear(accepted(5), from: n2)
        core.sync()
        core.snapshotTaken(snapshot(5, core.term.rawValue), keeping: .none)
        core.snapshotUnreadable(request)
        let next = core.sync().chunksToSend
        #expect(next.map(\.snapshot.last.index) == [LogIndex(5)] && next.map(\.offset) == [0])
    }

    @Test("what is kept in front of a snapshot is bounded in bytes: large values do not fill the memory")
    func tailBytes() throws {
        var world = World(servers: 1)
        try world.elect(n1)
        for _ in 0..<40 { try world.propose(n1, Array(repeating: 7, count: 1 << 10)) }
        try world.settle()
        try world.takeSnapshot(n1, keeping: LogTail(entries: 1_000, bytes: 10 << 10))
        #expect(world.core(n1).lastIndex - world.core(n1).logStart.index == 10)
    }

    @Test(
        "a leader keeps what the receiver of a snapshot needs next, but neither entries nor bytes without bound",
        arguments: [LogTail(entries: 5), LogTail(entries: 1_000, bytes: 5)]
    )
    func keptForReceivers(bound: LogTail) throws {
        var world = World(servers: 3, limits: RaftLimits(snapshotChunkBytes: 4, keptForSnapshots: bound))
        try world.elect(n1)
        world.isolate(n3)
        try world.propose(n1, [1])
        try world.settle()
        try world.takeSnapshot(n1)
        world.isolate(n3, false)
        try world.tick(n1, RaftTiming().heartbeatTicks)
        try world.deliverAll()
        try world.deliverAll()
        #expect(world.core(n1).peerStatus[1].snapshotOffset != nil)
        for _ in 0..<3 {
            try world.propose(n1, [2])
            try world.settle(losing: { $0.to == n3 || $0.from == n3 })
            try world.takeSnapshot(n1)
        }
        #expect(world.core(n1).logStart.index == LogIndex(2))
        for _ in 0..<4 {
            try world.propose(n1, [3])
            try world.settle(losing: { $0.to == n3 || $0.from == n3 })
            try world.takeSnapshot(n1)
        }
        #expect(world.core(n1).logStart.index > LogIndex(2))
    }
}
