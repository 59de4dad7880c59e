import RaftScenario
import Testing

@testable import RaftCore

@Suite struct ReplicationRuleTests {
    @Test("P1: an entry of an earlier term is not committed by counting (Raft, figure 8)")
    func figure8() throws {
        var world = World(servers: 5, limits: RaftLimits(entriesPerMessage: 1))
        try world.elect(n1)
        // (a) n1 leads and has its entry 2 on n2 only.
        try world.propose(n1, [1])
        try world.settle(losing: { $0.from == n1 && $0.to != n2 })
        #expect(world.core(n2).lastIndex == LogIndex(2))
        // (b) n1 dies; n5 is elected by n3 and n4, and makes another entry 2.
        try world.crash(n1, noticed: true)
        world.setLink(n2, n5, cut: true)
        try world.elect(n5, losing: { isAppend($0) })
        #expect(world.core(n5).term(at: LogIndex(2)) == Term(2))
        // (c) n5 dies; n1 is back, is elected, and gets its old entry 2 to n3, but its new entry 3 nowhere.
        try world.crash(n5, noticed: true)
        world.start(n1)
        let losesNew: (RaftMessage) -> Bool = { $0.to == n4 && isAppend($0) || carries($0, term: Term(3)) }
        try world.elect(n1, losing: losesNew)
        for _ in 0..<6 {
            try world.tick(n1)
            try world.settle(losing: losesNew)
        }
        let copies = [n1, n2, n3].filter { world.core($0).term(at: LogIndex(2)) == Term(1) }
        #expect(copies.count == 3 && world.core(n1).term == Term(3))
        #expect(world.core(n1).commitIndex < LogIndex(2))
        // (d) n1 dies again; n5 comes back and may well replace entry 2 everywhere.
        try world.crash(n1, noticed: true)
        world.start(n5)
        world.healNetwork()
        try world.elect(n5)
        #expect(world.core(n3).term(at: LogIndex(2)) == Term(2))
        #expect(world.checker.committed.count >= 2)
    }

    @Test("P1: the first entry of the own term commits all before it")
    func ridesAlong() {
        var core = RaftCore.lone(term: 1, log: [1, 1])
        core.win()
        core.hear(accepted(2), from: n2)
        #expect(core.commitIndex == .zero)
        core.hear(accepted(3), from: n2)
        #expect(core.commitIndex == LogIndex(3))
    }

    @Test("P6: the commit index never passes what this AppendEntries proved")
    func commitIsProven() {
        var core = RaftCore.lone(term: 1, log: [1, 1, 1, 1])
        // Entries 3 and 4 are not the leader's; the heartbeat proves nothing about them.
        core.hear(append(after: position(2, 1), commit: 9), from: n2, term: 2)
        #expect(core.commitIndex == LogIndex(2))
        core.hear(append(after: position(2, 1), terms: [2], commit: 9), from: n2)
        #expect(core.commitIndex == LogIndex(3))
        #expect(core.sync().committed.map(\.term) == [Term(1), Term(1), Term(2)])
    }

    @Test("P7: a late copy of an AppendEntries does not shorten the log")
    func lateCopy() {
        var core = RaftCore.lone(term: 1)
        core.hear(append(after: .start, terms: Array(repeating: 1, count: 10)), from: n2)
        core.sync()
        core.hear(append(after: .start, terms: Array(repeating: 1, count: 5)), from: n2)
        core.hear(append(after: position(3, 1)), from: n2)
        #expect(core.lastIndex == LogIndex(10) && core.persistedIndex == LogIndex(10))
        #expect(core.sync().entriesToAppend.isEmpty)
    }

    @Test("P7: what conflicts is cut, and only from there")
    func conflict() {
        var core = RaftCore.lone(term: 3, log: [1, 1, 2, 2])
        core.hear(append(after: position(1, 1), terms: [1, 3]), from: n2)
        #expect((1...4).map { core.term(at: LogIndex(UInt64($0))) } == [Term(1), Term(1), Term(3), nil])
        #expect(core.sync().entriesToAppend.map(\.index) == [LogIndex(3)])
    }

