import Testing

@testable import RaftCore

@Suite struct EntryLogOracleTests {
    /// A log as a dictionary would have it.
    private struct Model {
        var start = LogPosition.start
        var terms: [LogIndex: Term] = [:]
        var last = LogIndex.zero

        func term(_ index: LogIndex) -> Term? { index == start.index ? start.term : terms[index] }
    }

    @Test("the log agrees with a naive one through appends, cuts and compaction")
    func oracle() {
        var wrong = 0
        var random = SplitMix64(seed: 9)
        for _ in 0..<randomHistories / 40 {
            var log = EntryLog([])
            var model = Model()
            for _ in 0..<40 {
                step(&log, &model, &random)
                if !agree(log, model, &random) { wrong += 1 }
            }
        }
        #expect(wrong == 0)
    }

    private func step(_ log: inout EntryLog, _ model: inout Model, _ random: inout SplitMix64) {
        let length = model.last - model.start.index
        switch random.next() % 5 {
        case 0, 1, 2:
            let previous = model.term(model.last) ?? .zero
            let entry = Entry(
                term: Term(previous.rawValue + random.next() % 2),
                index: model.last.next,
                kind: .command,
                payload: Array(repeating: 1, count: Int(random.next() % 5))
            )
            log.append(entry)
            model.terms[entry.index] = entry.term
            model.last = entry.index
        case 3 where length > 0:
            let index = model.last - Int(random.next() % UInt64(min(length, 3)))
            log.truncate(from: index)
            model.terms = model.terms.filter { $0.key < index }
            model.last = index - 1
        case 4 where length > 0:
            let index = model.start.index + Int(random.next() % UInt64(length + 1))
            log.compact(upTo: index)
            model.start = LogPosition(index: index, term: model.term(index) ?? .zero)
            model.terms = model.terms.filter { $0.key > index }
        default: break
        }
    }

    private func agree(_ log: EntryLog, _ model: Model, _ random: inout SplitMix64) -> Bool {
        guard log.lastIndex == model.last, log.start == model.start else { return false }
        let index = LogIndex(random.next() % (model.last.rawValue + 2))
        guard log.term(at: index) == (index < model.start.index ? nil : model.term(index)) else { return false }
        let limit = Term(random.next() % 12)
        let scanned = model.terms.filter { $0.key <= index && $0.value <= limit }.max { $0.key < $1.key }
        let expected = scanned.map { LogPosition(index: $0.key, term: $0.value) } ?? model.start
        guard log.lastPosition(atOrBefore: index, termAtMost: limit) == expected else { return false }
        guard model.last > model.start.index else { return log.last == model.start }
        let first = model.start.index.next
        let batch = log.batch(from: first, count: 3, bytes: 4)
        let copied = log.copy(first...model.last)
        return copied.map(\.index) == (0..<copied.count).map { first + $0 }
            && batch.entries == Array(copied.prefix(batch.entries.count)) && !batch.entries.isEmpty
            && log.payloadBytes(behind: model.start.index, upTo: model.last)
                == copied.reduce(0) { $0 + $1.payload.count }
    }

    @Test("log matching: two logs that agree at a position agree up to it, whatever a leader and its messages do")
    func matching() {
        var wrong = 0
        for seed in 1...UInt64(randomHistories / 400) {
            var random = SplitMix64(seed: seed)
            // A follower hears leaders of ascending terms; each leader's log is a prefix of the one before and its own entries.
            var core = RaftCore.lone(seed: seed)
            var leader: [UInt64] = []
            for term in 1...UInt64(6) {
                leader = Array(leader.prefix(Int(random.next() % UInt64(leader.count + 1))))
                leader += Array(repeating: term, count: 1 + Int(random.next() % 4))
                for _ in 0..<6 {
                    let previous = Int(random.next() % UInt64(leader.count + 1))
                    let count = Int(random.next() % UInt64(leader.count - previous + 1))
                    let position = position(UInt64(previous), previous == 0 ? 0 : leader[previous - 1])
                    core.hear(
                        append(after: position, terms: Array(leader[previous..<previous + count])),
                        from: n2,
                        term: term
                    )
                    for message in core.sync().messagesAfterPersist {
                        guard case .appendAccepted(let match, _, _) = message.kind else { continue }
                        let mine = (0..<Int(match.rawValue)).map { core.term(at: LogIndex(UInt64($0 + 1)))?.rawValue }
                        if mine != Array(leader.prefix(Int(match.rawValue))) { wrong += 1 }
                    }
                }
            }
        }
        #expect(wrong == 0)
    }
}
