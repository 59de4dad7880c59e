import Testing

@testable import RaftCore

@Suite struct FlowRuleTests {
    @Test("P15: whatever happens to a peer, what it is charged is what is under way, and it is never stuck")
    func quota() {
        var wrong = 0
        for seed in 1...UInt64(randomHistories / 40) {
            var random = SplitMix64(seed: seed)
            let limits = RaftLimits(inflightMessages: 4, inflightBytes: 60)
            var peer = Progress(
                id: n2,
                session: ReplicationSession(1),
                votes: .voters,
                next: LogIndex(1),
                heardAt: 0,
                limits: limits
            )
            var underWay: [(last: LogIndex, bytes: Int)] = []
            var last = LogIndex(1)
            for now in 0..<UInt64(60) {
                last = last + Int(random.next() % 3)
                switch random.next() % 9 {
                case 0...2 where peer.acceptsEntries && peer.next <= last:
                    let end = min(last, peer.next + Int(random.next() % 3))
                    let bytes = Int(random.next() % 40)
                    if peer.isReplicating { underWay.append((end, bytes)) }
                    peer.sent(upTo: end, bytes: bytes)
                case 3, 4: _ = peer.accepted(peer.match + Int(random.next() % UInt64(peer.next - peer.match)))
                case 5: _ = peer.rejected(previousIndex: peer.next - 1, hint: peer.match)
                case 6: peer.disconnected(now: now)
                case 7 where random.next() % 3 == 0:
                    let snapshot = SnapshotMetadata(
                        last: LogPosition(index: last, term: Term(1)),
                        configuration: Configuration(voters: [n1, n2])
                    )
                    peer.needsSnapshot(snapshot)
                case 8 where random.next() % 3 == 0:
                    peer.lost(from: LogIndex(1 + random.next() % last.rawValue), session: ReplicationSession(now + 2))
                default: break
                }
                if !peer.isReplicating { underWay = [] }
                underWay.removeAll { $0.last <= peer.match }
                if peer.inflight.count != underWay.count { wrong += 1 }
                if peer.inflight.bytes != underWay.reduce(0, { $0 + $1.bytes }) { wrong += 1 }
                if peer.next <= peer.match { wrong += 1 }
            }
            // An answer to all that may be under way frees the peer, whatever state it was in.
            _ = peer.accepted(last)
            if !peer.isReplicating || !peer.acceptsEntries || peer.inflight.bytes != 0 { wrong += 1 }
        }
        #expect(wrong == 0)
    }

    @Test("a leader's uncommitted bytes are bounded: one more command is refused, until a quorum has caught up")
    func uncommittedBytes() {
        var core = RaftCore.lone(limits: RaftLimits(uncommittedBytes: 100))
        core.win()
        core.hear(accepted(1), from: n2)
        let large = [UInt8](repeating: 1, count: 300)
        #expect(core.propose(large) == .appended(index: LogIndex(2), term: Term(1)))
        #expect(core.propose([1]) == .refused(.tooMuchUncommitted))
        core.sync()
        core.hear(accepted(2), from: n2)
        for index in 3...UInt64(6) {
            #expect(core.propose(Array(repeating: 2, count: 25)) == .appended(index: LogIndex(index), term: Term(1)))
        }
        #expect(core.propose([1]) == .refused(.tooMuchUncommitted))
        core.sync()
        core.hear(accepted(4), from: n3)
        #expect(core.uncommittedBytes == 50)
        #expect(core.propose([1]) == .appended(index: LogIndex(7), term: Term(1)))
        // A later leader counts what it finds.
        core.hear(append(after: position(7, 1)), from: n2, term: 2)
        core.win()
        #expect(core.uncommittedBytes == 51)
    }

    @Test("P12: an answer of an earlier session is not counted, in the same term of the same leader")
    func sessions() {
        var core = RaftCore.lone()
        core.win()
        core.sync()
        _ = core.propose([1])
        core.sync()
        let old = core.peers[0].session
        core.hear(.entriesLost(from: LogIndex(1), session: .zero), from: n2)
        #expect(core.peers[0].session != old)
        core.hear(accepted(2), from: n2, session: old)
        #expect(core.commitIndex == .zero && core.peers[0].match == .zero)
        core.hear(accepted(2), from: n2)
        #expect(core.commitIndex == LogIndex(2))
    }
}
