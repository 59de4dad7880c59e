import Testing

@testable import RaftCore

@Suite struct DurabilityTests {
    private let vote = RaftMessage.Kind.voteRequest(last: .start)

    @Test("P8: a vote leaves after it is durable, so a crash before that does not make a server vote twice")
    func voteWaitsForDisk() {
        var disk = Disk()
        var core = Script.core()
        core.hears(vote, from: Script.n2, in: 1)
        let lost = core.takeOutput()
        #expect(lost.hardState == HardState(term: Term(1), vote: Script.n2))
        #expect(!lost.messages.contains { $0.kind == .voteResponse(granted: true) })
        #expect(lost.messagesAfterPersist.map(\.kind) == [.voteResponse(granted: true)])

        // Crashed before the write: the vote was never sent, another one is free to give.
        core = disk.restart(Script.n1, of: Script.three)
        core.hears(vote, from: Script.n3, in: 1)
        let kept = core.takeOutput()
        #expect(kept.messagesAfterPersist.map(\.to) == [Script.n3])
        disk.write(kept)

        // Crashed after the write: whoever asks now in this term is refused.
        core = disk.restart(Script.n1, of: Script.three)
        core.hears(vote, from: Script.n2, in: 1)
        #expect(core.says().map(\.kind) == [.voteResponse(granted: false)])
    }

    @Test("P8: entries are acknowledged, and counted by their leader, only when they are durable")
    func acknowledgementWaitsForDisk() throws {
        var follower = Script.core()
        follower.hears(Script.append(Script.log(1)), from: Script.n2, in: 1)
        let output = follower.takeOutput()
        #expect(!output.messages.contains { $0.kind == Script.accepted(1) })
        #expect(output.messagesAfterPersist.map(\.kind) == [Script.accepted(1)])

        var leader = Script.leader()
        let writes = leader.takeOutput()
        #expect(writes.messages.count == 2, "replication does not wait for the leader's own disk")
        leader.hears(Script.accepted(1), from: Script.n2)
        #expect(leader.commitIndex == .zero, "one follower alone is no majority")
        leader.persisted(try #require(writes.ticket))
        #expect(leader.commitIndex == LogIndex(1))
    }

    @Test("P9: a new term and its entries are handed to the disk in one output")
    func termGoesWithEntries() {
        var follower = Script.core(term: 1)
        follower.hears(Script.append(Script.log(2)), from: Script.n2, in: 2)
        let output = follower.takeOutput()
        #expect(output.hardState?.term == Term(2))
        #expect(output.entriesToAppend.map(\.term) == [Term(2)])
        #expect(output.ticket != nil)
    }

    @Test("P10: a late completion says nothing about an entry that was replaced and replaced back (etcd's ABA race)")
    func lateCompletion() throws {
        var follower = Script.core()
        follower.hears(Script.append(Script.log(2)), from: Script.n2, in: 2)
        let first = try #require(follower.takeOutput().ticket)
        follower.hears(Script.append(Script.log(3)), from: Script.n3, in: 3)
        let second = try #require(follower.takeOutput().ticket)
        follower.hears(Script.append(Script.log(2)), from: Script.n2, in: 4)
        let third = try #require(follower.takeOutput().ticket)

        follower.persisted(first)
        #expect(follower.persistedIndex == .zero, "the disk may hold the entry of term 3 by now")
        follower.persisted(second)
        #expect(follower.persistedIndex == .zero)
        follower.persisted(third)
        #expect(follower.persistedIndex == LogIndex(1))
    }
}
