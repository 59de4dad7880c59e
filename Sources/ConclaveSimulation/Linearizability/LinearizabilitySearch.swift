// The search of one key's history for an order that explains its answers.

/// The calls and returns of a history in the order of time, as a list from which placed operations are lifted out.
///
/// Candidates for the next place are the calls before the first return that is still in the list: each of them was invoked before any
/// operation left to place had returned. Where the list begins with a return, no candidate fits, and the search goes back.
struct LinearizabilitySearch<Model: SequentialModel> {
    enum Outcome {
        /// Every answered operation found its place, in this order.
        case placedAll([Int])
        /// There is no such order. The argument is the operation whose return, of all that stood in the way, was the last.
        case exhausted(blocked: Int)
        case limitReached
    }

    /// An operation with unknown outcome that was placed last. See `isUseful`.
    private struct Pending: Hashable {
        var operation: Int
        var stateBefore: Model.State
    }

    /// Where the search is, but for the unknown operations placed so far.
    private struct Configuration: Hashable {
        var placed: OperationSet
        var state: Model.State
        var pending: Pending?
    }

    /// What has been searched in vain. A configuration that differs from such a one only in that more unknown operations are used up
    /// offers nothing new.
    private struct Searched {
        private var usedUp: [Configuration: [OperationSet]] = [:]
        private(set) var count = 0
        var isEmpty: Bool { count == 0 }

        /// Whether it, or one at least as good, was searched.
        func covers(_ configuration: Configuration, using unknown: OperationSet) -> Bool {
            usedUp[configuration]?.contains { $0.isSubset(of: unknown) } == true
        }

        mutating func insert(_ configuration: Configuration, using unknown: OperationSet) {
            usedUp[configuration, default: []].append(unknown)
            count += 1
        }
    }

    private struct Placement {
        var operation: Int
        var stateBefore: Model.State
        var pendingBefore: Pending?
        var candidates: Candidates
        /// A read: what comes after it could come after it anyway, so there is no alternative to it.
        var isForced: Bool
    }

    /// Which of the calls are being tried. Those with unknown outcome come last: most never need a place.
    private enum Candidates { case answered, unknown }

    private let model: Model
    private let operations: [RecordedOperation<Model>]
    /// For an operation with unknown outcome, the one invoked before it with the same call and unknown outcome, or -1. They are
    /// interchangeable, so the earlier one is always placed first.
    private let twins: [Int]

    /// The place of an operation among the answered ones, or among the unknown ones.
    private let ranks: [Int]
    /// When the client of an operation was answered; `.max` while the outcome is unknown.
    private let returns: [UInt64]

    // The list. Entry 0 is its head; operation `i` is called at entry `2 i + 1` and returns at `2 i + 2`.
    private var next: [Int]
    private var previous: [Int]
    private var isPlaced: [Bool]
    private var answeredLeft: Int
    private var unknownLeft: Int

    /// - Parameter operations: of one key, by invocation, without failed ones.
    init(_ model: Model, _ operations: [RecordedOperation<Model>]) {
        self.model = model
        self.operations = operations
        isPlaced = Array(repeating: false, count: operations.count)
        answeredLeft = operations.count { $0.returned != nil }
        unknownLeft = operations.count - answeredLeft
        twins = Self.twins(of: operations)
        returns = operations.map { $0.returned ?? .max }
        var counts = (answered: 0, unknown: 0)
        ranks = operations.map { operation in
            if operation.returned == nil {
                counts.unknown += 1
                return counts.unknown - 1
            }
            counts.answered += 1
            return counts.answered - 1
        }
        next = Array(repeating: 0, count: 2 * operations.count + 1)
        previous = next
        link(Self.entriesInOrder(operations))
    }

    private static func twins(of operations: [RecordedOperation<Model>]) -> [Int] {
        var latest: [Model.Call: Int] = [:]
        return operations.indices.map { index in
            guard operations[index].returned == nil else { return -1 }
            return latest.updateValue(index, forKey: operations[index].call) ?? -1
        }
    }

    /// All entries by time; of calls and returns at the same time the calls come first.
    private static func entriesInOrder(_ operations: [RecordedOperation<Model>]) -> [Int] {
        var keys: [(time: UInt64, isReturn: Bool, entry: Int)] = []
        keys.reserveCapacity(2 * operations.count)
        for (index, operation) in operations.enumerated() {
            keys.append((operation.invoked, false, 2 * index + 1))
            if let returned = operation.returned { keys.append((returned, true, 2 * index + 2)) }
        }
        keys.sort { left, right in
            if left.time != right.time { return left.time < right.time }
            return left.isReturn == right.isReturn ? left.entry < right.entry : right.isReturn
        }
        return keys.map(\.entry)
    }

    /// Whether the outcome of an operation is unknown.
    private func isOpen(_ operation: Int) -> Bool { returns[operation] == .max }

    private mutating func link(_ entries: [Int]) {
        var last = 0
        for entry in entries {
            next[last] = entry
            previous[entry] = last
            last = entry
        }
        next[last] = 0
        previous[0] = last
    }

    // MARK: Searching

