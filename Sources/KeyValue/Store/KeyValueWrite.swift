/// One change of the store, as it is replicated. Applying it gives the client's reply.
package enum KeyValueWrite: Hashable, Sendable {
    case set(key: Bytes, value: Bytes, SetRule)
    case delete(keys: [Bytes])
    /// Adds to the integer a key holds; a key that is not there counts as 0. INCR, DECR and their BY forms.
    case add(key: Bytes, amount: Int64)
    /// Sets all of them. Of two pairs with one key the later wins.
    case setAll([Pair])
    case append(key: Bytes, suffix: Bytes)
    case deleteAll

    /// When SET sets, and what it answers.
    package struct SetRule: Hashable, Sendable {
        package enum Condition: UInt8, Sendable {
            case always = 0
            /// NX
            case ifAbsent = 1
            /// XX
            case ifPresent = 2
        }
        package var condition: Condition
        /// GET: answer the value before, whether it was replaced or not.
        package var answersOldValue: Bool

        package init(_ condition: Condition = .always, answersOldValue: Bool = false) {
            self.condition = condition
            self.answersOldValue = answersOldValue
        }
    }

    package struct Pair: Hashable, Sendable {
        package var key: Bytes
        package var value: Bytes

        package init(key: Bytes, value: Bytes) {
            self.key = key
            self.value = value
        }
    }
}

/// One question to the store.
package enum KeyValueRead: Hashable, Sendable {
    case get(key: Bytes)
    case getAll(keys: [Bytes])
    /// How many of them are there; a key named twice counts twice.
    case countPresent(keys: [Bytes])
    case length(key: Bytes)
    /// The name of the type a key's value has.
    case type(key: Bytes)
    /// How many keys there are.
    case count
}
