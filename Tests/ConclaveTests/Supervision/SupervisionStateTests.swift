import Testing

@testable import Conclave

/// The decisions with values: no actor runs here.
@Suite struct SupervisionStateTests {
    typealias Action = SupervisionState.Action
    typealias Child = SupervisionState.Child

    private static let second: UInt64 = 1_000_000_000

    /// A parent of children 1, 2, 3 and so on.
    private struct Parent {
        var state: SupervisionState
        var children: [Child]
        var now = SupervisionStateTests.second

        init(
            _ strategy: SupervisionStrategy,
            _ children: [RestartType],
            intensity: RestartIntensity = RestartIntensity(10, per: .seconds(5)),
            autoShutdown: AutoShutdown = .never,
            significant: Set<UInt64> = []
        ) {
            state = SupervisionState(
                SupervisionRules(strategy: strategy, intensity: intensity, autoShutdown: autoShutdown)
            )
            self.children = children.enumerated().map { index, restart in
                let number = UInt64(index + 1)
                return Child(number: ChildNumber(number), restart: restart, isSignificant: significant.contains(number))
            }
        }

        mutating func ended(_ child: UInt64, notBefore: UInt64 = 0) -> Action? {
            let children = children
            return state.childEnded(ChildNumber(child), notBefore: notBefore, now: now) { children }
        }
        mutating func stopped(_ child: UInt64) -> Action? {
            let children = children
            return state.childStopped(ChildNumber(child), now: now) { children }
        }
        mutating func started(_ child: UInt64) -> Action? {
            let children = children
            return state.childStarted(ChildNumber(child), now: now) { children }
        }
        mutating func gone(_ child: UInt64, byItself: Bool = false, again: Bool = false) -> Action? {
            guard let index = children.firstIndex(where: { $0.number.value == child }) else { return nil }
            var gone = children[index]
            gone.hasEnded = again
            if again { children[index] = gone } else { children.remove(at: index) }
            let children = children
            return state.childGone(gone, byItself: byItself, now: now) { children }
        }
    }

    private func stop(_ child: UInt64) -> Action { .stop(ChildNumber(child)) }
    private func start(_ child: UInt64, notBefore: UInt64 = 0) -> Action {
        .start(ChildNumber(child), notBefore: notBefore)
    }
    private func restart(_ child: UInt64) -> Action { .restart(ChildNumber(child), notBefore: 0) }

    // MARK: Strategies

    @Test("one_for_one restarts the child that ended and nobody else")
    func oneForOne() {
        var parent = Parent(.oneForOne, [.permanent, .permanent, .permanent])
        #expect(parent.ended(2) == restart(2))
        #expect(parent.ended(1) == restart(1))
    }

    @Test("one_for_all stops the others in reverse start order, then starts all in start order")
    func oneForAll() {
        var parent = Parent(.oneForAll, [.permanent, .permanent, .transient])
        #expect(parent.ended(2) == stop(3))
        #expect(parent.stopped(3) == stop(1))
        #expect(parent.stopped(1) == start(1))
        #expect(parent.started(1) == start(2))
        #expect(parent.started(2) == start(3))
        #expect(parent.started(3) == nil)
    }

    @Test(
        "rest_for_one stops those started after the dead child in reverse start order, then starts them in start order"
    )
    func restForOne() {
        var parent = Parent(.restForOne, [.permanent, .permanent, .permanent, .permanent])
        #expect(parent.ended(2) == stop(4))
        #expect(parent.stopped(4) == stop(3))
        #expect(parent.stopped(3) == start(2))
        #expect(parent.started(2) == start(3))
        #expect(parent.started(3) == start(4))
        #expect(parent.started(4) == nil)
    }

    @Test("a temporary sibling is stopped with its group and not started again")
    func temporarySibling() {
        var parent = Parent(.oneForAll, [.permanent, .temporary, .permanent])
        #expect(parent.ended(1) == stop(3))
        #expect(parent.stopped(3) == stop(2))
        #expect(parent.gone(2) == start(1))
        #expect(parent.started(1) == start(3))
        #expect(parent.started(3) == nil)
    }

    @Test("a transient sibling that had ended normally is started again with its group")
    func endedTransient() {
        var parent = Parent(.restForOne, [.permanent, .transient, .permanent])
        #expect(parent.gone(2, byItself: true, again: true) == nil)
        #expect(parent.ended(1) == stop(3))
        #expect(parent.stopped(3) == start(1))
        #expect(parent.started(1) == start(2))
        #expect(parent.started(2) == start(3))
        #expect(parent.started(3) == nil)
    }

    // MARK: Amid a group restart

    @Test("a sibling that dies before its turn to be stopped is no failure of its own")
    func siblingDiesMeanwhile() {
        var parent = Parent(
            .oneForAll,
            [.permanent, .permanent, .permanent],
            intensity: RestartIntensity(1, per: .seconds(5))
        )
        #expect(parent.ended(2) == stop(3))
        #expect(parent.ended(1) == nil)
        #expect(parent.ended(3) == nil)
        #expect(parent.stopped(3) == stop(1))
        #expect(parent.stopped(1) == start(1))
        #expect(parent.started(1) == start(2))
        #expect(parent.started(2) == start(3))
        #expect(parent.started(3) == nil)
    }

    @Test("a child that dies after it was started in the round is dealt with after it")
    func diesWhileOthersStart() {
        var parent = Parent(.oneForAll, [.permanent, .permanent])
        #expect(parent.ended(2) == stop(1))
        #expect(parent.stopped(1) == start(1))
        #expect(parent.started(1) == start(2))
        #expect(parent.ended(1) == nil)
        #expect(parent.started(2) == stop(2))
        #expect(parent.stopped(2) == start(1))
    }

