// How a parent looks after its children, in OTP's terms.

/// Which children are started again when one of them has failed.
public enum SupervisionStrategy: Hashable, Sendable {
    /// That one.
    case oneForOne
    /// All of them: the others are stopped first, the youngest first, then all start in the order of their first start.
    case oneForAll
    /// That one and those started after it, stopped and started in the same orders.
    case restForOne
}

/// When a parent ends because its significant children have.
///
/// Only an end that is not followed by a restart counts, and only one that the parent did not order.
public enum AutoShutdown: Hashable, Sendable {
    /// Significant children are refused.
    case never
    /// With the first of them.
    case anySignificant
    /// With the last of them.
    case allSignificant
}

/// What a parent does about the ends of its children.
struct SupervisionRules: Hashable, Sendable {
    var strategy = SupervisionStrategy.oneForOne
    var intensity = RestartIntensity.default
    var autoShutdown = AutoShutdown.never
}

/// A child's place in the order of starts. A restarted child keeps it.
struct ChildNumber: Hashable, Comparable, Sendable {
    let value: UInt64

    init(_ value: UInt64) { self.value = value }

    static func < (a: Self, b: Self) -> Bool { a.value < b.value }
}
