import PlantedBugs
import RaftScenario
import Testing

@testable import RaftCore

/// The checker of worlds of bare cores complains of each thing that must not be. Planted bugs show that it does so in histories too.
@Suite struct CheckerTests {
    /// Three servers, the first of which leads; all have what it committed.
    private func world(meddling: Meddling = Meddling()) throws -> World {
        var world = World(servers: 3, meddling: meddling)
        try world.elect(n1)
        for value in 1...3 { try world.propose(n1, [UInt8(value)]) }
        try world.settle()
        try world.pass(ticks: 6)
        return world
    }

    /// What the checker says when a server is changed by hand.
    private func complaint(about id: NodeID, _ change: (inout Server) -> Void) throws -> String {
        var world = try world()
        change(&world[id])
        do { try world.act(id) { _ in } } catch { return error.description }
        return "nothing"
    }

    @Test("a term, a vote, a commit index or a snapshot that goes back")
    func neverBack() throws {
        #expect(try complaint(about: n2) { _ in } == "nothing")
        #expect(try complaint(about: n2) { $0.core?.hardState.term = .zero }.contains("term went back"))
        #expect(try complaint(about: n2) { $0.core?.hardState.vote = n3 }.contains("changed its vote"))
        #expect(try complaint(about: n2) { $0.core?.hardState.vote = nil }.contains("changed its vote"))
        #expect(try complaint(about: n2) { $0.core?.commitIndex = LogIndex(1) }.contains("commit went back"))
        var world = try world()
        try world.takeSnapshot(n2)
        world[n2].core?.snapshot = nil
        #expect { try world.act(n2) { _ in } } throws: { "\($0)".contains("snapshot went back") }
    }

    @Test(
        "marks out of order: purged, snapshot, applied, committed, last; and what counts as persisted and is not on the disk"
    )
    func marks() throws {
        #expect(try complaint(about: n2) { $0.core?.commitIndex = LogIndex(99) }.contains("beyond"))
        #expect(try complaint(about: n2) { $0.core?.persistedIndex = LogIndex(99) }.contains("beyond"))
        #expect(try complaint(about: n2) { $0.machine.index = LogIndex(99) }.contains("applied i99"))
        #expect(
            try complaint(about: n2) {
                $0.core?.snapshot = SnapshotMetadata(last: position(99, 1), configuration: Configuration(voters: [n1]))
            }.contains("snapshot i99")
        )
        #expect(try complaint(about: n2) { $0.disk.entries.removeLast() }.contains("not on the disk"))
        #expect(try complaint(about: n2) { $0.core?.log.compact(upTo: LogIndex(2)) }.contains("log from"))
    }

    @Test("a commit that no quorum has on disk")
    func quorum() throws {
        var world = try world()
        try world.propose(n1, [9])
        #expect {
            try world.act(n1) { $0.commitIndex = $0.lastIndex }
        } throws: { "\($0)".contains("no quorum") }
    }

    @Test("two entries of one index and term")
    func logMatching() throws {
        var meddling = Meddling()
        meddling.distort = { message, core in
            guard core.id == n3, case .appendEntries(var append) = message.kind else { return message }
            append.entries = append.entries.map { Entry(term: $0.term, index: $0.index, kind: .command, payload: [77]) }
            var heard = message
            heard.kind = .appendEntries(append)
            return heard
        }
        #expect { try world(meddling: meddling) } throws: { "\($0)".contains("log matching") }
    }

    @Test("a second change of membership on top of an open one")
    func changes() throws {
        var meddling = Meddling()
        // What is under way is taken for committed while the next change is asked for.
        meddling.beforeInput = { input, core in if case .change = input { core.commitIndex = core.lastIndex } }
        meddling.afterInput = { input, before, core in if case .change = input { core.commitIndex = before.commitIndex }
        }
        var world = try world(meddling: meddling)
        try world.change(n1, [.remove(n3)])
        #expect {
            try world.change(n1, [.remove(n2)])
        } throws: { "\($0)".contains("two changes in flight") }
    }

    @Test("two leaders of a term")
    func electionSafety() throws {
        var meddling = Meddling()
        meddling.beginning = { id, _ in Configuration(voters: [id]) }
        var world = World(servers: 3, meddling: meddling)
        #expect { try world.pass(ticks: 1) } throws: { "\($0)".contains("election safety") }
    }

    @Test("a leader without what is committed")
    func leaderCompleteness() throws {
        var meddling = Meddling()
        meddling.distort = PlantedBug.votesForAnyLog.meddling.distort
        var world = try world(meddling: meddling)
        world.isolate(n3)
        try world.propose(n1, [9])
        try world.settle()
        try world.crash(n1)
        world.healNetwork()
        // It has heard of no leader since it started, and so may vote at once.
        try world.crash(n2)
        world.start(n2)
        #expect { try world.elect(n3) } throws: { "\($0)".contains("leader completeness") }
    }

    @Test("a read that is answered with less than was committed before it")
    func staleRead() throws {
        var meddling = Meddling()
        meddling.distort = PlantedBug.confirmsAnyRound.meddling.distort
        var world = try world(meddling: meddling)
        // What the others say of an earlier round is under way while another leads, and commits.
        try world.tick(n1, 10)
        try world.deliverAll()
        let acknowledgements = world.network.filter { $0.to == n1 }
        #expect(!acknowledgements.isEmpty)
        world.network = []
        world.isolate(n1)
        try world.crash(n3)
        world.start(n3)
        try world.elect(n2)
        try world.propose(n2, [9])
        try world.settle()
        world.healNetwork()
        try world.read(n1)
        #expect {
            for message in acknowledgements { try world.deliver(message) }
        } throws: { "\($0)".contains("stale read") }
    }
}
