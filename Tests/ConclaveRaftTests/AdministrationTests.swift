import RaftCore
import Testing

@testable import ConclaveRaft

@Suite("Requests about the cluster that are passed on")
struct AdministrationTests {
    /// A follower of server 2.
    private func follower() -> RaftCore {
        var core = RaftCore(id: NodeID(1), voters: [NodeID(1), NodeID(2), NodeID(3)], seed: 1)
        let heartbeat = AppendEntries(
            previous: .start,
            entries: [],
            leaderCommit: .zero,
            readRound: .zero,
            session: .zero
        )
        core.step(RaftMessage(from: NodeID(2), to: NodeID(1), term: Term(1), kind: .appendEntries(heartbeat)))
        return core
    }

    /// The number under which a request of client 7 went to server 2.
    private func passedOn(by administration: inout Administration<Int>) throws -> UInt64 {
        var core = follower()
        let actions = administration.request(.remove(NodeID(3)), by: .client(7), &core, deadline: 100)
        guard case .forward(let command, let request, NodeID(2)) = try #require(actions.first),
            command == .remove(NodeID(3))
        else {
            Issue.record("not passed on to the leader: \(actions)")
            return 0
        }
        return request
    }

    @Test("an answer to the process before a restart is not taken for an answer to this one")
    func processes() throws {
        var (before, now) = (Administration<Int>(process: 1 << 40), Administration<Int>(process: .max))
        let old = try passedOn(by: &before)
        let new = try passedOn(by: &now)
        #expect(now.answered(old, by: NodeID(2), .success(())).isEmpty)
        #expect(now.answered(new, by: NodeID(2), .success(())).count == 1)
        #expect(now.isIdle)
    }

    @Test("only the server that a request was passed on to can answer it, and once")
    func sender() throws {
        var administration = Administration<Int>(process: 9)
        let request = try passedOn(by: &administration)
        #expect(administration.answered(request, by: NodeID(3), .success(())).isEmpty)
        let actions = administration.answered(request, by: NodeID(2), .failure(.refused(.unknownServer)))
        guard case .answer(.client(7), .failure(.refused(.unknownServer))) = try #require(actions.first) else {
            Issue.record("the client was told something else: \(actions)")
            return
        }
        #expect(administration.answered(request, by: NodeID(2), .success(())).isEmpty)
    }
}
