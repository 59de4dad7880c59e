import Testing

@testable import RaftCore

@Suite struct EntryLogTests {
    @Test("P13: the last position of at most a term is found as a scan finds it")
    func lastPosition() {
        var random = SplitMix64(seed: 3)
        for _ in 0..<300 {
            var term: UInt64 = 1
            let terms = (0..<random.next() % 20).map { _ in
                term += random.next() % 3
                return term
            }
            let log = EntryLog(entries(terms: terms))
            for index in 0...UInt64(terms.count + 1) {
                for limit in 0...term + 1 {
                    let scanned = terms.indices.last { $0 < Int(index) && terms[$0] <= limit }
                    let expected = scanned.map { position(UInt64($0 + 1), terms[$0]) } ?? .start
                    #expect(log.lastPosition(atOrBefore: LogIndex(index), termAtMost: Term(limit)) == expected)
                }
            }
        }
    }

    @Test("the term in front of the first entry is zero, beyond the last there is none")
    func terms() {
        let log = EntryLog(entries(terms: [2, 3]))
        #expect((0...3).map { log.term(at: LogIndex(UInt64($0))) } == [Term(0), Term(2), Term(3), nil])
        #expect(log.contains(.start) && log.contains(position(2, 3)) && !log.contains(position(3, 3)))
    }

    @Test("a batch takes what its bounds allow, and at least one")
    func batches() {
        var log = EntryLog([])
        for index in 1...UInt64(6) {
            log.append(Entry(term: Term(1), index: LogIndex(index), kind: .command, payload: [1, 2, 3]))
        }
        #expect(log.batch(from: LogIndex(2), count: 3, bytes: 100).entries.map(\.index.rawValue) == [2, 3, 4])
        #expect(log.batch(from: LogIndex(2), count: 9, bytes: 7).entries.map(\.index.rawValue) == [2, 3])
        #expect(log.batch(from: LogIndex(6), count: 9, bytes: 1).bytes == 3)
    }

    @Test("a tail has as many entries, and payloads as large, as both its bounds allow")
    func tails() {
        var log = EntryLog([], behind: position(10, 1))
        for index in 11...UInt64(16) {
            log.append(Entry(term: Term(1), index: LogIndex(index), kind: .command, payload: [1, 2, 3]))
        }
        func start(_ entries: Int, _ bytes: Int, _ end: UInt64) -> UInt64 {
            log.startOfTail(LogTail(entries: entries, bytes: bytes), upTo: LogIndex(end)).rawValue
        }
        #expect(start(3, 100, 15) == 12 && start(100, 100, 15) == 10)
        #expect(start(100, 6, 15) == 13 && start(100, 8, 15) == 13 && start(1, 8, 15) == 14)
        #expect(start(100, 2, 15) == 15 && start(0, 100, 15) == 15 && start(5, 5, 10) == 10)
    }
}
