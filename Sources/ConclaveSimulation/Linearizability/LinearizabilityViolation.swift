// What is shown of a history that no order explains.

/// The shortest beginning of one key's history that cannot be explained.
public struct LinearizabilityViolation<Model: SequentialModel>: Sendable {
    /// The key.
    public let key: String
    /// The operations invoked before the end of that beginning, by invocation. Those that had not returned by then count as
    /// unknown: their answers do not matter. One return fewer, and there is an order.
    public let operations: [RecordedOperation<Model>]
    /// The place in `operations` of the one whose return completes the contradiction.
    public let culprit: Int
    /// An order that explains all that returned before, as places in `operations`; empty where the search for it hit a limit.
    public let order: [Int]
    /// The object after that order.
    public let state: Model.State

    private let model: Model

    init(key: String, operations: [RecordedOperation<Model>], culprit: Int, order: [Int], model: Model) {
        self.key = key
        self.operations = operations
        self.culprit = culprit
        self.order = order
        self.model = model
        var state = model.initialState
        for index in order { _ = model.apply(operations[index].call, to: &state) }
        self.state = state
    }

    /// The state after each operation of `order`.
    var statesAlongOrder: [Model.State] {
        var state = model.initialState
        return order.map { index in
            _ = model.apply(operations[index].call, to: &state)
            return state
        }
    }
}

extension LinearizabilityViolation: CustomStringConvertible {
    /// A few lines for people: the contradiction, and the operations that were open with it.
    public var description: String {
        let culprit = operations[culprit]
        var text = "not linearizable: key \(key), \(operations.count) operations, no order explains\n"
        text += "  \(Self.line(culprit))\n"
        text += "  an order of all before it places \(order.count) and ends in \(state)\n"
        let concurrent = operations.indices.filter {
            $0 != self.culprit && operations[$0].returned ?? .max >= culprit.invoked && operations[$0].returned != nil
        }
        if !concurrent.isEmpty { text += "  at the same time:\n" }
        for index in concurrent.suffix(20) { text += "    \(Self.line(operations[index]))\n" }
        return text
    }

    private static func line(_ operation: RecordedOperation<Model>) -> String {
        let answer =
            switch operation.outcome {
            case .answered(let answer, _): "\(answer)"
            case .unknown: "unknown"
            case .failed: "failed"
            }
        let returned = operation.returned.map { "\($0)" } ?? "-"
        return "client \(operation.client)  \(operation.invoked)..\(returned)  \(operation.call) = \(answer)"
    }
}
