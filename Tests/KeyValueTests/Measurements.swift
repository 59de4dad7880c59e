import KeyValue
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What the hot paths cost. Prints; run it in release:
/// `KEYVALUE_MEASURE=1 swift test -c release -Xswiftc -enable-testing --filter Measurements`.
@Suite("Measurements", .enabled(if: getenv("KEYVALUE_MEASURE") != nil), .serialized)
struct Measurements {
    private static let commandCount = 1_000_000
    private static let pipelineDepth = 16
    private static let value = [UInt8](repeating: 0x78, count: 256)

    /// Processor time of this thread, the best of five runs: the machine may be shared.
    private func measure(_ what: String, count: Int, _ body: () throws -> Void) rethrows {
        var best = Int.max
        for _ in 0..<5 {
            let start = Self.processorNanoseconds
            try body()
            best = min(best, Self.processorNanoseconds - start)
        }
        print("\(what): \(best / count) ns")
    }

    private static var processorNanoseconds: Int {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }

    /// Pipelines of 16 SETs with keys of 16 bytes and values of 256.
    private static let pipelines: [[UInt8]] = (0..<64).map { pipeline in
        var writer = RESPWriter()
        for index in 0..<pipelineDepth {
            writer.write(command: [Array("SET".utf8), key(pipeline * pipelineDepth + index), value])
        }
        return writer.bytes
    }

    private static func key(_ number: Int) -> [UInt8] {
        let digits = Array("\(number)".utf8)
        return Array("key:".utf8) + [UInt8](repeating: 0x30, count: 12 - digits.count) + digits
    }

    @Test("parsing, handling and encoding SET in pipelines")
    func front() throws {
        let rounds = Self.commandCount / Self.pipelineDepth / Self.pipelines.count
        let count = rounds * Self.pipelineDepth * Self.pipelines.count
        var parser = RESPParser()
        var seen = 0
        try measure("parse a SET", count: count) {
            for _ in 0..<rounds {
                for pipeline in Self.pipelines {
                    parser.append(pipeline)
                    while let request = try parser.next() { seen += request.count }
                }
            }
        }
        try measure("parse a SET that comes in pieces of 1,500 bytes", count: count) {
            let pieces = Self.pipelines.flatMap { bytes in
                stride(from: 0, to: bytes.count, by: 1_500).map { Array(bytes[$0..<min(bytes.count, $0 + 1_500)]) }
            }
            for _ in 0..<rounds {
                for piece in pieces {
                    parser.append(piece)
                    while let request = try parser.next() { seen += request.count }
                }
            }
        }
        #expect(seen == 10 * 3 * count)
        var connection = ConnectionState(id: 1, address: "", localAddress: "")
        var bytes = 0
        try measure("parse a SET, handle it and add it to a batch", count: count) {
            for _ in 0..<rounds {
                for pipeline in Self.pipelines {
                    var batch = WriteBatch(reservingBytes: pipeline.count)
                    parser.append(pipeline)
                    while let request = try parser.next() {
                        if case .write(let write) = connection.handle(request) { batch.append(write) }
                    }
                    bytes += batch.bytes.count
                }
            }
        }
        #expect(bytes > 0)
    }

    @Test("encoding replies")
    func replies() {
        var writer = RESPWriter()
        let replies: [(String, Reply)] = [
            ("OK", .ok), ("an integer", .integer(123_456)), ("256 bytes", .bulk(Self.value[...])), ("nil", .null),
        ]
        for (name, reply) in replies {
            measure("encode \(name)", count: Self.commandCount) {
                for round in 0..<Self.commandCount {
                    if round % Self.pipelineDepth == 0 { writer.removeAll() }
                    writer.write(reply)
                }
            }
        }
    }

    @Test("applying SETs")
    func apply() throws {
        for keyCount in [1_000, 100_000] {
            let batches = (0..<keyCount / 10).map { batch in
                WriteBatch(
                    (0..<10).map {
                        .set(key: Self.key((batch * 10 + $0) * 7_919 % keyCount)[...], value: Self.value[...], .init())
                    }
                ).bytes[...]
            }
            let rounds = max(1, 500_000 / keyCount)
            for wantsReplies in [true, false] {
                var store = KeyValueStore()
                for batch in batches { _ = try store.apply(batch: batch, wantsReplies: false) }
                try measure(
                    "apply an overwriting SET, \(keyCount) keys, \(wantsReplies ? "with" : "without") replies",
                    count: rounds * keyCount
                ) {
                    for _ in 0..<rounds {
                        for batch in batches { _ = try store.apply(batch: batch, wantsReplies: wantsReplies) }
                    }
                }
                let keys = (0..<keyCount).map { Self.key($0)[...] }
                var found = 0
                measure("answer a GET, \(keyCount) keys", count: keyCount) {
                    for key in keys {
                        if case .bulk(let value) = store.answer(.get(key: key)) { found += value.count }
                    }
                }
                #expect(found == 5 * keyCount * 256)
            }
        }
    }

    @Test("filling a store with a million keys: the longest pause, beside Dictionary")
    func growth() {
        let keys = (0..<1_000_000).map { Self.key($0)[...] }
        let clock = ContinuousClock()
        var pauses: [Duration] = []
        var store = KeyValueStore()
        let total = clock.measure {
            for key in keys {
                pauses.append(clock.measure { store.apply(.set(key: key, value: Self.value[...], .init())) })
            }
        }
        pauses.sort()
        print("insert 1 M keys: \(Int(total / .nanoseconds(1)) / keys.count) ns each, longest \(pauses.suffix(3))")
        print("empty it: \(clock.measure { store.apply(.deleteAll) })")

        var plain: [[UInt8]: [UInt8]] = [:]
        var plainPauses: [Duration] = []
        let plainTotal = clock.measure {
            for key in keys {
                plainPauses.append(clock.measure { plain[Array(key)] = Array(Self.value[...].dropLast(1)) })
            }
        }
        plainPauses.sort()
        print("Dictionary: \(Int(plainTotal / .nanoseconds(1)) / keys.count) ns each, longest \(plainPauses.suffix(3))")
        #expect(plain.count == keys.count)
    }
}
