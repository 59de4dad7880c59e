// What a parent decides when a child ends. A pure value: it is told what happened and says what to do next.

/// A parent's decisions about its children, with the group restart that is under way, if any.
///
/// The rules are those of OTP's supervisor.erl. OTP's supervisor waits for each stop and each start and finds the exits that came
/// meanwhile in its mailbox; here, a failure that comes amid a group restart waits in `waiting` for the same effect:
/// - a child that ends before its turn to be stopped is stopped as any other, and does not count as a further failure;
/// - a child that fails after it was started in this round, or that is not concerned, is dealt with afterwards;
/// - a start that fails ends the round and counts as a failure of its own, behind those that wait already.
struct SupervisionState {
    enum Action: Equatable {
        /// A fresh incarnation, not before that moment. Nobody waits for it.
        case restart(ChildNumber, notBefore: UInt64)
        /// End the child's incarnation and keep the child. Answered by `childStopped` or `childGone`.
        case stop(ChildNumber)
        /// A fresh incarnation, not before that moment. Answered by `childStarted`, `childEnded` or `childGone`.
        case start(ChildNumber, notBefore: UInt64)
        /// This child failed once more than the intensity allows: end, with all children.
        case giveUp(ChildNumber)
        /// The significant children have ended: end, with all children.
        case shutDown
    }

    /// A child as the decision needs it.
    struct Child: Equatable {
        var number: ChildNumber
        var restart = RestartType.permanent
        var isSignificant = false
        /// It ended normally and is not restarted for that; a group restart starts it again.
        var hasEnded = false
    }

    private struct Failure {
        var child: ChildNumber
        var notBefore: UInt64
    }

    private struct Group {
        /// Who is still to be stopped; the last comes first.
        var stops: [ChildNumber]
        /// Who is still to be started, in order.
        var starts: [ChildNumber]
        /// When the first of them may start.
        var notBefore: UInt64
    }

    private enum Progress {
        /// No group restart is under way.
        case none
        /// This child has been told to stop.
        case stopping(Group, ChildNumber)
        /// All are stopped, and this child has been told to start.
        case starting(Group, ChildNumber)
    }

    var rules: SupervisionRules
    private var history = RestartHistory()
    private var progress = Progress.none
    /// Failures that have not been dealt with, oldest first. Invariant: empty between events unless a group restart is under way.
    private var waiting: [Failure] = []

    init(_ rules: SupervisionRules) { self.rules = rules }

    // MARK: Events

    /// A child that is to be restarted has ended by itself, or its restart failed.
    ///
    /// - Parameters:
    ///   - notBefore: when its backoff allows the next start.
    ///   - now: nanoseconds.
    ///   - children: looks at all children, in the order of their start, this one among them.
    mutating func childEnded(
        _ child: ChildNumber,
        notBefore: UInt64 = 0,
        now: UInt64,
        children: () -> [Child]
    ) -> Action? {
        switch progress {
        case .none: break
        case .stopping(let group, let awaited):
            if child == awaited || group.stops.contains(child) { return nil }
        case .starting(let group, let awaited):
            if child == awaited {
                progress = .none
            } else if group.notBefore > now, child < awaited {
                // Nothing has been started in this round yet and it may be long until then. The new group contains this one.
                progress = .none
                waiting.insert(Failure(child: child, notBefore: max(notBefore, group.notBefore)), at: 0)
                return next(now, children)
            }
        }
        waiting.append(Failure(child: child, notBefore: notBefore))
        return next(now, children)
    }

    /// A child has ended as it was told to by `stop`, and waits to be started.
    mutating func childStopped(_ child: ChildNumber, now: UInt64, children: () -> [Child]) -> Action? {
        guard case .stopping(let group, child) = progress else { return nil }
        return advance(group, now, children)
    }

    /// A child has started as it was told to by `start`.
    mutating func childStarted(_ child: ChildNumber, now: UInt64, children: () -> [Child]) -> Action? {
        guard case .starting(let group, child) = progress else { return nil }
        return advance(group, now, children)
    }

    /// A child has ended for good.
    ///
    /// - Parameters:
    ///   - child: the child as it was; `hasEnded` if a group restart would start it again.
    ///   - byItself: not because this parent said so.
    mutating func childGone(_ child: Child, byItself: Bool, now: UInt64, children: () -> [Child]) -> Action? {
        waiting.removeAll { $0.child == child.number }
        switch progress {
        case .none: break
        case .stopping(var group, let awaited):
            guard child.number == awaited || group.stops.contains(child.number) else { break }
            group.stops.removeAll { $0 == child.number }
            if !child.hasEnded { group.starts.removeAll { $0 == child.number } }
            if child.number == awaited { return advance(group, now, children) }
            progress = .stopping(group, awaited)
            return nil
        case .starting(var group, let awaited):
            group.starts.removeAll { $0 == child.number }
            progress = .starting(group, awaited)
            if child.number == awaited {
                return shutsDown(after: child, byItself, children) ? .shutDown : advance(group, now, children)
            }
        }
        return shutsDown(after: child, byItself, children) ? .shutDown : nil
    }

    // MARK: Decisions

    private func shutsDown(after child: Child, _ byItself: Bool, _ children: () -> [Child]) -> Bool {
        guard child.isSignificant, byItself else { return false }
        return switch rules.autoShutdown {
        case .never: false
        case .anySignificant: true
        case .allSignificant: !children().contains { $0.isSignificant && !$0.hasEnded && $0.number != child.number }
        }
    }

    /// Deals with the oldest failure, if the last group restart is over.
    private mutating func next(_ now: UInt64, _ children: () -> [Child]) -> Action? {
        guard case .none = progress, !waiting.isEmpty else { return nil }
        let failure = waiting.removeFirst()
        guard history.allowsRestart(at: now, rules.intensity) else { return .giveUp(failure.child) }
        let affected: [Child]
        switch rules.strategy {
        case .oneForOne: return .restart(failure.child, notBefore: failure.notBefore)
        case .oneForAll: affected = children()
        case .restForOne: affected = children().filter { $0.number >= failure.child }
        }
        waiting.removeAll { earlier in affected.contains { $0.number == earlier.child } }
        let group = Group(
            stops: affected.filter { !$0.hasEnded && $0.number != failure.child }.map(\.number),
            starts: affected.filter { $0.restart != .temporary }.map(\.number),
            notBefore: failure.notBefore
        )
        return advance(group, now, children)
    }

    /// The next step of a group restart.
    private mutating func advance(_ group: Group, _ now: UInt64, _ children: () -> [Child]) -> Action? {
        var group = group
        if let child = group.stops.popLast() {
            progress = .stopping(group, child)
            return .stop(child)
        }
        guard !group.starts.isEmpty else {
            progress = .none
            return next(now, children)
        }
        let child = group.starts.removeFirst()
        progress = .starting(group, child)
        return .start(child, notBefore: group.notBefore)
    }
}
