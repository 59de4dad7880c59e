/// How long to wait before a dead server is started again.
///
/// The first wait is short, because a lone crash should cost little; each further one is twice as long, so that a server that
/// cannot live does not keep the machine busy.
struct RestartBackoff: Equatable {
    static let shortest = Duration.milliseconds(100)
    static let longest = Duration.seconds(5)
    /// A server that lived this long was well: its next death counts as the first.
    static let quietTime = Duration.seconds(10)

    private var next = Self.shortest

    /// The wait after a life of the given length.
    mutating func delay(afterLifetime lifetime: Duration) -> Duration {
        if lifetime >= Self.quietTime { next = Self.shortest }
        defer { next = min(next * 2, Self.longest) }
        return next
    }
}