    mutating func run(_ limits: LinearizabilityChecker<Model>.Limits) -> Outcome {
        var state = model.initialState
        var pending: Pending?
        var placed = OperationSet()
        var unknown = OperationSet()
        var searched = Searched()
        var stack: [Placement] = []
        var candidates = Candidates.answered
        var blocked: Int?
        var steps = 0
        var entry = next[0]
        while answeredLeft > 0 {
            steps += 1
            if steps > limits.steps || searched.count > limits.configurations { return .limitReached }
            if entry != 0, entry & 1 == 1 {
                let operation = entry >> 1
                guard let after = tryPlacing(operation, in: state, pending, candidates) else {
                    entry = next[entry]
                    continue
                }
                let pendingAfter =
                    candidates == .unknown ? Pending(operation: operation, stateBefore: state) : nil
                let isForced = candidates == .answered && model.isReadOnly(operations[operation].call)
                insert(operation, &placed, &unknown)
                if !isForced, !searched.isEmpty {
                    let configuration = Configuration(placed: placed, state: after, pending: pendingAfter)
                    if searched.covers(configuration, using: unknown) {
                        remove(operation, &placed, &unknown)
                        entry = next[entry]
                        continue
                    }
                }
                stack.append(
                    Placement(
                        operation: operation,
                        stateBefore: state,
                        pendingBefore: pending,
                        candidates: candidates,
                        isForced: isForced
                    )
                )
                (state, pending, candidates) = (after, pendingAfter, .answered)
                lift(operation)
                entry = next[0]
                continue
            }
            if candidates == .answered, unknownLeft > 0 {
                candidates = .unknown
                entry = next[0]
                continue
            }
            blocked = later(blocked, (entry >> 1) - 1)
            var last: Placement
            repeat {
                guard let popped = stack.popLast() else { return .exhausted(blocked: blocked ?? 0) }
                last = popped
                // All that can follow was tried. While it was, nothing could come to the same: an operation more was placed each time.
                if !last.isForced {
                    searched.insert(Configuration(placed: placed, state: state, pending: pending), using: unknown)
                }
                unlift(last.operation)
                remove(last.operation, &placed, &unknown)
                (state, pending) = (last.stateBefore, last.pendingBefore)
            } while last.isForced
            candidates = last.candidates
            entry = next[2 * last.operation + 1]
        }
        return .placedAll(stack.map(\.operation))
    }

    /// Whichever returned later.
    private func later(_ old: Int?, _ new: Int) -> Int {
        guard let old else { return new }
        return (returns[old], old) > (returns[new], new) ? old : new
    }

    /// The state after the operation, if it may come next.
    private func tryPlacing(
        _ index: Int,
        in state: Model.State,
        _ pending: Pending?,
        _ candidates: Candidates
    ) -> Model.State? {
        guard isOpen(index) == (candidates == .unknown) else { return nil }
        var expected: Model.Answer?
        if case .answered(let answer, _) = operations[index].outcome {
            expected = answer
        } else {
            let twin = twins[index]
            if twin >= 0, !isPlaced[twin] { return nil }
        }
        var after = state
        let answer = model.apply(operations[index].call, to: &after)
        if let expected {
            guard answer == expected else { return nil }
        } else if after == state {
            return nil  // without an effect it need not have happened
        }
        if let pending, !isUseful(pending, before: index, expected, after) { return nil }
        return after
    }

    /// Whether the pending operation, whose outcome is unknown, had to be placed right before the operation `index`.
    ///
    /// Nothing says when it took effect, so it is placed as late as possible or not at all. Of all orders that explain a history one
    /// has the fewest unknown operations, those as late as they can be, and neighbours among them in the order of their
    /// invocation where they commute. The search only needs to find that one.
    private func isUseful(
        _ pending: Pending,
        before index: Int,
        _ expected: Model.Answer?,
        _ after: Model.State
    ) -> Bool {
        var swapped = pending.stateBefore
        let answer = model.apply(operations[index].call, to: &swapped)
        if let expected, answer != expected { return true }
        if swapped == after { return false }  // nobody would notice if it had not happened
        if expected == nil, index > pending.operation { return true }
        _ = model.apply(operations[pending.operation].call, to: &swapped)
        return swapped != after  // else it may as well come next
    }

    private func insert(_ operation: Int, _ placed: inout OperationSet, _ unknown: inout OperationSet) {
        if isOpen(operation) { unknown.insert(ranks[operation]) } else { placed.insert(ranks[operation]) }
    }

    private func remove(_ operation: Int, _ placed: inout OperationSet, _ unknown: inout OperationSet) {
        if isOpen(operation) { unknown.remove(ranks[operation]) } else { placed.remove(ranks[operation]) }
    }

    private mutating func lift(_ operation: Int) {
        isPlaced[operation] = true
        remove(2 * operation + 1)
        if !isOpen(operation) {
            remove(2 * operation + 2)
            answeredLeft -= 1
        } else {
            unknownLeft -= 1
        }
    }

    /// Undoes the latest `lift` that has not been undone.
    private mutating func unlift(_ operation: Int) {
        isPlaced[operation] = false
        if !isOpen(operation) {
            restore(2 * operation + 2)
            answeredLeft += 1
        } else {
            unknownLeft += 1
        }
        restore(2 * operation + 1)
    }

    private mutating func remove(_ entry: Int) {
        next[previous[entry]] = next[entry]
        previous[next[entry]] = previous[entry]
    }

    private mutating func restore(_ entry: Int) {
        next[previous[entry]] = entry
        previous[next[entry]] = entry
    }
}

extension RecordedOperation {
    /// When the client was answered; nil while the outcome is unknown.
    var returned: UInt64? {
        if case .answered(_, let time) = outcome { time } else { nil }
    }

    /// The order of returns: an unknown outcome is never returned.
    func isReturnedAfter(_ other: Self, tie: Bool) -> Bool {
        let (own, others) = (returned ?? .max, other.returned ?? .max)
        return own == others ? tie : own > others
    }
}
