/// The replicated key-value state machine: what every server of a cluster holds after the same writes in
/// the same order.
///
/// Deterministic: replies and contents follow from the writes alone. It is cut into shards by hash, so that growing
/// touches one shard at a time: a table in one piece would stop the server for some 100 ms at a million keys.
/// Copying a store takes time in proportion to the number of shards, and each shard is then copied on its next change.
package struct KeyValueStore: Sendable {
    /// The longest value APPEND may make, in bytes.
    package static let valueSizeBytesLimit = 16 << 20

    private static let shardBits: UInt64 = 10
    private var shards = [PairTable](repeating: PairTable(), count: 1 << shardBits)
    /// How many keys there are.
    package private(set) var count = 0

    package init() {}

    /// Performs a write.
    ///
    /// - Returns: the client's reply. A write that is refused changes nothing.
    @discardableResult
    package mutating func apply(_ write: KeyValueWrite) -> Reply {
        switch write {
        case .set(let key, let value, let rule):
            return set(key, value, rule)
        case .delete(let keys):
            return .integer(keys.reduce(0) { $0 + (remove($1) ? 1 : 0) })
        case .add(let key, let amount):
            return add(key, amount)
        case .setAll(let pairs):
            for pair in pairs { pair.key.withUnsafeBytes { key in pair.value.withUnsafeBytes { put(key, $0) } } }
            return .ok
        case .append(let key, let suffix):
            return append(key, suffix)
        case .deleteAll:
            self = KeyValueStore()
            return .ok
        }
    }

    /// Performs the writes of an encoded batch, in order.
    ///
    /// - Parameter wantsReplies: false where no client waits: then the result is empty.
    /// - Throws: `WriteBatchError` if the payload is not a batch; then nothing has changed.
    package mutating func apply(
        batch payload: Bytes,
        wantsReplies: Bool
    ) throws(WriteBatchError) -> [Reply] {
        // A first pass over the lengths, so that a damaged batch is refused as a whole.
        var check = try WriteBatchReader(payload)
        var count = 0
        while try check.skip() { count += 1 }

        var replies: [Reply] = []
        if wantsReplies { replies.reserveCapacity(count) }
        var reader = try WriteBatchReader(payload)
        while let write = try reader.next() {
            let reply = apply(write)
            if wantsReplies { replies.append(reply) }
        }
        return replies
    }

    /// Answers a question.
    package func answer(_ read: KeyValueRead) -> Reply {
        switch read {
        case .get(let key): .value(value(of: key))
        case .getAll(let keys): .array(keys.map { .value(value(of: $0)) })
        case .countPresent(let keys): .integer(keys.reduce(0) { $0 + (value(of: $1) == nil ? 0 : 1) })
        case .length(let key): .integer(Int64(value(of: key)?.count ?? 0))
        case .type(let key): .simple(value(of: key) == nil ? "none" : "string")
        case .count: .integer(Int64(count))
        }
    }

    /// The value of a key, sharing the store's memory.
    package func value(of key: Bytes) -> Bytes? {
        key.withUnsafeBytes { bytes in
            let hash = Self.hash(bytes)
            let shard = Self.shard(hash)
            return shards[shard].find(bytes, hash: hash).map { shards[shard][$0].value }
        }
    }

    /// A sum over all pairs, the same on every server with the same contents. Reads the whole store: for tests.
    package var contentHash: UInt64 {
        var sum: UInt64 = 0
        for shard in shards {
            shard.forEachInNoOrder { sum &+= ContentHash.pair($0.key, $0.value) }
        }
        return sum
    }
}

// MARK: - Snapshots

extension KeyValueStore {
    /// Visits every pair, in an order that differs from process to process.
    func forEachPair(_ body: (_ key: Bytes, _ value: Bytes) throws -> Void) rethrows {
        for shard in shards { try shard.forEachInNoOrder { try body($0.key, $0.value) } }
    }

