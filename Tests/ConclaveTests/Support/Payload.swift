/// Counted from its making to its end, however that comes: a message that is lost keeps it alive.
final class Payload: Sendable {
    private let live: Counter
    init(_ live: Counter) {
        self.live = live
        live.up()
    }
    deinit { live.up(by: -1) }
}
