// Judges a recorded history: could one client at a time have seen the same answers?

/// Decides whether a history is linearizable (Herlihy and Wing, 1990).
///
/// Each key is judged on its own, which is exact: linearizability is local. The search is Wing and Gong's (1993) with Lowe's
/// memoisation (2017) of the configurations it has been in.
///
/// A verdict depends on nothing but the history and the limits, so it is the same on every machine. That is why the limits count
/// work and not seconds.
public struct LinearizabilityChecker<Model: SequentialModel>: Sendable {
    /// How much work one key may cost. Beyond it the verdict is `undecided`, which is no pass.
    public struct Limits: Hashable, Sendable {
        /// Steps of the search; 200 million by default, a minute or so.
        public var steps: Int
        /// Configurations remembered; 4 million by default, about 100 bytes each and the states.
        public var configurations: Int

        /// Limits, both greater than 0.
        public init(steps: Int = 200_000_000, configurations: Int = 4_000_000) {
            precondition(steps > 0 && configurations > 0, "the limits of a linearizability check must be above 0")
            self.steps = steps
            self.configurations = configurations
        }
    }

    /// The object as it should be.
    public let model: Model
    /// How much work each key may cost.
    public let limits: Limits

    /// A checker that holds histories against `model`.
    public init(_ model: Model, limits: Limits = Limits()) {
        self.model = model
        self.limits = limits
    }

    /// Judges a history.
    public func check(_ history: History<Model>) -> LinearizabilityVerdict<Model> {
        var smallest: LinearizabilityViolation<Model>?
        var undecided: [String] = []
        for (key, operations) in Self.partitions(of: history) {
            var search = LinearizabilitySearch(model, operations)
            switch search.run(limits) {
            case .placedAll: break
            case .exhausted(let blocked):
                let violation = shortest(key, operations, blocked)
                if violation.operations.count < smallest?.operations.count ?? .max { smallest = violation }
            case .limitReached: undecided.append(key)
            }
        }
        if let smallest { return .violation(smallest) }
        return undecided.isEmpty ? .linearizable : .undecided(keys: undecided)
    }

    /// The shortest beginning that fails. A beginning of a linearizable history is linearizable, so halving finds it.
    ///
    /// - Parameter blocked: no beginning that ends before this operation's return fails.
    private func shortest(
        _ key: String,
        _ operations: [RecordedOperation<Model>],
        _ blocked: Int
    ) -> LinearizabilityViolation<Model> {
        let returns = operations.indices.filter { operations[$0].returned != nil }.sorted {
            operations[$1].isReturnedAfter(operations[$0], tie: $1 > $0)
        }
        var passing = (returns.firstIndex(of: blocked) ?? 0) - 1
        var failing = returns.count - 1
        var order: [Int] = []
        while failing - passing > 1 || order.isEmpty {
            let middle = failing - passing > 1 ? (passing + failing) / 2 : passing
            if middle < 0 { break }
            var search = LinearizabilitySearch(model, Self.beginning(of: operations, to: returns[middle]))
            switch search.run(limits) {
            case .placedAll(let found): (passing, order) = (middle, found)
            case .exhausted: failing = middle
            // What is not known to fail is not shown.
            case .limitReached: passing = middle
            }
            if middle == passing, failing - passing <= 1 { break }
        }
        return LinearizabilityViolation(
            key: key,
            operations: Self.beginning(of: operations, to: returns[failing]),
            culprit: returns[failing],
            order: order,
            model: model
        )
    }

    /// What was invoked before the end of the operation `last`; what had not returned by then is open.
    private static func beginning(
        of operations: [RecordedOperation<Model>],
        to last: Int
    ) -> [RecordedOperation<Model>] {
        let end = operations[last].returned ?? .max
        return operations.prefix { $0.invoked <= end }.enumerated().map { index, operation in
            guard index != last, operation.isReturnedAfter(operations[last], tie: index > last) else {
                return operation
            }
            var open = operation
            open.outcome = .unknown
            return open
        }
    }

    /// The operations of each key by invocation, without those that were certainly not carried out; keys in order.
    private static func partitions(of history: History<Model>) -> [(String, [RecordedOperation<Model>])] {
        var partitions: [String: [RecordedOperation<Model>]] = [:]
        for operation in history.operations {
            if case .failed = operation.outcome { continue }
            if case .answered(_, let returned) = operation.outcome {
                precondition(operation.invoked <= returned, "an operation returned before it was invoked: \(operation)")
            }
            partitions[operation.key, default: []].append(operation)
        }
        return partitions.map { ($0.key, $0.value.sorted { $0.invoked < $1.invoked }) }.sorted { $0.0 < $1.0 }
    }
}

/// What a check came to.
public enum LinearizabilityVerdict<Model: SequentialModel>: Sendable {
    /// There is an order that explains every answer.
    case linearizable
    /// There is none. Of all keys that fail this is the one with the fewest operations.
    case violation(LinearizabilityViolation<Model>)
    /// A limit was reached for these keys and no other key fails. Count it as a failure: nothing was shown.
    case undecided(keys: [String])

    /// Whether the history passed. Only `linearizable` does.
    public var isPass: Bool {
        if case .linearizable = self { true } else { false }
    }
}
