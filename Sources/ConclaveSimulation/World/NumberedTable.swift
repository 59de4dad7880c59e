// Values by small numbers, such as those of servers.

/// A dictionary whose keys are small numbers, below 65,536: an array, since simulations would spend a good part of their time on hashing.
package struct NumberedTable<Key: RawRepresentable<UInt64>, Value> {
    private var places: [Value?] = []

    package init() {}

    package subscript(key: Key) -> Value? {
        _read {
            if key.rawValue < places.count { yield places[Int(key.rawValue)] } else { yield nil }
        }
        _modify {
            reserve(key)
            yield &places[Int(key.rawValue)]
        }
    }

    package subscript(key: Key, default value: @autoclosure () -> Value) -> Value {
        get { self[key] ?? value() }
        _modify {
            reserve(key)
            var present = places[Int(key.rawValue)].take() ?? value()
            defer { places[Int(key.rawValue)] = present }
            yield &present
        }
    }

    /// Sets a value and returns the one before.
    package mutating func updateValue(_ value: Value, forKey key: Key) -> Value? {
        reserve(key)
        defer { places[Int(key.rawValue)] = value }
        return places[Int(key.rawValue)]
    }

    /// Keys that have values, ascending.
    package var keys: [Key] {
        places.indices.compactMap { places[$0] == nil ? nil : Key(rawValue: UInt64($0)) }
    }

    package mutating func removeAll() { places.removeAll(keepingCapacity: true) }

    private mutating func reserve(_ key: Key) {
        precondition(key.rawValue < 1 << 16, "\(key) is no number of a simulated server")
        while places.count <= key.rawValue { places.append(nil) }
    }
}

extension NumberedTable: Sendable where Key: Sendable, Value: Sendable {}
