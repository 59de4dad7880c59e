import RaftScenario
import Testing

@testable import RaftCore

@Suite struct ReadRuleTests {
    /// A leader that has committed its no-op and handed everything over.
    private func settledLeader() -> RaftCore {
        var core = RaftCore.lone()
        core.win()
        core.hear(accepted(1), from: n2)
        core.sync()
        return core
    }

    private func follower(of leader: NodeID, seed: UInt64 = 1) -> RaftCore {
        var core = RaftCore.lone(term: 1, seed: seed)
        core.hear(append(after: .start), from: leader)
        core.sync()
        return core
    }

    @Test("P21: no read is answered before an entry of the leader's own term is committed")
    func waitsForOwnTerm() {
        var core = RaftCore.lone(term: 1, log: [1, 1])
        core.win()
        core.read(ReadID(1))
        #expect(core.sync().readsReady.isEmpty)
        // Answers, but not for the no-op.
        for peer in [n2, n3] { core.hear(accepted(2), from: peer) }
        #expect(core.sync().readsReady.isEmpty)
        core.hear(accepted(3), from: n2)
        let output = core.sync()
        #expect(output.readsReady.isEmpty)
        #expect(output.early(to: n2) == [append(after: position(3, 2), commit: 3, round: 1)])
        core.hear(accepted(3, round: 1), from: n2)
        #expect(core.sync().readsReady == [ReadyRead(id: ReadID(1), index: LogIndex(3))])
    }

    @Test("P22: an acknowledgement of an earlier round confirms no later read, not even one of the same name")
    func roundsAreFresh() {
        var core = settledLeader()
        core.read(ReadID(7))
        #expect(core.takeOutput().early(to: n2) == [append(after: position(1, 1), commit: 1, round: 1)])
        core.hear(accepted(1, round: 1), from: n3)
        #expect(core.takeOutput().readsReady.count == 1)

        core.read(ReadID(7))
        _ = core.takeOutput()
        for peer in [n2, n3] {
            core.hear(accepted(1, round: 1), from: peer)
            core.hear(rejected(1, hint: .start, round: 1), from: peer)
        }
        #expect(core.takeOutput().readsReady.isEmpty)
        core.hear(accepted(1, round: 2), from: n2)
        #expect(core.takeOutput().readsReady == [ReadyRead(id: ReadID(7), index: LogIndex(1))])
    }

    @Test("P22: a round of an earlier term of the same leader confirms nothing")
    func roundOfEarlierTerm() {
        var core = settledLeader()
        for round in 1...UInt64(3) {
            core.read(ReadID(round))
            _ = core.takeOutput()
            core.hear(accepted(1, round: round), from: n2)
        }
        core.hear(append(after: position(1, 1)), from: n3, term: 2)
        core.sync()
        core.win()
        for peer in [n2, n3] { core.hear(accepted(2), from: peer) }
        core.sync()
        core.read(ReadID(9))
        _ = core.takeOutput()
        core.hear(accepted(1, round: 3), from: n2, term: 1)
        #expect(core.takeOutput().readsReady.isEmpty)
    }

    @Test("P22: whoever rejects an old leader's message does not echo its read round in the new term")
    func staleRoundIsNotEchoed() {
        // Found by simulation: a server that led term 1, and leads term 3, took the echo for a confirmation in term 3.
        var core = RaftCore.lone(term: 3)
        core.hear(append(after: .start, round: 17), from: n2, term: 1)
        #expect(core.takeOutput().early(to: n2) == [.termPassed])
    }

    @Test("P22: a follower started again does not take an answer to its former self for its own")
    func ticketsDiffer() {
        var tickets: Set<ReadTicket> = []
        for seed in 1...UInt64(100) {
            var core = follower(of: n2, seed: seed)
            core.read(ReadID(1))
            guard case .readIndexRequest(let ticket) = core.takeOutput().early(to: n2).first else { continue }
            tickets.insert(ticket)
        }
        #expect(tickets.count == 100)
    }

    @Test("P23: the index is recorded before leadership is confirmed, and a leader deposed in between answers nothing")
    func recordedThenConfirmed() {
        var core = settledLeader()
        core.read(ReadID(1))
        _ = core.takeOutput()
        _ = core.propose([1])
        core.sync()
        core.hear(accepted(2, round: 0), from: n3)
        #expect(core.commitIndex == LogIndex(2))
        core.hear(accepted(1, round: 1), from: n2)
        #expect(core.sync().readsReady == [ReadyRead(id: ReadID(1), index: LogIndex(1))])

        core.read(ReadID(2))
        _ = core.takeOutput()
        core.hear(append(after: .start), from: n3, term: 2)
        core.hear(accepted(2, round: 2), from: n2, term: 1)
        let output = core.sync()
        #expect(output.readsReady.isEmpty && output.readsFailed == [ReadID(2)])
    }

