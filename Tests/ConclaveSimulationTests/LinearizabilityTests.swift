import ConclaveSimulation
import Testing

@Suite struct LinearizabilityTests {
    private typealias Operation = RecordedOperation<RegisterModel>

    private func operation(
        _ client: Int,
        _ call: RegisterModel.Call,
        _ span: ClosedRange<UInt64>,
        _ answer: RegisterModel.Answer = .done
    ) -> Operation {
        Operation(
            client: client,
            key: "x",
            call: call,
            invoked: span.lowerBound,
            outcome: .answered(answer, at: span.upperBound)
        )
    }

    private func verdict(_ operations: [Operation]) -> LinearizabilityVerdict<RegisterModel> {
        LinearizabilityChecker(RegisterModel()).check(History(operations))
    }

    @Test("a read that overlaps a write may see either value, and one that begins after it only the new one")
    func overlappingRead() {
        let write = operation(0, .write("1"), 10...20)
        #expect(verdict([write, operation(1, .read, 15...25, .value(nil))]).isPass)
        #expect(verdict([write, operation(1, .read, 15...25, .value("1"))]).isPass)
        #expect(verdict([write, operation(1, .read, 21...25, .value("1"))]).isPass)
        #expect(!verdict([write, operation(1, .read, 21...25, .value(nil))]).isPass)
    }

    @Test("two reads in a row do not go back in time")
    func nonMonotonicReads() {
        let write = operation(0, .write("1"), 0...100)
        let new = operation(1, .read, 10...20, .value("1"))
        let old = operation(2, .read, 30...40, .value(nil))
        #expect(!verdict([write, new, old]).isPass)
    }

    @Test("a return and an invocation at the same time are concurrent")
    func sameTime() {
        #expect(verdict([operation(0, .write("1"), 10...20), operation(1, .read, 20...25, .value(nil))]).isPass)
    }

    @Test("an unknown outcome takes effect at any later time or never, but not before its invocation and not twice")
    func unknownOutcome() {
        let lost = Operation(client: 0, key: "x", call: .write("1"), invoked: 10, outcome: .unknown)
        #expect(verdict([lost, operation(1, .read, 900...910, .value("1"))]).isPass)
        #expect(verdict([lost, operation(1, .read, 900...910, .value(nil))]).isPass)
        #expect(!verdict([lost, operation(1, .read, 2...5, .value("1"))]).isPass)
        let again = [
            lost, operation(1, .read, 20...21, .value("1")), operation(1, .write("2"), 22...23),
            operation(1, .read, 24...25, .value("1")),
        ]
        #expect(!verdict(again).isPass)
    }

    @Test("a call that failed for certain has no effect")
    func failedCall() {
        let failed = Operation(client: 0, key: "x", call: .write("1"), invoked: 10, outcome: .failed(at: 12))
        #expect(verdict([failed, operation(1, .read, 20...25, .value(nil))]).isPass)
        #expect(!verdict([failed, operation(1, .read, 20...25, .value("1"))]).isPass)
    }

    @Test("keys are judged apart")
    func partitions() {
        var other = operation(1, .read, 30...40, .value(nil))
        other.key = "y"
        #expect(verdict([operation(0, .write("1"), 10...20), other]).isPass)
    }

    @Test("a violation shows the shortest beginning that fails, the culprit and the longest order before it")
    func violation() throws {
        let operations = [
            operation(0, .write("1"), 10...20), operation(1, .read, 21...30, .value("1")),
            operation(2, .read, 31...40, .value("7")), operation(0, .write("7"), 41...50),
        ]
        guard case .violation(let violation) = verdict(operations) else {
            Issue.record("a phantom value passed")
            return
        }
        #expect(violation.operations.count == 3)
        #expect(violation.culprit == 2)
        #expect(violation.order == [0, 1])
        #expect(violation.state == "1")
        #expect("\(violation)".contains("no order explains"))
        let page = violation.timelineHTML
        #expect(page.contains("class=\"culprit\""))
        #expect(page.contains("1. write"))
        #expect(!page.contains("http://") || !page.contains("src="))
    }

    @Test("a limit that is reached is no pass")
    func limits() {
        var random = SimulationRandom(seed: 1)
        let history = HistoryGenerator.register(clients: 8, keys: 1).history(operations: 200, &random)
        for limits in [
            LinearizabilityChecker<RegisterModel>.Limits(steps: 100),
            LinearizabilityChecker<RegisterModel>.Limits(configurations: 5),
        ] {
            let verdict = LinearizabilityChecker(RegisterModel(), limits: limits).check(history)
            #expect(!verdict.isPass)
            guard case .undecided(let keys) = verdict else {
                Issue.record("decided: \(verdict)")
                continue
            }
            #expect(keys == ["key-0"])
        }
    }

    @Test("counters and lists have models of their own")
    func otherModels() {
        let counter = LinearizabilityChecker(CounterModel())
        func add(_ client: Int, _ span: ClosedRange<UInt64>, _ answer: Int) -> RecordedOperation<CounterModel> {
            .init(
                client: client,
                key: "c",
                call: .add(1),
                invoked: span.lowerBound,
                outcome: .answered(answer, at: span.upperBound)
            )
        }
        #expect(counter.check(History([add(0, 1...5, 2), add(1, 2...6, 1)])).isPass)
        #expect(!counter.check(History([add(0, 1...5, 1), add(1, 2...6, 1)])).isPass)
        let list = LinearizabilityChecker(ListModel())
        func operation(
            _ call: ListModel.Call,
            _ span: ClosedRange<UInt64>,
            _ answer: ListModel.Answer
        ) -> RecordedOperation<ListModel> {
            .init(
                client: 0,
                key: "l",
                call: call,
                invoked: span.lowerBound,
                outcome: .answered(answer, at: span.upperBound)
            )
        }
        let appends = [operation(.append("a"), 1...5, .count(1)), operation(.append("b"), 6...9, .count(2))]
        #expect(list.check(History(appends + [operation(.read, 10...11, .elements(["a", "b"]))])).isPass)
        #expect(!list.check(History(appends + [operation(.read, 10...11, .elements(["b", "a"]))])).isPass)
    }
}