    @Test("P11: shuffled and repeated answers never take the match back, and only fresh rejections count")
    func shuffledAnswers() {
        for seed in 1...UInt64(50) {
            var random = SplitMix64(seed: seed)
            var core = RaftCore.lone(term: 1, log: Array(repeating: 1, count: 40), seed: seed)
            core.win()
            var match = LogIndex.zero
            for _ in 0..<300 {
                let index = random.next() % 42
                if random.next() % 3 == 0 {
                    let hint = position(index == 0 ? 0 : random.next() % index, 1)
                    core.hear(
                        rejected(index, hint: hint),
                        from: n2
                    )
                } else {
                    core.hear(accepted(index), from: n2)
                }
                _ = core.takeOutput()
                let peer = core.peerStatus[0]
                #expect(peer.match >= match && peer.next > peer.match && peer.match <= core.lastIndex, "seed \(seed)")
                match = peer.match
            }
        }
    }

    @Test("P11: a late rejection does not stop the stream; one of what was never acknowledged does")
    func lateRejection() {
        var core = RaftCore.lone(term: 1, log: [1, 1, 1])
        core.win()
        core.hear(accepted(4), from: n2)
        let reject = rejected(3, hint: position(1, 1))
        core.hear(reject, from: n2)
        #expect(core.peerStatus[0].isReplicating && core.peerStatus[0].next == LogIndex(5))
        _ = core.propose([1])
        _ = core.takeOutput()
        #expect(core.peerStatus[0].next == LogIndex(6))
        core.hear(rejected(5, hint: position(4, 2)), from: n2)
        #expect(!core.peerStatus[0].isReplicating && core.peerStatus[0].next == LogIndex(5))
        #expect(core.takeOutput().early(to: n2).count == 1)
    }

    @Test("P12: acknowledgements of an earlier term of the same leader are not counted")
    func ackOfEarlierTerm() {
        var core = RaftCore.lone()
        core.win()
        _ = core.propose([1])
        _ = core.propose([2])
        core.sync()
        // Deposed, its entries replaced, elected again.
        core.hear(append(after: .start, terms: [2]), from: n3, term: 2)
        core.sync()
        core.win()
        _ = core.propose([3])
        core.sync()
        #expect(core.term == Term(3) && core.lastIndex == LogIndex(3))
        core.hear(accepted(3), from: n2, term: 1)
        #expect(core.commitIndex == .zero && core.peerStatus[0].match == .zero)
        core.hear(accepted(3), from: n2)
        #expect(core.commitIndex == LogIndex(3))
    }

    @Test("P13: two long logs that part find their common point in one probe for each term")
    func fastBacktracking() throws {
        let common = Array(repeating: UInt64(1), count: 100)
        let logs = [UInt64(3), 2].map { first in
            common + stride(from: first, to: first + 20, by: 2).flatMap { Array(repeating: $0, count: 1000) }
        }
        let disks = logs.map { RestoredState(hardState: HardState(term: Term(30)), entries: entries(terms: $0)) }
        var world = World(servers: 2, disks: disks)
        var rejections = 0
        try world.elect(n1, losing: { isRejection($0, &rejections) })
        try world.pass(ticks: RaftTiming().heartbeatTicks)
        #expect(world.core(n2).lastIndex == LogIndex(10_101) && world.core(n2).commitIndex == LogIndex(10_101))
        #expect((1...11).contains(rejections), "\(rejections) probes failed")
    }

