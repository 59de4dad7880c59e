import Testing

@testable import RaftCore

@Suite struct AwaitedCommitTests {
    @Test("a follower whose client waits hears of the commit at once, the others with the next message")
    func followerHearsAtOnce() throws {
        let (n1, n2, n3) = (NodeID(1), NodeID(2), NodeID(3))
        var core = RaftCore(id: n1, voters: [n1, n2, n3], seed: 1)
        while core.role != .candidate {
            core.tick()
            for message in drain(&core).messages {
                guard case .preVoteRequest = message.kind else { continue }
                core.step(answer(message, .preVoteResponse(granted: true, campaignTerm: message.term)))
            }
        }
        core.step(RaftMessage(from: n2, to: n1, term: core.term, kind: .voteResponse(granted: true)))
        _ = drain(&core)
        try #require(core.role == .leader)
        core.step(accepted(by: n2, core.lastIndex, core))
        core.step(accepted(by: n3, core.lastIndex, core))
        _ = drain(&core)

        guard case .appended(let index, _) = core.propose([7]) else { return #expect(Bool(false), "a leader proposes") }
        core.awaitCommit(of: index, for: n3)
        _ = drain(&core)
        core.step(accepted(by: n2, index, core))
        let told = drain(&core).messages
        #expect(core.commitIndex == index)
        #expect(told.map(\.to) == [n3])
        guard case .appendEntries(let append)? = told.first?.kind else {
            return #expect(Bool(false), "an AppendEntries")
        }
        #expect(append.leaderCommit == index)
        #expect(append.entries.isEmpty)
    }

    private func answer(_ message: RaftMessage, _ kind: RaftMessage.Kind) -> RaftMessage {
        RaftMessage(from: message.to, to: message.from, term: message.term, kind: kind)
    }

    private func accepted(by peer: NodeID, _ index: LogIndex, _ core: RaftCore) -> RaftMessage {
        let session = core.place(of: peer).map { core.peers[$0].session } ?? .zero
        let kind = RaftMessage.Kind.appendAccepted(match: index, readRound: .zero, session: session)
        return RaftMessage(from: peer, to: core.id, term: core.term, kind: kind)
    }

    /// Takes what is due and makes it durable at once.
    private func drain(_ core: inout RaftCore) -> RaftOutput {
        var all = RaftOutput()
        while core.hasOutput {
            let output = core.takeOutput()
            all.messages += output.messages
            if let ticket = output.ticket { core.persisted(ticket) }
        }
        return all
    }
}
