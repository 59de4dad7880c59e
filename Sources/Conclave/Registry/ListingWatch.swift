// How lists of actors hear of an end before anybody else does.

internal import Synchronization

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

extension ActorCell {
    /// No list takes this actor any more. True at once for whoever has heard of its end: the flag is set before anybody is told, and
    /// the news carries it along, so that a relaxed load sees it. Others may miss an end that is under way; the list's watch then
    /// takes the actor off again.
    var isKnownToHaveEnded: Bool { header.pointee.isTerminated.load(ordering: .relaxed) }
}
