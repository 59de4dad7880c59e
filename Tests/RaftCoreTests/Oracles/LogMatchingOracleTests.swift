import Testing

@testable import RaftCore

@Suite("Oracle: log matching") struct LogMatchingOracleTests {
    /// A follower as figure 2 of the paper has it, without anything clever: the terms of its entries, and what it knows to be committed.
    private struct Follower {
        var terms: [UInt64] = []
        var commit = 0

        /// Whether it has what the message follows.
        mutating func hear(previous: Int, _ leader: [UInt64], upTo end: Int, leaderCommit: Int) -> Bool {
            guard previous <= terms.count, previous == 0 || terms[previous - 1] == leader[previous - 1] else {
                return false
            }
            var index = previous
            while index < end {
                if index >= terms.count {
                    terms.append(leader[index])
                } else if terms[index] != leader[index] {
                    terms.removeLast(terms.count - index)
                    terms.append(leader[index])
                }
                index += 1
            }
            commit = max(commit, min(leaderCommit, end))
            return true
        }
    }

    /// How a core is made worse for a test.
    private typealias Meddling = @Sendable (inout RaftCore, _ end: Int) -> Void

    private static let fresh = RaftCore.lone()

    /// Leaders of ascending terms, each with the committed prefix of the one before; their messages come in any order, some of a leader
    /// that was.
    private static func history(_ random: inout SplitMix64, _ meddle: Meddling = { _, _ in }) -> Bool {
        var core = fresh
        var follower = Follower()
        var leader: [UInt64] = []
        var committed = 0
        var term: UInt64 = 0
        for _ in 0..<(2 + Int(random.next() % 3)) {
            let former = (leader: leader, term: term)
            term += 1 + random.next() % 2
            leader = Array(leader.prefix(committed + Int(random.next() % UInt64(leader.count - committed + 1))))
            for _ in 0..<(1 + Int(random.next() % 4)) { leader.append(term) }
            for _ in 0..<(1 + Int(random.next() % 4)) {
                let draw = random.next()
                let isStale = former.term > 0 && draw >> 60 == 0
                let (sender, senderTerm) = isStale ? former : (leader, term)
                let previous = Int(draw % UInt64(sender.count + 1))
                let end = previous + Int(draw >> 16 % UInt64(sender.count - previous + 1))
                let isHeard = core.term.rawValue <= senderTerm
                core.hear(
                    append(
                        after: position(UInt64(previous), previous == 0 ? 0 : sender[previous - 1]),
                        terms: Array(sender[previous..<end]),
                        commit: UInt64(committed)
                    ),
                    from: NodeID(2 + senderTerm % 2),
                    term: senderTerm
                )
                meddle(&core, end)
                // Behind its commit index a follower need not look: those entries are every leader's.
                let isAccepted =
                    isHeard
                    && (previous < follower.commit
                        || follower.hear(previous: previous, sender, upTo: end, leaderCommit: committed))
                if !agree(core, follower) { return false }
                let output = core.sync()
                if isHeard, !answers(output, isAccepted, previous, end, follower) { return false }
                // A quorum may have what this follower has of the leader's own term.
                if !isStale, isAccepted, end > committed, sender.count >= end, sender[end - 1] == term {
                    committed = end
                }
            }
        }
        return true
    }

    private static func agree(_ core: RaftCore, _ follower: Follower) -> Bool {
        guard core.lastIndex.rawValue == UInt64(follower.terms.count) else { return false }
        guard core.commitIndex.rawValue == UInt64(follower.commit) else { return false }
        var index = 0
        while index < follower.terms.count {
            if core.term(at: LogIndex(UInt64(index + 1)))?.rawValue != follower.terms[index] { return false }
            index += 1
        }
        return true
    }

    /// What it says it has, it has; and it hints at nothing it lacks.
    private static func answers(
        _ output: RaftOutput,
        _ isAccepted: Bool,
        _ previous: Int,
        _ end: Int,
        _ follower: Follower
    ) -> Bool {
        for message in output.messages + output.messagesAfterPersist {
            switch message.kind {
            case .appendAccepted(let match, _, _):
                if !isAccepted || match.rawValue > UInt64(max(end, follower.commit)) { return false }
            case .appendRejected(_, let hint, _, _):
                let place = Int(hint.index.rawValue)
                if isAccepted || place > min(previous, follower.terms.count) { return false }
                if place > 0, follower.terms[place - 1] != hint.term.rawValue { return false }
            default: break
            }
        }
        return true
    }

    @Test("P6, P7: a follower's log, commit index and answers are those of the paper's, whatever leaders send")
    func agrees() async {
        let wrong = await wrongSeeds { Self.history(&$0) }
        #expect(wrong.isEmpty)
    }

    @Test("P6, P7: a follower that cuts its log behind each message, or commits all it has, is noticed")
    func notices() async {
        let planted: [Meddling] = [
            { core, end in
                let cut = LogIndex(UInt64(end)).next
                if cut > core.commitIndex, cut <= core.lastIndex { core.log.truncate(from: cut) }
            },
            { core, _ in core.commitIndex = core.lastIndex },
        ]
        for meddle in planted {
            let wrong = await wrongSeeds(histories: 1000) { Self.history(&$0, meddle) }
            #expect(!wrong.isEmpty)
        }
    }
}
