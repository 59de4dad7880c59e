import KeyValue
import Testing

/// The store as one would write it without a thought for speed.
private struct PlainStore {
    var pairs: [[UInt8]: [UInt8]] = [:]

    mutating func apply(_ write: KeyValueWrite) -> Reply {
        switch write {
        case .set(let key, let value, let rule):
            let old = pairs[Array(key)]
            let allowed =
                switch rule.condition {
                case .always: true
                case .ifAbsent: old == nil
                case .ifPresent: old != nil
                }
            if allowed { pairs[Array(key)] = Array(value) }
            if rule.answersOldValue { return Self.reply(old) }
            return allowed ? .ok : .null
        case .delete(let keys):
            return .integer(keys.reduce(0) { $0 + (pairs.removeValue(forKey: Array($1)) == nil ? 0 : 1) })
        case .add(let key, let amount):
            var sum = amount
            if let old = pairs[Array(key)] {
                let text = String(decoding: old, as: UTF8.self)
                guard let number = Int64(text), "\(number)" == text else {
                    return .error("ERR", "value is not an integer or out of range")
                }
                guard !number.addingReportingOverflow(amount).overflow else {
                    return .error("ERR", "increment or decrement would overflow")
                }
                sum += number
            }
            pairs[Array(key)] = Array("\(sum)".utf8)
            return .integer(sum)
        case .setAll(let list):
            for pair in list { pairs[Array(pair.key)] = Array(pair.value) }
            return .ok
        case .append(let key, let suffix):
            pairs[Array(key), default: []] += suffix
            return .integer(Int64(pairs[Array(key)]?.count ?? 0))
        case .deleteAll:
            pairs = [:]
            return .ok
        }
    }

    func answer(_ read: KeyValueRead) -> Reply {
        switch read {
        case .get(let key): Self.reply(pairs[Array(key)])
        case .getAll(let keys): .array(keys.map { Self.reply(pairs[Array($0)]) })
        case .countPresent(let keys): .integer(Int64(keys.filter { pairs[Array($0)] != nil }.count))
        case .length(let key): .integer(Int64(pairs[Array(key)]?.count ?? 0))
        case .type(let key): .simple(pairs[Array(key)] == nil ? "none" : "string")
        case .count: .integer(Int64(pairs.count))
        }
    }

    private static func reply(_ value: [UInt8]?) -> Reply { value.map { .bulk($0[...]) } ?? .null }
}

extension Seeded {
    /// A key out of a small set, so that commands meet; sometimes an empty or a long one.
    mutating func key() -> Bytes {
        switch below(20) {
        case 0: Bytes()
        case 1: Bytes([UInt8](repeating: 0xFF, count: 300))
        default: Bytes(text: "key:\(below(400))")
        }
    }

    mutating func value() -> Bytes {
        below(2) == 0 ? Bytes(text: "\(Int64(truncatingIfNeeded: next()) >> Int64(below(64)))") : bytes(upTo: 300)[...]
    }

    mutating func write() -> KeyValueWrite {
        switch below(100) {
        case 0: return below(20) == 0 ? .deleteAll : .append(key: key(), suffix: value())
        case 1..<50:
            let conditions: [KeyValueWrite.SetRule.Condition] = [.always, .always, .ifAbsent, .ifPresent]
            let condition = conditions.randomElement(using: &self) ?? .always
            return .set(key: key(), value: value(), .init(condition, answersOldValue: below(3) == 0))
        case 50..<70: return .delete(keys: (0..<below(5)).map { _ in key() })
        case 70..<80: return .add(key: key(), amount: Int64(truncatingIfNeeded: next()) >> Int64(below(64)))
        case 80..<90: return .setAll((0..<below(5)).map { _ in .init(key: key(), value: value()) })
        default: return .append(key: key(), suffix: value())
        }
    }

    mutating func read() -> KeyValueRead {
        switch below(6) {
        case 0: .getAll(keys: (0..<below(5)).map { _ in key() })
        case 1: .countPresent(keys: (0..<below(5)).map { _ in key() })
        case 2: .length(key: key())
        case 3: .type(key: key())
        case 4: .count
        default: .get(key: key())
        }
    }
}

