import ConclaveSimulation

/// The definition, tried out: is there a legal sequence of all answered and some of the unknown operations in which none comes after
/// one that was invoked when it had already returned? Exponential, and too simple to be wrong.
func isLinearizableByDefinition<Model: SequentialModel>(_ history: History<Model>, _ model: Model) -> Bool {
    let operations = history.operations.filter { if case .failed = $0.outcome { false } else { true } }
    func answer(_ index: Int) -> (answer: Model.Answer, time: UInt64)? {
        if case .answered(let answer, let time) = operations[index].outcome { (answer, time) } else { nil }
    }
    let answered = operations.indices.count { answer($0) != nil }
    func extend(_ sequence: [Int], _ state: Model.State, answeredSoFar: Int) -> Bool {
        if answeredSoFar == answered { return true }
        for candidate in operations.indices where !sequence.contains(candidate) {
            let outcome = answer(candidate)
            if let outcome, sequence.contains(where: { outcome.time < operations[$0].invoked }) { continue }
            var after = state
            let result = model.apply(operations[candidate].call, to: &after)
            if let outcome, outcome.answer != result { continue }
            let count = answeredSoFar + (outcome == nil ? 0 : 1)
            if extend(sequence + [candidate], after, answeredSoFar: count) { return true }
        }
        return false
    }
    return extend([], model.initialState, answeredSoFar: 0)
}
