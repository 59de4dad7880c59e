import ConclaveSimulation

/// Makes histories by running clients against a real object: linearizable by construction, until an answer is changed.
struct HistoryGenerator<Model: SequentialModel> {
    var model: Model
    var clients: Int
    var keys: Int
    /// Of a thousand operations, how many end with an unknown outcome.
    var unknownPerMille = 0
    var makeCall: (inout SimulationRandom) -> Model.Call

    private struct Open {
        var operation: Int
        var key: String
        /// Set once the operation has taken effect.
        var answer: Model.Answer?
    }

    /// Each step of time, one client calls, has its call carried out, or is answered.
    func history(operations count: Int, _ random: inout SimulationRandom) -> History<Model> {
        var states: [String: Model.State] = [:]
        var history = History<Model>()
        var open: [Int: Open] = [:]
        var time: UInt64 = 0
        while history.operations.count < count || !open.isEmpty {
            time += 1
            let client = Int.random(in: 0..<clients, using: &random)
            guard var call = open[client] else {
                guard history.operations.count < count else { continue }
                let key = "key-\(Int.random(in: 0..<keys, using: &random))"
                open[client] = Open(operation: history.operations.count, key: key)
                history.operations.append(
                    RecordedOperation(
                        client: client,
                        key: key,
                        call: makeCall(&random),
                        invoked: time,
                        outcome: .unknown
                    )
                )
                continue
            }
            let isLost = Int.random(in: 0..<1000, using: &random) < unknownPerMille
            if let answer = call.answer {
                open[client] = nil
                if !isLost { history.operations[call.operation].outcome = .answered(answer, at: time) }
            } else if isLost {
                open[client] = nil
            } else {
                var state = states[call.key] ?? model.initialState
                call.answer = model.apply(history.operations[call.operation].call, to: &state)
                states[call.key] = state
                open[client] = call
            }
        }
        return history
    }
}

extension HistoryGenerator where Model == RegisterModel {
    /// Half reads, the rest writes, deletes and swaps of `values` different values.
    static func register(clients: Int, keys: Int, values: Int = 5, unknownPerMille: Int = 0) -> Self {
        HistoryGenerator(
            model: RegisterModel(),
            clients: clients,
            keys: keys,
            unknownPerMille: unknownPerMille
        ) { random in
            let value = "\(Int.random(in: 0..<values, using: &random))"
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5: return .read
            case 5..<8: return .write(value)
            case 8:
                let expected = Int.random(in: 0..<values, using: &random)
                return .compareAndSet(expected: "\(expected)", new: value)
            default: return .delete
            }
        }
    }
}
