// How lists of actors hear of an end before anybody else does.

/// Takes an actor off a list when it ends: before any monitor's DOWN, so that who hears of the end does not find it there any more.
final class ListingWatch: Watch, @unchecked Sendable {
    // SAFETY: constant.
    private let remove: @Sendable () -> Void

    /// - Parameter remove: called once, on the thread on which the actor ends: short, and never blocking.
    init(_ target: ActorCell, remove: @escaping @Sendable () -> Void) {
        self.remove = remove
        super.init(target: target)
    }

    override var comesFirst: Bool { true }

    override func deliverDown(_ reason: ExitReason) { if isActive { remove() } }
}
