import Testing

@testable import RaftCore

@Suite struct ReadTests {
    /// A leader of three with its no-op committed.
    private func establishedLeader() -> RaftCore {
        var leader = Script.leader()
        leader.makeDurable()
        leader.hears(Script.accepted(1), from: Script.n2)
        leader.hears(Script.accepted(1), from: Script.n3)
        leader.makeDurable()
        return leader
    }

    private func round(_ messages: [RaftMessage]) -> UInt64? {
        for message in messages {
            if case .appendEntries(let append) = message.kind { return append.readRound.rawValue }
        }
        return nil
    }

    @Test("P21: a read waits until an entry of the leader's own term is committed")
    func readWaitsForOwnTerm() throws {
        var leader = Script.leader(after: 3, log: Script.log(1, 2))
        leader.makeDurable()
        leader.read(ReadID(1))
        leader.hears(Script.accepted(2), from: Script.n2)
        leader.hears(Script.accepted(2), from: Script.n3)
        #expect(leader.makeDurable().allSatisfy { $0.readsReady.isEmpty })
        leader.hears(Script.accepted(3), from: Script.n2)
        let started = try #require(round(leader.says()))
        leader.hears(Script.accepted(3, round: started), from: Script.n2)
        #expect(leader.makeDurable().flatMap(\.readsReady) == [ReadyRead(id: ReadID(1), index: LogIndex(3))])
    }

    @Test("P22: each confirmation has a fresh number; a late one does not confirm a repeated question")
    func lateConfirmation() throws {
        var leader = establishedLeader()
        leader.read(ReadID(7))
        let first = try #require(round(leader.says()))
        leader.hears(Script.accepted(1, round: first), from: Script.n2)
        #expect(leader.makeDurable().flatMap(\.readsReady).map(\.id) == [ReadID(7)])

        leader.read(ReadID(7))
        let second = try #require(round(leader.says()))
        #expect(second > first)
        leader.hears(Script.accepted(1, round: first), from: Script.n3)
        leader.hears(Script.accepted(1, round: first), from: Script.n2)
        #expect(leader.makeDurable().flatMap(\.readsReady).isEmpty)
        leader.hears(Script.accepted(1, round: second), from: Script.n3)
        #expect(leader.makeDurable().flatMap(\.readsReady).map(\.id) == [ReadID(7)])
    }

    @Test("P22: a follower's answer fits one question only")
    func followerQuestions() throws {
        var follower = Script.core(Script.n2)
        follower.hears(Script.append(), from: Script.n1, in: 1)
        follower.says()
        follower.read(ReadID(1))
        let asked = follower.says()
        guard case .readIndexRequest(let ticket)? = asked.first?.kind else { throw Missing() }
        follower.hears(.readIndexResponse(ticket.next, index: LogIndex(9)), from: Script.n1)
        #expect(follower.makeDurable().flatMap(\.readsReady).isEmpty)
        follower.hears(.readIndexResponse(ticket, index: LogIndex(4)), from: Script.n1)
        follower.hears(.readIndexResponse(ticket, index: LogIndex(3)), from: Script.n1)
        #expect(follower.makeDurable().flatMap(\.readsReady) == [ReadyRead(id: ReadID(1), index: LogIndex(4))])
    }

    @Test("P23: leadership is confirmed after the read index was taken; a leader that lost it answers nobody")
    func confirmationComesAfter() throws {
        var leader = establishedLeader()
        leader.read(ReadID(1))
        let started = try #require(round(leader.says()))
        _ = leader.propose([1])
        leader.makeDurable()
        leader.hears(Script.accepted(2), from: Script.n2)
        #expect(leader.commitIndex == LogIndex(2))
        #expect(
            leader.makeDurable().flatMap(\.readsReady).isEmpty,
            "an acknowledgement of an earlier round confirms nothing"
        )
        leader.hears(Script.append(), from: Script.n3, in: 9)
        leader.hears(Script.accepted(2, round: started), from: Script.n2, in: 1)
        let outputs = leader.makeDurable()
        #expect(outputs.flatMap(\.readsReady).isEmpty)
        #expect(outputs.flatMap(\.readsFailed) == [ReadID(1)])
    }

    private struct Missing: Error {}
}
