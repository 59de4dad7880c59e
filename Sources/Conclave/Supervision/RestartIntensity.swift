// How often children may be restarted before their parent gives up: OTP's restart intensity.

/// At most `maximum` restarts within `period`; one more and the parent ends, with all its children.
public struct RestartIntensity: Hashable, Sendable {
    /// Restarts allowed within the period. Zero allows none.
    public var maximum: Int
    /// How far back a restart counts.
    public var period: Duration

    /// At most `maximum` restarts within `period`; both bounds as their properties say.
    public init(_ maximum: Int, per period: Duration) {
        precondition(maximum >= 0, "a restart intensity needs a maximum of at least 0")
        precondition(period > .zero, "a restart intensity needs a period above zero")
        self.maximum = maximum
        self.period = period
    }

    /// OTP's default: one restart in five seconds.
    public static let `default` = RestartIntensity(1, per: .seconds(5))
}

/// The instants of recent restarts, newest first. A pure value: the caller says what time it is.
///
/// The rule is that of OTP's supervisor.erl (`add_restart`): on each attempt, drop the instants older than the period, add the new
/// one; more than the maximum and the supervisor ends.
struct RestartHistory {
    private var instants: [UInt64] = []

    /// Notes an attempt at `now` (nanoseconds). False: it is one too many.
    mutating func allowsRestart(at now: UInt64, _ intensity: RestartIntensity) -> Bool {
        let period = intensity.period.nanoseconds
        instants.removeAll { now - $0 > period }
        instants.insert(now, at: 0)
        return instants.count <= intensity.maximum
    }
}