    /// Adds a pair or replaces its value.
    mutating func put(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        let hash = Self.hash(key)
        let shard = Self.shard(hash)
        if let slot = shards[shard].find(key, hash: hash) {
            shards[shard][slot].replaceValue(value)
        } else {
            shards[shard].insert(PairRecord(key: key, value: value), hash: hash)
            count += 1
        }
    }
}

// MARK: - Writes

extension KeyValueStore {
    private mutating func set(_ key: Bytes, _ value: Bytes, _ rule: KeyValueWrite.SetRule) -> Reply {
        key.withUnsafeBytes { key in
            let hash = Self.hash(key)
            let shard = Self.shard(hash)
            if let slot = shards[shard].find(key, hash: hash) {
                let old = rule.answersOldValue ? Reply.bulk(shards[shard][slot].value) : nil
                guard rule.condition != .ifAbsent else { return old ?? .null }
                value.withUnsafeBytes { shards[shard][slot].replaceValue($0) }
                return old ?? .ok
            }
            guard rule.condition != .ifPresent else { return .null }
            insert(key, value, hash)
            return rule.answersOldValue ? .null : .ok
        }
    }

    private mutating func remove(_ key: Bytes) -> Bool {
        key.withUnsafeBytes { key in
            let hash = Self.hash(key)
            let shard = Self.shard(hash)
            guard let slot = shards[shard].find(key, hash: hash) else { return false }
            shards[shard].remove(slot)
            count -= 1
            return true
        }
    }

    private mutating func add(_ key: Bytes, _ amount: Int64) -> Reply {
        key.withUnsafeBytes { key in
            let hash = Self.hash(key)
            let shard = Self.shard(hash)
            let slot = shards[shard].find(key, hash: hash)
            var sum = amount
            if let slot {
                guard let old = Decimal.parse(shards[shard][slot].value) else { return .failure(.notAnInteger) }
                let (value, overflow) = old.addingReportingOverflow(amount)
                if overflow { return .failure(.overflow) }
                sum = value
            }
            var digits: [UInt8] = []
            Decimal.append(sum, to: &digits)
            if let slot {
                digits.withUnsafeBytes { shards[shard][slot].replaceValue($0) }
            } else {
                insert(key, digits[...], hash)
            }
            return .integer(sum)
        }
    }

    private mutating func append(_ key: Bytes, _ suffix: Bytes) -> Reply {
        key.withUnsafeBytes { key in
            let hash = Self.hash(key)
            let shard = Self.shard(hash)
            guard let slot = shards[shard].find(key, hash: hash) else {
                insert(key, suffix, hash)
                return .integer(Int64(suffix.count))
            }
            let size = shards[shard][slot].valueCount + suffix.count
            guard size <= Self.valueSizeBytesLimit else {
                return .error("ERR", "string exceeds maximum allowed size (\(Self.valueSizeBytesLimit) bytes)")
            }
            shards[shard][slot].appendToValue(suffix)
            return .integer(Int64(size))
        }
    }

    private mutating func insert(_ key: UnsafeRawBufferPointer, _ value: Bytes, _ hash: UInt64) {
        let record = value.withUnsafeBytes { PairRecord(key: key, value: $0) }
        shards[Self.shard(hash)].insert(record, hash: hash)
        count += 1
    }

    /// Swift's hash, seeded anew in each process: no client can choose keys that collide. It decides where a pair lies
    /// and nothing that anyone can see.
    private static func hash(_ key: UnsafeRawBufferPointer) -> UInt64 {
        var hasher = Hasher()
        hasher.combine(bytes: key)
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }

    /// The shard is chosen by the hash's upper bits; the place within it by the lower.
    private static func shard(_ hash: UInt64) -> Int {
        Int(truncatingIfNeeded: hash >> (64 - shardBits))
    }
}

extension Reply {
    fileprivate static func value(_ value: Bytes?) -> Reply { value.map { .bulk($0) } ?? .null }
}
