import RaftCore
import Testing

@testable import ConclaveRaft

@Suite("Commands that wait")
struct PendingProposalsTests {
    private typealias Pending = PendingProposals<Int>

    private func proposal(_ name: Int, term: UInt64?, deadline: UInt64 = .max) -> Pending.Proposal {
        let term = term.map { Term($0) }
        return .init(payload: [UInt8(truncatingIfNeeded: name)], completion: name, term: term, deadline: deadline)
    }

    @Test("a command is completed once, by its own number")
    func completion() {
        var pending = Pending()
        let first = pending.nextSequence
        pending.add(proposal(10, term: 1))
        pending.add(proposal(11, term: 1))
        #expect(pending.complete(first + 1) == 11)
        #expect(pending.complete(first + 1) == nil)
        #expect(pending.complete(first) == 10)
        #expect(pending.complete(first) == nil)
        #expect(pending.complete(first + 2) == nil)
        #expect(pending.complete(0) == nil)
        #expect(pending.complete(.max) == nil)
        #expect(pending.count == 0 && pending.payloadBytes == 0)
    }

    @Test("a command is lost when an entry of a later term is committed, not before, and is told once for each term")
    func lost() {
        var pending = Pending()
        let first = pending.nextSequence
        pending.add(proposal(1, term: 3))
        pending.add(proposal(2, term: 4))
        pending.add(proposal(3, term: nil))
        #expect(pending.lostCommands(committed: Term(2)) == [])
        #expect(pending.lostCommands(committed: Term(3)) == [])
        #expect(pending.lostCommands(committed: Term(4)) == [first])
        #expect(pending.lostCommands(committed: Term(4)) == [])
        pending.setTerm(first, Term(5))
        #expect(pending.lostCommands(committed: Term(5)) == [first + 1])
    }

    @Test("a command without a leader waits until it is given a term")
    func waiting() {
        var pending = Pending()
        let first = pending.nextSequence
        pending.add(proposal(1, term: nil))
        pending.add(proposal(2, term: 1))
        #expect(pending.waiting() == [first])
        pending.setTerm(first, Term(2))
        pending.setTerm(first + 1, nil)
        #expect(pending.waiting() == [first + 1])
        #expect(pending.payload(first + 1) == [2])
        #expect(pending.payload(first + 2) == nil)
    }

    @Test("of the commands that wait, the first so many bytes are passed on again, and one however large")
    func waitingBytes() {
        var pending = Pending()
        let first = pending.nextSequence
        for (size, term) in [(5, nil), (100, Term(1)), (3, nil), (4, nil), (1, nil)] {
            let payload = [UInt8](repeating: 1, count: size)
            pending.add(.init(payload: payload, completion: size, term: term, deadline: 9))
        }
        #expect(pending.waiting(upToBytes: 1) == [first])
        #expect(pending.waiting(upToBytes: 8) == [first, first + 2])
        #expect(pending.waiting(upToBytes: 11) == [first, first + 2])
        #expect(pending.waiting(upToBytes: 100) == pending.waiting())
    }

    @Test("a refusal is about a command that is not done and was last proposed in the same term")
    func refused() {
        var pending = Pending()
        let first = pending.nextSequence
        pending.add(proposal(1, term: 3))
        pending.add(proposal(2, term: nil))
        #expect(pending.isProposed(first, in: Term(3)))
        #expect(!pending.isProposed(first, in: Term(2)))
        #expect(!pending.isProposed(first + 1, in: Term(3)))
        #expect(!pending.isProposed(first + 2, in: Term(3)))
        _ = pending.complete(first)
        #expect(!pending.isProposed(first, in: Term(3)))
    }

    @Test("only a command that was never sent, or is known to be lost, has expired without any effect")
    func expiry() {
        var pending = Pending()
        let first = pending.nextSequence
        pending.add(proposal(1, term: 1, deadline: 5))
        pending.add(proposal(2, term: nil, deadline: 5))
        pending.add(proposal(3, term: 1, deadline: 6))
        #expect(pending.expire(at: 4).isEmpty)
        let expired = pending.expire(at: 5)
        #expect(expired.map(\.completion) == [1, 2])
        #expect(expired.map(\.mayBeDone) == [true, false])
        #expect(pending.complete(first) == nil)
        #expect(pending.expire(at: .max).map(\.completion) == [3])
        #expect(pending.count == 0)
    }

    @Test("a million commands leave no memory behind")
    func memory() {
        var pending = Pending()
        var most = 0
        for number in 0..<1_000_000 {
            pending.add(proposal(number, term: 1))
            if number >= 100 { _ = pending.complete(pending.nextSequence - 101) }
            most = max(most, pending.slotCount)
        }
        #expect(most < 5000)
        #expect(pending.count <= 200)
    }

    @Test("random use agrees with a dictionary")
    func random() {
        var random = Seeded("PendingProposalsTests")
        for _ in 0..<20 {
            var pending = Pending()
            var model: [UInt64: Pending.Proposal] = [:]
            var committed: UInt64 = 0
            var now: UInt64 = 0
            for step in 0..<2000 {
                switch random.below(20) {
                case 0..<9:
                    let term = random.below(5) == 0 ? nil : committed + UInt64(random.below(3))
                    let added = proposal(step, term: term, deadline: now + 100)
                    model[pending.nextSequence] = added
                    pending.add(added)
                case 9..<18:
                    let ids = model.keys.sorted()
                    let sequence =
                        random.below(10) == 0 || ids.isEmpty
                        ? random.next() >> UInt64(random.below(64)) : ids[random.below(min(ids.count, 8))]
                    #expect(pending.complete(sequence) == model.removeValue(forKey: sequence)?.completion)
                case 18:
                    committed += UInt64(random.below(10) / 9)
                    let lost = pending.lostCommands(committed: Term(committed))
                    for sequence in lost { pending.setTerm(sequence, nil) }
                    let expected = model.filter { $0.value.term.map { $0 < Term(committed) } ?? false }.keys.sorted()
                    // Within one term it is told at the first commit only; a command of a passed term cannot come later.
                    #expect(lost.allSatisfy(expected.contains))
                    for sequence in lost { model[sequence]?.term = nil }
                default:
                    now += UInt64(random.below(20))
                    let late = model.filter { $0.value.deadline <= now }.sorted { $0.key < $1.key }
                    let expired = pending.expire(at: now)
                    #expect(expired.map(\.completion) == late.map(\.value.completion))
                    #expect(expired.map(\.mayBeDone) == late.map { $0.value.term != nil })
                    for (sequence, _) in late { model[sequence] = nil }
                }
                #expect(pending.count == model.count)
                #expect(pending.payloadBytes == model.count)
            }
            #expect(pending.waiting() == model.filter { $0.value.term == nil }.keys.sorted())
        }
    }
}
