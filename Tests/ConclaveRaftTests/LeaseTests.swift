import RaftCore
import Testing

@testable import ConclaveRaft

/// What leases ask of the actors around the core, which pauses between two looks at the clock must not harm.
@Suite("Leases") struct LeaseTests {
    private func cluster() throws -> SteppedCluster {
        try SteppedCluster(3) { $0.timing.leaseDriftPercent = 10 }
    }

    @Test("P24: within its lease a leader answers although nothing can be sent; when it is over it does not")
    func answers() throws {
        let cluster = try cluster()
        let leader = cluster.elect()
        cluster.pass(.milliseconds(300))
        cluster.network.isolate(leader)
        let early = cluster.read(1, on: leader)
        cluster.steps.settle()
        #expect(early.value == .success(0))
        cluster.pass(.milliseconds(240))
        let late = cluster.read(1, on: leader)
        cluster.pass(.milliseconds(50))
        #expect(late.value == nil && cluster.status(leader).role == .leader)
        cluster.pass(.milliseconds(600))
        #expect(late.value == .failure(.noLeader))
    }

    @Test(
        "P24: a leader that is paused between its look at the clock and its read does not answer from a lease that ended meanwhile"
    )
    func pausedLeader() throws {
        let cluster = try cluster()
        let leader = cluster.elect()
        cluster.pass(.milliseconds(300))
        cluster.network.isolate(leader)
        let read = cluster.read(1, on: leader)
        // One look when the question is received; the next one is ten seconds later.
        cluster.clock(leader).jump(by: .seconds(10), afterLooks: 1)
        cluster.steps.settle()
        #expect(read.value == nil)
        cluster.pass(.milliseconds(10))
        #expect(read.value == .failure(.noLeader))
    }

    @Test(
        "P24: a follower that is paused within a batch promises from when it received the leader's word, not from when the batch began"
    )
    func pausedFollower() throws {
        let cluster = try cluster()
        let leader = cluster.elect()
        cluster.pass(.milliseconds(300))
        let (follower, other) = (cluster.ids.first { $0 != leader }!, cluster.ids.last { $0 != leader }!)
        // Both wait in the mailbox: the first opens the batch, then comes the pause, then the leader's word.
        let term = cluster.status(leader).term
        let last = LogPosition(index: cluster.status(leader).lastIndex, term: term)
        func heartbeat() -> WireMessage {
            let append = AppendEntries(
                previous: last,
                entries: [],
                leaderCommit: last.index,
                readRound: .zero,
                session: .zero
            )
            return .raft(RaftMessage(from: leader, to: follower, term: term, kind: .appendEntries(append)))
        }
        cluster.network.deliver(heartbeat(), from: leader, to: follower)
        cluster.network.deliver(heartbeat(), from: leader, to: follower)
        cluster.clock(follower).jump(by: .milliseconds(200), afterLooks: 1)
        cluster.steps.settle()
        // 300 ms are promised, from after the pause: 200 ms after it somebody asks for a vote.
        cluster.clock(follower).advance(by: .milliseconds(200))
        let request = RaftMessage(
            from: other,
            to: follower,
            term: term.next,
            kind: .voteRequest(last: last, isTransfer: false)
        )
        cluster.network.deliver(.raft(request), from: other, to: follower)
        cluster.steps.settle()
        #expect(cluster.status(follower).term == term)
        cluster.clock(follower).advance(by: .milliseconds(120))
        cluster.network.deliver(.raft(request), from: other, to: follower)
        cluster.steps.settle()
        #expect(cluster.status(follower).term == term.next)
    }
}