@Suite("The replicated store")
struct KeyValueStoreTests {
    @Test("random commands get the replies of a plain dictionary")
    func againstModel() {
        Seeded.run("againstModel") { random in
            var store = KeyValueStore()
            var model = PlainStore()
            for step in 0..<20_000 {
                let write = random.write()
                #expect(store.apply(write) == model.apply(write), "step \(step)")
                let read = random.read()
                #expect(store.answer(read) == model.answer(read), "step \(step)")
            }
            #expect(store.count == model.pairs.count)
            for (key, value) in model.pairs { #expect(store.value(of: key[...]) == value[...]) }
        }
    }

    @Test("many keys come and go, and the table keeps exactly those that stayed")
    func manyKeys() {
        Seeded.run("manyKeys") { random in
            var store = KeyValueStore()
            var present = Set<Int>()
            for _ in 0..<200_000 {
                let number = random.below(60_000)
                if random.below(5) < 3 {
                    store.apply(.set(key: Bytes(text: "\(number)"), value: Bytes(text: "v\(number)"), .init()))
                    present.insert(number)
                } else {
                    store.apply(.delete(keys: [Bytes(text: "\(number)")]))
                    present.remove(number)
                }
            }
            #expect(store.count == present.count)
            for number in 0..<60_000 {
                let value = store.value(of: Bytes(text: "\(number)"))
                #expect(value == (present.contains(number) ? Bytes(text: "v\(number)") : nil))
            }
        }
    }

    @Test("a batch gives the replies of its writes, and the same contents where no replies are wanted")
    func batches() throws {
        try Seeded.run("batches") { (random: inout Seeded) throws in
            var one = KeyValueStore()
            var batched = KeyValueStore()
            var silent = KeyValueStore()
            for _ in 0..<300 {
                let writes = (0..<random.below(30)).map { _ in random.write() }
                let payload = WriteBatch(writes).bytes[...]
                #expect(try batched.apply(batch: payload, wantsReplies: true) == writes.map { one.apply($0) })
                #expect(try silent.apply(batch: payload, wantsReplies: false) == [])
                #expect(one.contentHash == batched.contentHash && one.contentHash == silent.contentHash)
            }
        }
    }

    @Test("a damaged batch changes nothing")
    func damagedBatch() throws {
        var store = KeyValueStore()
        let payload = WriteBatch([.set(key: "a", value: "1", .init()), .set(key: "b", value: "2", .init())]).bytes[...]
        #expect(throws: WriteBatchError.truncated) {
            try store.apply(batch: payload.dropLast(), wantsReplies: true)
        }
        #expect(store.count == 0)
    }

    @Test("a reply and a copy of the store stay as they were when the store changes")
    func valueSemantics() {
        var store = KeyValueStore()
        store.apply(.set(key: "a", value: "old", .init()))
        let copy = store
        let reply = store.answer(.get(key: "a"))
        store.apply(.set(key: "a", value: "new", .init()))
        store.apply(.append(key: "a", suffix: "er"))
        #expect(reply == .bulk("old"))
        #expect(copy.answer(.get(key: "a")) == .bulk("old"))
        #expect(store.answer(.get(key: "a")) == .bulk("newer"))
    }

    @Test("APPEND refuses to make a value longer than the bound")
    func appendBound() {
        var store = KeyValueStore()
        let limit = KeyValueStore.valueSizeBytesLimit
        store.apply(.set(key: "a", value: Bytes(repeating: 0, count: limit - 1), .init()))
        #expect(store.apply(.append(key: "a", suffix: "x")) == .integer(Int64(limit)))
        guard case .failure = store.apply(.append(key: "a", suffix: "x")) else {
            Issue.record("an APPEND beyond the bound must be refused")
            return
        }
        #expect(store.answer(.length(key: "a")) == .integer(Int64(limit)))
    }

    @Test("the content hash is the same in every process, whatever the order of writes, and tells contents apart")
    func contentHash() {
        func hash(_ pairs: [(Bytes, Bytes)]) -> UInt64 {
            var store = KeyValueStore()
            for (key, value) in pairs { store.apply(.set(key: key, value: value, .init())) }
            return store.contentHash
        }
        #expect(hash([]) == 0)
        #expect(hash([("a", "1"), ("b", "2")]) == hash([("b", "2"), ("a", "0"), ("a", "1")]))
        #expect(hash([("a", "bc")]) != hash([("ab", "c")]))
        #expect(hash([("a", "1"), ("b", "2")]) != hash([("a", "2"), ("b", "1")]))
        #expect(hash([("a", "1")]) == 9_314_362_491_787_386_823)
    }
}
