import RaftCore
import Testing

@testable import ConclaveRaft

@Suite("Members come and go", .timeLimit(.minutes(2)), .serialized)
struct MembershipTests {
    /// Nothing if a request was carried out, else what is told.
    private func done(_ error: AdminError?) -> Bool {
        if let error { Issue.record("a request failed: \(error)") }
        return error == nil
    }

    /// Three servers, each of which knows the data directories of all.
    private func foundedCluster() async throws -> TCPCluster {
        let cluster = try await TCPCluster(3)
        await cluster.board.wait { facts in
            cluster.founders.allSatisfy { id in
                facts.configurations[id]?.records.count { $0.incarnation != nil } == 3
            }
        }
        return cluster
    }

    private func record(_ id: NodeID, _ cluster: TCPCluster, promoted: Bool = false) -> MemberRecord {
        MemberRecord(id, peerAddress: cluster.address(of: id), isToBePromoted: promoted)
    }

    @Test(
        "a server that joins waits, learns of the cluster when it is added, has all that was written, and votes when promoted"
    )
    func join() async throws {
        let cluster = try await TCPCluster(3)
        for count in 1...20 { #expect(await cluster.count(7, on: NodeID(1)) == count) }
        let four = NodeID(4)
        try cluster.start(four)
        await cluster.board.wait { $0.standings[four] == .waiting }
        // Through a follower: it passes the request on.
        let leader = await cluster.leader()
        let follower = try #require(cluster.founders.first { $0 != leader })
        #expect(done(await cluster.insist(.add(record(four, cluster)), on: follower)))
        await cluster.board.wait { $0.standings[four] == .learner }
        #expect(await cluster.read(7, on: four) == 20)
        #expect(done(await cluster.insist(.promote(four), on: follower)))
        await cluster.board.wait { $0.standings[four] == .voter }
        #expect(await cluster.count(7, on: four) == 21)
        // It is needed and does its part: two of the old servers are gone.
        let gone = try #require(cluster.founders.first { $0 != leader && $0 != follower })
        await cluster.stop(gone)
        #expect(await cluster.count(7, on: leader) == 22)
        await cluster.shutdown()
    }

    @Test("a server that is added without being a learner for good becomes a voter by itself")
    func promotedByItself() async throws {
        let cluster = try await TCPCluster(1)
        #expect(await cluster.count(7, on: NodeID(1)) == 1)
        for id in [NodeID(2), NodeID(3)] {
            try cluster.start(id)
            #expect(await cluster.insist(.add(record(id, cluster, promoted: true)), on: NodeID(1)) == nil)
            await cluster.board.wait { $0.standings[id] == .voter }
        }
        #expect(await cluster.read(7, on: NodeID(3)) == 1)
        // The founder is not needed any more, and knows.
        #expect(await cluster.insist(.remove(NodeID(1)), on: NodeID(2)) == nil)
        await cluster.board.wait { $0.standings[NodeID(1)] == .removed }
        #expect(await cluster.count(7, on: NodeID(3)) == 2)
        await cluster.shutdown()
    }

    @Test(
        "what members are and where they are found is in the log, with their data directories, soon after the founding"
    )
    func recorded() async throws {
        let cluster = try await TCPCluster(3)
        await cluster.board.wait { facts in
            cluster.founders.allSatisfy { id in
                let records = facts.configurations[id]?.records ?? []
                return records.count == 3 && records.allSatisfy { $0.incarnation != nil && !$0.clientAddress.isEmpty }
            }
        }
        await cluster.shutdown()
    }

    @Test("P26: a removed leader hands over, says that it is removed, and stops campaigning; the others go on")
    func removedLeader() async throws {
        let cluster = try await TCPCluster(3)
        #expect(await cluster.count(7, on: NodeID(1)) == 1)
        let leader = await cluster.leader()
        let other = try #require(cluster.founders.first { $0 != leader })
        #expect(done(await cluster.insist(.remove(leader), on: other)))
        await cluster.board.wait { $0.standings[leader] == .removed }
        #expect(await cluster.count(7, on: other) == 2)
        #expect(await cluster.leader(other: leader) != leader)
        await cluster.board.wait { $0.roles[leader] == .follower }
        await cluster.shutdown()
    }

    @Test("P26: a server that was away when it was removed is told by the others when it asks for votes")
    func removedWhileAway() async throws {
        let cluster = try await TCPCluster(3)
        let leader = await cluster.leader()
        let away = try #require(cluster.founders.first { $0 != leader })
        #expect(await cluster.count(7, on: leader) == 1)
        await cluster.stop(away)
        #expect(done(await cluster.insist(.remove(away), on: leader)))
        try cluster.start(away)
        await cluster.board.wait { $0.standings[away] == .removed }
        // Added again, it is one of them again.
        #expect(done(await cluster.insist(.add(record(away, cluster, promoted: true)), on: leader)))
        await cluster.board.wait { $0.standings[away] == .voter }
        #expect(await cluster.read(7, on: away) == 1)
        await cluster.shutdown()
    }

    @Test(
        "P28: a server whose disk was wiped is refused under its old number, and nothing acknowledged is lost when the leader dies"
    )
    func wiped() async throws {
        let cluster = try await foundedCluster()
        let leader = await cluster.leader()
        let others = cluster.founders.filter { $0 != leader }
        let (wiped, behind) = (others[0], others[1])
        // The one that will be behind has acknowledged the entries with the incarnations: without it there is no majority.
        await cluster.stop(wiped)
        #expect(await cluster.count(8, on: leader) == 1)
        try cluster.start(wiped)
        // Only the leader and the one that will be wiped have this.
        await cluster.stop(behind)
        #expect(await cluster.count(7, on: leader) == 1)
        await cluster.stop(wiped)
        cluster.wipe(wiped)
        await cluster.stop(leader)
        // With its old vote, the wiped server and the one behind would be a majority without the write.
        try cluster.start(wiped)
        try cluster.start(behind)
        await cluster.board.wait { $0.refused.contains(wiped) }
        try cluster.start(leader)
        #expect(await cluster.read(7, on: behind) == 1)
        #expect(!cluster.board.facts.roles.contains { $0.key == wiped && $0.value == .leader })
        // The way out: remove it, and add it as a new server.
        #expect(done(await cluster.insist(.remove(wiped), on: leader)))
        await cluster.stop(wiped)
        cluster.wipe(wiped)
        try cluster.start(wiped, joins: true)
        #expect(done(await cluster.insist(.add(record(wiped, cluster, promoted: true)), on: leader)))
        await cluster.board.wait { $0.standings[wiped] == .voter }
        #expect(await cluster.read(7, on: wiped) == 1)
        await cluster.shutdown()
    }

    @Test(
        "P28: a wiped server is removed and added again under its old number, while the same leader goes on"
    )
    func wipedAndAddedAgain() async throws {
        let cluster = try await foundedCluster()
        let leader = await cluster.leader()
        let wiped = try #require(cluster.founders.first { $0 != leader })
        #expect(await cluster.count(7, on: leader) == 1)
        await cluster.stop(wiped)
        cluster.wipe(wiped)
        #expect(done(await cluster.insist(.remove(wiped), on: leader)))
        #expect(done(await cluster.insist(.add(record(wiped, cluster, promoted: true)), on: leader)))
        // Time for the leader to write down what it knows of the member: nothing that was said before the wipe.
        for number in 2...600 { #expect(await cluster.count(7, on: leader) == number) }
        try cluster.start(wiped, joins: true)
        await cluster.board.wait { $0.standings[wiped] == .voter }
        #expect(await cluster.read(7, on: wiped) == 600)
        await cluster.shutdown()
    }

    @Test("a server is what it was until the change that removes it is committed")
    func onItsWayOut() {
        let founders = Configuration(voters: [NodeID(1), NodeID(2), NodeID(3)])
        var core = RaftCore(id: NodeID(2), configuration: founders, seed: 1)
        func hear(_ entries: [Entry], after previous: LogPosition, commit: UInt64) {
            let append = AppendEntries(
                previous: previous,
                entries: entries,
                leaderCommit: LogIndex(commit),
                readRound: .zero,
                session: .zero
            )
            core.step(RaftMessage(from: NodeID(1), to: NodeID(2), term: Term(1), kind: .appendEntries(append)))
        }
        let rest = Configuration(voters: [NodeID(1), NodeID(3)]).encoded()
        let removal = Entry(term: Term(1), index: LogIndex(1), kind: .configuration, payload: rest)
        #expect(core.standing == .voter)
        hear([removal], after: .start, commit: 0)
        #expect(core.configuration.voters.count == 2 && core.standing == .voter)
        hear([], after: LogPosition(index: LogIndex(1), term: Term(1)), commit: 1)
        #expect(core.standing == .removed)
        #expect(RaftCore(id: NodeID(4), configuration: .unknown, seed: 1).standing == .waiting)
    }

    @Test("leadership goes where it is sent, again and again, and what is written meanwhile is done once")
    func transfers() async throws {
        let cluster = try await TCPCluster(3)
        async let counted = { () async -> Int in
            var last = 0
            for _ in 0..<200 { last = await cluster.count(7, on: NodeID(1)) }
            return last
        }()
        for round in 0..<10 {
            let target = cluster.founders[round % 3]
            let error = await cluster.insist(.transferLeadership(to: target), on: cluster.founders[(round + 1) % 3])
            #expect(error == nil || error == .refused(.alreadyLeader) || error == .request(.timeout), "\(error as Any)")
        }
        #expect(await counted == 200)
        await cluster.shutdown()
    }

    @Test("whoever is demoted is not to be promoted by itself any more")
    func demotionLasts() throws {
        let record = MemberRecord(NodeID(2), peerAddress: "127.0.0.1:1", isToBePromoted: true)
        let before = Configuration(voters: [NodeID(1), NodeID(2)], records: [record])
        let after = try before.changed(by: [.demote(NodeID(2))])
        #expect(after.learners == [NodeID(2)] && after.record(of: NodeID(2))?.isToBePromoted == false)
    }

    @Test("a voter that is demoted is a learner that stays one, gets all that is written, and may be promoted again")
    func demoted() async throws {
        let cluster = try await foundedCluster()
        let four = NodeID(4)
        try cluster.start(four)
        let leader = await cluster.leader()
        #expect(done(await cluster.insist(.add(record(four, cluster, promoted: true)), on: leader)))
        await cluster.board.wait { $0.standings[four] == .voter }
        #expect(done(await cluster.insist(.demote(four), on: leader)))
        await cluster.board.wait { $0.standings[four] == .learner }
        #expect(await cluster.count(7, on: four) == 1)
        // So may be the leader itself, which hands over.
        let last = await cluster.leader()
        #expect(done(await cluster.insist(.demote(last), on: last)))
        await cluster.board.wait { $0.standings[last] == .learner }
        let next = await cluster.leader(other: last)
        #expect(done(await cluster.insist(.promote(last), on: next)))
        await cluster.board.wait { $0.standings[last] == .voter }
        #expect(await cluster.count(7, on: last) == 2)
        await cluster.shutdown()
    }

    @Test("two servers take the places of two others, the leader among them, in one step")
    func replacedTogether() async throws {
        let cluster = try await foundedCluster()
        let (four, five) = (NodeID(4), NodeID(5))
        for id in [four, five] { try cluster.start(id) }
        #expect(await cluster.count(7, on: cluster.founders[0]) == 1)
        let leader = await cluster.leader()
        let added = await cluster.insist(
            .change([.add(record(four, cluster)), .add(record(five, cluster))]),
            on: leader
        )
        #expect(done(added))
        let old = try #require(cluster.founders.first { $0 != leader })
        let stays = try #require(cluster.founders.first { $0 != leader && $0 != old })
        #expect(
            done(
                await cluster.insist(
                    .change([.promote(four), .promote(five), .remove(old), .remove(leader)]),
                    on: leader
                )
            )
        )
        await cluster.board.wait { facts in
            let members = [four, five, stays].allSatisfy { facts.standings[$0] == .voter }
            return members && facts.standings[leader] == .removed
        }
        for id in [old, leader] { await cluster.stop(id) }
        #expect(await cluster.count(7, on: stays) == 2)
        #expect(Set(cluster.server(stays).status.current.voters) == [stays, four, five])
        await cluster.shutdown()
    }

    @Test("a request that makes no sense is refused, each with its reason")
    func refusals() async throws {
        let cluster = try await TCPCluster(2)
        let leader = await cluster.leader()
        let follower = try #require(cluster.founders.first { $0 != leader })
        let stranger = MemberRecord(NodeID(9), peerAddress: "127.0.0.1:1")
        let cases: [(AdminCommand, AdminRefusal)] = [
            (.add(record(leader, cluster)), .alreadyMember),
            (.add(MemberRecord(NodeID(9), peerAddress: cluster.address(of: leader))), .addressTaken),
            (.promote(NodeID(9)), .unknownServer),
            (.promote(follower), .alreadyVoter),
            (.demote(NodeID(9)), .unknownServer),
            (.change([.remove(follower), .demote(follower)]), .namedTwice),
            (.change([.remove(follower), .remove(leader)]), .noVoterLeft),
            (.change([.remove(follower), .promote(NodeID(9))]), .unknownServer),
            (.change([.add(stranger), .add(MemberRecord(NodeID(8), peerAddress: "127.0.0.1:1"))]), .addressTaken),
            (.remove(NodeID(9)), .unknownServer),
            (.transferLeadership(to: NodeID(9)), .unknownServer),
            (.transferLeadership(to: leader), .alreadyLeader),
        ]
        for (command, refusal) in cases {
            #expect(await cluster.insist(command, on: follower) == .refused(refusal), "\(command)")
        }
        // Nobody is there: it never catches up.
        #expect(done(await cluster.insist(.add(stranger), on: leader)))
        let promoted = await cluster.administrate(.promote(NodeID(9)), on: leader)
        #expect(promoted == .refused(.notCaughtUp))
        #expect(await cluster.insist(.demote(NodeID(9)), on: leader) == .refused(.alreadyLearner))
        #expect(await cluster.insist(.transferLeadership(to: NodeID(9)), on: leader) == .refused(.notVoter))
        #expect(done(await cluster.insist(.remove(NodeID(9)), on: leader)))
        #expect(done(await cluster.insist(.remove(follower), on: leader)))
        #expect(await cluster.insist(.remove(leader), on: leader) == .refused(.noVoterLeft))
        #expect(await cluster.insist(.transferLeadership(to: nil), on: leader) == .refused(.noSuccessor))
        await cluster.shutdown()
    }
}