    @Test("reads that arrive while a round is under way share the next one")
    func batched() {
        var core = settledLeader()
        core.read(ReadID(1))
        #expect(core.takeOutput().messages.count == 2)
        for read in 2...UInt64(50) { core.read(ReadID(read)) }
        #expect(core.takeOutput().messages.isEmpty)
        core.hear(accepted(1, round: 1), from: n2)
        let next = core.takeOutput()
        #expect(next.readsReady.map(\.id) == [ReadID(1)] && next.messages.count == 2)
        core.hear(accepted(1, round: 2), from: n2)
        #expect(core.takeOutput().readsReady.count == 49)
    }

    @Test("five servers: a round needs two others")
    func quorumOfFive() {
        var core = RaftCore.lone(voters: 5)
        core.win()
        for peer in [n2, n3] { core.hear(accepted(1), from: peer) }
        core.sync()
        core.read(ReadID(1))
        _ = core.takeOutput()
        for _ in 0..<3 { core.hear(accepted(1, round: 1), from: n2) }
        #expect(core.takeOutput().readsReady.isEmpty)
        core.hear(accepted(1, round: 1), from: n4)
        #expect(core.takeOutput().readsReady.count == 1)
    }

    @Test("a follower asks its leader once for all reads of a batch, and answers them all")
    func forwarded() throws {
        var world = World(servers: 3)
        try world.elect(n1)
        try world.propose(n1, [1])
        try world.settle()
        try world.read(n2)
        try world.read(n3)
        try world.settle()
        #expect(world.checker.readsAnswered == 2 && world.checker.waitingReads == 0)
        // What it may read it also has: the round that confirmed the read brought the commit index along.
        #expect(world.core(n2).commitIndex == LogIndex(2))

        var core = follower(of: n2)
        for read in 1...UInt64(10) { core.read(ReadID(read)) }
        let asked = core.takeOutput().early(to: n2)
        guard asked.count == 1, case .readIndexRequest(let ticket) = asked[0] else { return #expect(Bool(false)) }
        core.hear(.readIndexResponse(ReadTicket(ticket.rawValue &- 1), index: LogIndex(3)), from: n2)
        #expect(!core.hasOutput)
        for _ in 0..<2 { core.hear(.readIndexResponse(ticket, index: LogIndex(4)), from: n2) }
        let ready = core.takeOutput().readsReady
        #expect(ready == (1...UInt64(10)).map { ReadyRead(id: ReadID($0), index: LogIndex(4)) })
    }

    @Test("a forwarded read fails when refused, at a new leader or term, at a closed connection, or in time")
    func forwardedFails() {
        let events: [(String, (inout RaftCore, ReadTicket) -> Void)] = [
            ("refused", { $0.hear(.readIndexResponse($1, index: nil), from: n2) }),
            ("new leader", { core, _ in core.hear(append(after: .start), from: n3, term: 2) }),
            ("new term", { core, _ in core.hear(.termPassed, from: n3, term: 2) }),
            ("closed", { core, _ in core.peerDisconnected(n2) }),
            (
                "time",
                { core, _ in
                    for _ in 0..<15 {
                        core.tick()
                        core.hear(append(after: .start), from: n2)
                    }
                }
            ),
        ]
        for (name, event) in events {
            var core = follower(of: n2)
            core.read(ReadID(1))
            guard case .readIndexRequest(let ticket) = core.takeOutput().early(to: n2).first else {
                Issue.record("\(name): no question")
                continue
            }
            event(&core, ticket)
            #expect(core.takeOutput().readsFailed == [ReadID(1)], "\(name)")
            core.hear(.readIndexResponse(ticket, index: LogIndex(1)), from: n2)
            #expect(core.takeOutput().readsReady.isEmpty, "\(name)")
        }
    }

    @Test("who knows no leader fails a read at once; beyond the bound on waiting reads one more fails too")
    func failsAtOnce() {
        var lost = RaftCore.lone()
        lost.read(ReadID(1))
        #expect(lost.takeOutput().readsFailed == [ReadID(1)])

        var core = RaftCore.lone(limits: RaftLimits(pendingReads: 2))
        core.win()
        for read in 1...UInt64(3) { core.read(ReadID(read)) }
        #expect(core.takeOutput().readsFailed == [ReadID(3)])
    }
}
