// At most one effect of a command, however often it was sent (dissertation §6.3).

/// Remembers where each command took effect. Each command must be one of its kind.
package struct AtMostOnceChecker: Sendable {
    private var places: [[UInt8]: Int] = [:]

    package init() {}

    /// A command took effect as the `place`-th one, counted from 0. Nil, or what is wrong with that.
    package mutating func applied(_ command: ArraySlice<UInt8>, at place: Int) -> String? {
        let first = places.updateValue(place, forKey: Array(command))
        guard let first, first != place else { return nil }
        return
            "exactly once: command '\(String(decoding: command, as: UTF8.self))' took effect at \(first) and at \(place)"
    }
}
