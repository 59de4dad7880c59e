// Values by small numbers, such as those of servers.

internal import ConclaveNet
internal import RaftCore

/// A key that is a small number, below 65,536.
///
/// Not `RawRepresentable`: that one's witnesses are called, and these are inlined.
package protocol SmallNumber {
    init(_ number: UInt64)
    var number: UInt64 { get }
}

extension NodeID: SmallNumber { package var number: UInt64 { rawValue } }
extension PeerID: SmallNumber { package var number: UInt64 { rawValue } }

/// A dictionary whose keys are small numbers: an array, since simulations would spend a good part of their time on hashing.
package struct NumberedTable<Key: SmallNumber, Value> {
    private var places: [Value?] = []

    package init() {}

    package subscript(key: Key) -> Value? {
        _read {
            if key.number < places.count { yield places[Int(key.number)] } else { yield nil }
        }
        _modify {
            reserve(key)
            yield &places[Int(key.number)]
        }
    }

    package subscript(key: Key, default value: @autoclosure () -> Value) -> Value {
        get { self[key] ?? value() }
        _modify {
            reserve(key)
            let place = Int(key.number)
            if places[place] == nil { places[place] = value() }
            yield &places[place]!
        }
    }

    /// Sets a value and returns the one before.
    package mutating func updateValue(_ value: Value, forKey key: Key) -> Value? {
        reserve(key)
        defer { places[Int(key.number)] = value }
        return places[Int(key.number)]
    }

    /// Keys that have values, ascending.
    package var keys: [Key] {
        places.indices.compactMap { places[$0] == nil ? nil : Key(UInt64($0)) }
    }

    package mutating func removeAll() { places.removeAll(keepingCapacity: true) }

    private mutating func reserve(_ key: Key) {
        precondition(key.number < 1 << 16, "\(key) is no number of a simulated server")
        while places.count <= key.number { places.append(nil) }
    }
}

extension NumberedTable: Sendable where Key: Sendable, Value: Sendable {}