    @Test("a child outside the group that dies meanwhile is dealt with afterwards")
    func outsider() {
        var parent = Parent(.restForOne, [.permanent, .permanent, .permanent])
        #expect(parent.ended(2) == stop(3))
        #expect(parent.ended(1) == nil)
        #expect(parent.stopped(3) == start(2))
        #expect(parent.started(2) == start(3))
        #expect(parent.started(3) == stop(3))
        #expect(parent.stopped(3) == stop(2))
        #expect(parent.stopped(2) == start(1))
    }

    @Test("a start that fails counts, and the group is restarted from there")
    func failedStart() {
        var parent = Parent(
            .restForOne,
            [.permanent, .permanent, .permanent],
            intensity: RestartIntensity(2, per: .seconds(5))
        )
        #expect(parent.ended(1) == stop(3))
        #expect(parent.stopped(3) == stop(2))
        #expect(parent.stopped(2) == start(1))
        #expect(parent.started(1) == start(2))
        #expect(parent.ended(2) == stop(3))
        #expect(parent.stopped(3) == start(2))
        #expect(parent.ended(2) == .giveUp(ChildNumber(2)))
    }

    @Test("a start that fails waits behind the failures that came before it")
    func failedStartWaits() {
        var parent = Parent(.oneForAll, [.permanent, .permanent], intensity: RestartIntensity(2, per: .seconds(5)))
        #expect(parent.ended(1) == stop(2))
        #expect(parent.stopped(2) == start(1))
        #expect(parent.started(1) == start(2))
        #expect(parent.ended(1) == nil)
        // One group restart for both failures.
        #expect(parent.ended(2) == stop(2))
        #expect(parent.stopped(2) == start(1))
        #expect(parent.started(1) == start(2))
        #expect(parent.started(2) == nil)
    }

    @Test("a child that is gone is neither waited for nor started")
    func goneMeanwhile() {
        var parent = Parent(.oneForAll, [.permanent, .permanent, .permanent, .permanent])
        #expect(parent.ended(1) == stop(4))
        #expect(parent.gone(3) == nil)
        #expect(parent.gone(4) == stop(2))
        #expect(parent.stopped(2) == start(1))
        #expect(parent.gone(1) == start(2))
        #expect(parent.started(2) == nil)
    }

    @Test("an end outside the group before its delayed start is not made to wait for it")
    func outsiderDuringBackoff() {
        var parent = Parent(.restForOne, [.permanent, .permanent, .permanent])
        let later = parent.now + Self.second
        #expect(parent.ended(2, notBefore: later) == stop(3))
        #expect(parent.stopped(3) == start(2, notBefore: later))
        #expect(parent.ended(1) == stop(3))
        #expect(parent.stopped(3) == stop(2))
        #expect(parent.stopped(2) == start(1, notBefore: later))
        #expect(parent.started(1) == start(2, notBefore: later))
    }

    // MARK: Intensity

    @Test("more failures within the period than the maximum: the parent gives up", arguments: [0, 1, 3])
    func intensity(_ maximum: Int) {
        var parent = Parent(.oneForOne, [.permanent], intensity: RestartIntensity(maximum, per: .seconds(5)))
        for _ in 0..<maximum { #expect(parent.ended(1) == restart(1)) }
        #expect(parent.ended(1) == .giveUp(ChildNumber(1)))
    }

    @Test("a group restart counts once, however many children it has")
    func groupCountsOnce() {
        var parent = Parent(.oneForAll, [.permanent, .permanent], intensity: RestartIntensity(1, per: .seconds(5)))
        #expect(parent.ended(1) == stop(2))
        #expect(parent.stopped(2) == start(1))
        #expect(parent.started(1) == start(2))
        #expect(parent.started(2) == nil)
        parent.now += 6 * Self.second
        #expect(parent.ended(2) == stop(1))
    }

    @Test("the intensity is exceeded amid a group restart")
    func exceededAmidGroup() {
        var parent = Parent(.oneForAll, [.permanent, .permanent], intensity: RestartIntensity(1, per: .seconds(5)))
        #expect(parent.ended(1) == stop(2))
        #expect(parent.stopped(2) == start(1))
        #expect(parent.ended(1) == .giveUp(ChildNumber(1)))
    }

    // MARK: Automatic shutdown

    @Test(
        "auto-shutdown: never, with the first significant child, with the last",
        arguments: [(AutoShutdown.never, 0), (.anySignificant, 1), (.allSignificant, 2)]
    )
    func autoShutdown(_ kind: AutoShutdown, _ needed: Int) {
        var parent = Parent(
            .oneForOne,
            [.transient, .temporary, .temporary, .permanent],
            autoShutdown: kind,
            significant: [1, 2]
        )
        #expect(parent.gone(3, byItself: true) == nil)
        #expect(parent.gone(1, byItself: true) == (needed == 1 ? .shutDown : nil))
        #expect(parent.gone(2, byItself: true) == (needed == 0 ? nil : .shutDown))
    }

    @Test("an end that the parent ordered never shuts it down")
    func orderedEnd() {
        var parent = Parent(.oneForOne, [.transient], autoShutdown: .anySignificant, significant: [1])
        #expect(parent.gone(1, byItself: false) == nil)
    }

    @Test("a significant child that ends while its group is stopped does not shut the parent down")
    func significantInGroup() {
        var parent = Parent(
            .oneForAll,
            [.permanent, .transient],
            autoShutdown: .anySignificant,
            significant: [2]
        )
        #expect(parent.ended(1) == stop(2))
        #expect(parent.gone(2, byItself: true, again: true) == start(1))
        #expect(parent.started(1) == start(2))
    }
}
