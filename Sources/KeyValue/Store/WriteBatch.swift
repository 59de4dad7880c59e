/// Several writes as one payload of the replicated log, in the order in which they are applied.
///
/// Layout: a version byte, then the writes back to back. A write is its code, then its fields; a byte string or a list
/// has its length in front (LEB128), an amount is zigzag LEB128.
package struct WriteBatch: Sendable {
    /// The first byte of every encoding. A change of the layout takes a new one.
    package static let version: UInt8 = 1

    /// The encoding so far. A valid payload at any time.
    package private(set) var bytes: [UInt8] = [Self.version]
    /// How many writes it holds.
    package private(set) var count = 0

    /// - Parameter reservingBytes: how much memory to take at once. For a pipeline the received bytes are a good guess:
    ///   the encoding is a little shorter.
    package init(reservingBytes: Int = 0) {
        bytes.reserveCapacity(reservingBytes)
    }

    package init(_ writes: [KeyValueWrite]) {
        self.init()
        for write in writes { append(write) }
    }

    package var isEmpty: Bool { count == 0 }

    /// Adds a write behind the others.
    package mutating func append(_ write: KeyValueWrite) {
        count += 1
        switch write {
        case .set(let key, let value, let rule):
            bytes.append(Code.set(rule))
            append(key)
            append(value)
        case .delete(let keys):
            bytes.append(Code.delete)
            append(UInt64(keys.count))
            for key in keys { append(key) }
        case .add(let key, let amount):
            bytes.append(Code.add)
            append(key)
            append(UInt64(bitPattern: amount << 1) ^ UInt64(bitPattern: amount >> 63))
        case .setAll(let pairs):
            bytes.append(Code.setAll)
            append(UInt64(pairs.count))
            for pair in pairs {
                append(pair.key)
                append(pair.value)
            }
        case .append(let key, let suffix):
            bytes.append(Code.append)
            append(key)
            append(suffix)
        case .deleteAll:
            bytes.append(Code.deleteAll)
        }
    }

    private mutating func append(_ content: Bytes) {
        append(UInt64(content.count))
        bytes.append(contentsOf: content)
    }

    private mutating func append(_ number: UInt64) {
        var rest = number
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    /// The code of each kind of write. SET has its rule in the low bits, since it is by far the most frequent.
    enum Code {
        static let delete: UInt8 = 1
        static let add: UInt8 = 2
        static let setAll: UInt8 = 3
        static let append: UInt8 = 4
        static let deleteAll: UInt8 = 5
        /// Low two bits: the condition; third bit: whether the old value is answered.
        private static let set: UInt8 = 0x10

        static func set(_ rule: KeyValueWrite.SetRule) -> UInt8 {
            set | rule.condition.rawValue | (rule.answersOldValue ? 4 : 0)
        }

        static func rule(_ code: UInt8) -> KeyValueWrite.SetRule? {
            guard code & 0xF8 == set, let condition = KeyValueWrite.SetRule.Condition(rawValue: code & 3) else {
                return nil
            }
            return KeyValueWrite.SetRule(condition, answersOldValue: code & 4 != 0)
        }
    }
}

/// Why a payload is not a batch of writes.
package enum WriteBatchError: Error, Hashable, Sendable {
    /// The first byte names a layout this program does not know, or there is no first byte.
    case unknownVersion(UInt8?)
    /// No write has this code.
    case unknownCode(UInt8)
    /// A length points behind the end, or the payload ends within a write.
    case truncated
    /// A number that does not fit in 64 bits, or is not written in its shortest form.
    case invalidNumber
}
