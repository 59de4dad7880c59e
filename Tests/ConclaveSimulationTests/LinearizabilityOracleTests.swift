import ConclaveSimulation
import Testing

/// The search against the definition, and against the clock.
@Suite struct LinearizabilityOracleTests {
    @Test("the search agrees with the definition on 100,000 small histories, valid and broken ones")
    func agreesWithDefinition() {
        var random = SimulationRandom.drawn("agreesWithDefinition")
        var passed = 0
        let runs = 100_000
        for run in 0..<runs {
            let history =
                Bool.random(using: &random) ? Self.arbitrary(&random) : Self.generatedAndPerhapsBroken(&random)
            let expected = isLinearizableByDefinition(history, RegisterModel())
            let verdict = LinearizabilityChecker(RegisterModel()).check(history)
            if expected { passed += 1 }
            if verdict.isPass != expected {
                Issue.record("run \(run): expected \(expected)\n\(HistoryFile.text(of: history))")
                return
            }
            guard case .violation(let violation) = verdict, run % 4 == 0 else { continue }
            // The beginning fails by itself, and does not without the culprit's return.
            var shorter = violation.operations
            shorter[violation.culprit].outcome = .unknown
            if isLinearizableByDefinition(History(violation.operations), RegisterModel())
                || !isLinearizableByDefinition(History(shorter), RegisterModel())
            {
                Issue.record(
                    "run \(run): not the shortest beginning\n\(violation)\nof \(HistoryFile.text(of: history))"
                )
                return
            }
        }
        print("\(passed) of \(runs) histories were linearizable")
        #expect(passed > runs / 5 && passed < runs * 4 / 5)
    }

    /// Any spans, any answers.
    private static func arbitrary(_ random: inout SimulationRandom) -> History<RegisterModel> {
        var history = History<RegisterModel>()
        for client in 0..<Int.random(in: 1...5, using: &random) {
            let invoked = UInt64.random(in: 0..<8, using: &random)
            let call = call(&random)
            let answer = answer(to: call, &random)
            let returned = invoked + UInt64.random(in: 0..<8, using: &random)
            history.operations.append(
                RecordedOperation(
                    client: client,
                    key: "x",
                    call: call,
                    invoked: invoked,
                    outcome: Int.random(in: 0..<4, using: &random) == 0 ? .unknown : .answered(answer, at: returned)
                )
            )
        }
        return history
    }

    private static func generatedAndPerhapsBroken(_ random: inout SimulationRandom) -> History<RegisterModel> {
        let generator = HistoryGenerator.register(clients: 3, keys: 1, values: 2, unknownPerMille: 150)
        var history = generator.history(operations: Int.random(in: 2...6, using: &random), &random)
        let broken = Int.random(in: 0..<history.operations.count * 2, using: &random)
        if broken < history.operations.count, case .answered(_, let time) = history.operations[broken].outcome {
            let answer = answer(to: history.operations[broken].call, &random)
            history.operations[broken].outcome = .answered(answer, at: time)
        }
        return history
    }

    private static func call(_ random: inout SimulationRandom) -> RegisterModel.Call {
        let value = Bool.random(using: &random) ? "0" : "1"
        switch Int.random(in: 0..<6, using: &random) {
        case 0..<3: return .read
        case 3..<5: return .write(value)
        default: return .compareAndSet(expected: "0", new: value)
        }
    }

    private static func answer(to call: RegisterModel.Call, _ random: inout SimulationRandom) -> RegisterModel.Answer {
        switch call {
        case .read: .value([nil, "0", "1"].randomElement(using: &random)!)
        case .write, .delete: .done
        case .compareAndSet: .swapped(Bool.random(using: &random))
        }
    }

    @Test("a history of 10,000 operations by 32 clients on 10 keys is judged in seconds, valid or broken")
    func largeHistory() {
        // Clients that may lose answers write values of their own, as they should: an old value then tells who wrote it.
        for (unknownPerMille, values) in [(0, 5), (5, 100_000)] {
            var random = SimulationRandom(seed: 1)
            let generator = HistoryGenerator.register(
                clients: 32,
                keys: 10,
                values: values,
                unknownPerMille: unknownPerMille
            )
            var history = generator.history(operations: 10_000, &random)
            let start = ContinuousClock.now
            #expect(LinearizabilityChecker(RegisterModel()).check(history).isPass)
            let valid = ContinuousClock.now - start
            // A value that nobody wrote, near the end.
            let reads = history.operations.indices.filter {
                if case .answered(.value, _) = history.operations[$0].outcome { $0 > 9_000 } else { false }
            }
            guard let read = reads.first, case .answered(_, let time) = history.operations[read].outcome else {
                Issue.record("no read to break")
                return
            }
            history.operations[read].outcome = .answered(.value("phantom"), at: time)
            let second = ContinuousClock.now
            let verdict = LinearizabilityChecker(RegisterModel()).check(history)
            let broken = ContinuousClock.now - second
            print("10,000 operations, \(unknownPerMille) per mille unknown: \(valid), with a phantom \(broken)")
            #expect(!verdict.isPass)
            // Ten seconds are the promise for a release build on a machine of its own.
            #expect(valid < .seconds(60))
            #expect(broken < .seconds(60))
        }
    }
}