    @Test("all that was proposed since the last output goes in one message to each peer, and to the disk at once")
    func batching() {
        var core = RaftCore.lone()
        core.win()
        for peer in [n2, n3] { core.hear(accepted(1), from: peer) }
        core.sync()
        for value in 0..<100 { _ = core.propose([UInt8(value)]) }
        let output = core.takeOutput()
        #expect(output.messages.count == 2 && output.entriesToAppend.count == 100)
        for peer in [n2, n3] {
            guard case .appendEntries(let append) = output.early(to: peer).first else { return #expect(Bool(false)) }
            #expect(append.entries == output.entriesToAppend && append.previous == position(1, 1))
        }
        #expect(!core.hasOutput && core.takeOutput() == RaftOutput())
    }

    @Test("a peer that does not answer is sent no more than its window, and goes on where it stopped")
    func window() {
        var core = RaftCore.lone(limits: RaftLimits(entriesPerMessage: 2, inflightMessages: 3))
        core.win()
        core.hear(accepted(1), from: n2)
        core.sync()
        for _ in 0..<20 { _ = core.propose([1]) }
        #expect(core.takeOutput().early(to: n2).count == 3)
        _ = core.propose([2])
        #expect(core.takeOutput().early(to: n2).isEmpty)
        core.hear(accepted(5), from: n2)
        #expect(core.takeOutput().early(to: n2).count == 2 && core.peerStatus[0].next == LogIndex(12))
        // Closed and open again: one probe, sent with the next heartbeat, and then the stream.
        core.peerDisconnected(n2)
        #expect(core.takeOutput().early(to: n2).isEmpty)
        for _ in 0..<RaftTiming().heartbeatTicks { core.tick() }
        #expect(core.takeOutput().early(to: n2) == [append(after: position(5, 1), commit: 1)])
        core.hear(accepted(5), from: n2)
        #expect(core.takeOutput().early(to: n2).count == 3)
    }

    @Test("an entry larger than a message may be still goes, alone")
    func largeEntry() {
        var core = RaftCore.lone(limits: RaftLimits(bytesPerMessage: 10))
        core.win()
        core.hear(accepted(1), from: n2)
        core.sync()
        _ = core.propose(Array(repeating: 1, count: 100))
        _ = core.propose([1])
        let sizes = core.takeOutput().early(to: n2).map { kind -> [Int] in
            if case .appendEntries(let append) = kind { append.entries.map(\.payload.count) } else { [] }
        }
        #expect(sizes == [[100], [1]])
    }

    @Test("P15: whatever happens to a peer's progress, the window counts what is under way")
    func windowAccounts() {
        for seed in 1...UInt64(50) {
            var random = SplitMix64(seed: seed)
            var window = InflightWindow(messages: 5, bytes: 60)
            var model: [(last: UInt64, bytes: Int)] = []
            var last: UInt64 = 0
            for _ in 0..<500 {
                switch random.next() % 8 {
                case 0..<5 where !window.isFull:
                    last += 1 + random.next() % 3
                    let bytes = Int(random.next() % 30)
                    window.add(last: LogIndex(last), bytes: bytes)
                    model.append((last, bytes))
                case 5, 6:
                    let index = last < 4 ? 0 : last - random.next() % 4
                    window.release(upTo: LogIndex(index))
                    model.removeAll { $0.last <= index }
                case 7 where random.next() % 10 == 0:
                    window.removeAll()
                    model = []
                default: break
                }
                let bytes = model.reduce(0) { $0 + $1.bytes }
                #expect(window.count == model.count && window.bytes == bytes, "seed \(seed)")
                #expect(window.isFull == (window.count >= 5 || window.bytes >= 60))
            }
        }
    }
}

private func isAppend(_ message: RaftMessage) -> Bool {
    if case .appendEntries = message.kind { true } else { false }
}

/// Counts rejections, and loses none.
private func isRejection(_ message: RaftMessage, _ count: inout Int) -> Bool {
    if case .appendRejected = message.kind { count += 1 }
    return false
}

private func carries(_ message: RaftMessage, term: Term) -> Bool {
    guard case .appendEntries(let append) = message.kind else { return false }
    return append.entries.contains { $0.term == term }
}
