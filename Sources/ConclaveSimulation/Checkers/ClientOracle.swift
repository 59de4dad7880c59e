// What clients see while they see it: no phantom value, no lost write, reads that never go back (rules P21 to P23, P38).

/// Knows the order in which values were written, and holds each answer against it. Each written value must be one of its kind, and
/// none is ever deleted.
///
/// It complains in the step of the wrong answer; the linearizability checker, which sees more, does so at the end.
package struct ClientOracle: Sendable {
    /// When values took effect, by key and value.
    private var places: [String: [String: Int]] = [:]
    /// The latest place that some client knows of, by key.
    private var floors: [String: Int] = [:]

    package init() {}

    /// A value took effect as the `place`-th command.
    package mutating func written(_ value: String, to key: String, at place: Int) {
        places[key, default: [:]][value] = place
    }

    /// The latest place that was known to some client: what a call that begins now must see. -1: no write is known.
    package func floor(of key: String) -> Int { floors[key] ?? -1 }

    /// A write was acknowledged. Nil, or what is wrong with that.
    package mutating func acknowledged(_ value: String, to key: String) -> String? {
        guard let place = places[key]?[value] else {
            return "client oracle: the write of '\(value)' to \(key) was acknowledged and took effect nowhere"
        }
        raise(key, to: place)
        return nil
    }

    /// A read that began when `floor` was the key's was answered. Nil, or what is wrong with that.
    package mutating func read(_ value: String?, of key: String, floor: Int) -> String? {
        guard let value else {
            return floor < 0 ? nil : "client oracle: a read of \(key) found nothing after the write at place \(floor)"
        }
        guard let place = places[key]?[value] else {
            return "client oracle: a read of \(key) found '\(value)', which nobody wrote"
        }
        if place < floor {
            return "client oracle: a read of \(key) found '\(value)' of place \(place) after the one at \(floor)"
        }
        raise(key, to: place)
        return nil
    }

    private mutating func raise(_ key: String, to place: Int) { floors[key] = max(floors[key] ?? -1, place) }
}
