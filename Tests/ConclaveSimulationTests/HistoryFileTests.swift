import ConclaveSimulation
import Testing

@Suite struct HistoryFileTests {
    @Test("a history is read back as it was written, values of any bytes included")
    func roundTrip() throws {
        var random = SimulationRandom.drawn("HistoryFileTests")
        let generator = HistoryGenerator.register(clients: 5, keys: 3, unknownPerMille: 50)
        var history = generator.history(operations: 300, &random)
        let odd = ["", "-", "%", " a b ", "ü\u{2028}\u{0}\n\"\\", "\u{1F600}", "%2D"]
        for (index, value) in odd.enumerated() {
            history.operations[index].call = .compareAndSet(expected: value, new: value)
            history.operations[index].key = value
            history.operations[index].outcome =
                .answered(.value(value), at: history.operations[index].invoked + 5)
        }
        history.operations[20].outcome = .failed(at: history.operations[20].invoked)
        let text = HistoryFile.text(of: history)
        let read = try HistoryFile<RegisterModel>.history(from: text)
        #expect(HistoryFile.text(of: read) == text)
        #expect(read.operations.count == 300)
        #expect(odd.allSatisfy { value in read.operations.contains { $0.key == value } })
    }

    @Test("counters and lists are written and read too")
    func otherModels() throws {
        let counter = History<CounterModel>([
            .init(client: 1, key: "c", call: .add(-3), invoked: 1, outcome: .answered(-3, at: 2)),
            .init(client: 1, key: "c", call: .read, invoked: 3, outcome: .unknown),
        ])
        let counterText = HistoryFile.text(of: counter)
        #expect(try HistoryFile.text(of: HistoryFile<CounterModel>.history(from: counterText)) == counterText)
        let list = History<ListModel>([
            .init(client: 1, key: "l", call: .append("a b"), invoked: 1, outcome: .answered(.count(1), at: 2)),
            .init(client: 1, key: "l", call: .read, invoked: 3, outcome: .answered(.elements(["a b"]), at: 4)),
            .init(client: 1, key: "m", call: .read, invoked: 5, outcome: .answered(.elements([]), at: 6)),
        ])
        let listText = HistoryFile.text(of: list)
        #expect(try HistoryFile.text(of: HistoryFile<ListModel>.history(from: listText)) == listText)
    }

    @Test(
        "a text that is no history is refused with the line and the reason",
        arguments: [
            ("", 1, "first line is missing"),
            (#"{"conclave-history":2,"model":"register"}"#, 1, "version 2"),
            (#"{"conclave-history":1,"model":"counter"}"#, 1, "not of register"),
            (header + #"{"client":1"#, 2, "expected"),
            (header + #"{"client":1,"client":1}"#, 2, "twice"),
            (
                header + "\n" + #"{"client":1,"key":"x","invoked":5,"call":"jump","returned":null,"answer":null}"#, 3,
                "jump"
            ),
            (header + #"{"client":1,"key":"x","invoked":5,"call":"read","returned":4,"answer":null}"#, 2, "before"),
            (header + #"{"client":1,"key":"x","invoked":5,"call":"read","returned":null,"answer":"done"}"#, 2, "never"),
            (header + #"{"client":99999999999999999999,"key":"x"}"#, 2, "too large"),
            (header + #"{"client":1,"key":"x\ud800"}"#, 2, "surrogate"),
            (header + #"{"a":1} x"#, 2, "more after"),
        ]
    )
    func refusals(text: String, line: Int, reason: String) {
        let error = #expect(throws: HistoryFileError.self) { try HistoryFile<RegisterModel>.history(from: text) }
        #expect(error?.line == line)
        #expect(error?.problem.contains(reason) == true, "\(String(describing: error))")
    }

    private static let header = #"{"conclave-history":1,"model":"register"}"# + "\n"

    @Test("damaged text is read or refused, and never crashes")
    func fuzz() {
        var random = SimulationRandom.drawn("HistoryFileTests")
        let generator = HistoryGenerator.register(clients: 3, keys: 2, unknownPerMille: 50)
        let text = Array(HistoryFile.text(of: generator.history(operations: 4, &random)).utf8)
        let spice = Array(#"{}":,\u0012-%nul 9"#.utf8) + [0, 10, 0xFF, 0xC3]
        var refused = 0
        for _ in 0..<20_000 {
            var damaged = text
            for _ in 0...Int.random(in: 0...3, using: &random) where !damaged.isEmpty {
                let place = Int.random(in: 0..<damaged.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: damaged[place] = spice.randomElement(using: &random)!
                case 1: damaged.insert(spice.randomElement(using: &random)!, at: place)
                case 2: damaged.remove(at: place)
                default: damaged.removeLast(damaged.count - place - 1)
                }
            }
            do {
                _ = try HistoryFile<RegisterModel>.history(from: String(decoding: damaged, as: UTF8.self))
            } catch {
                refused += 1
            }
        }
        #expect(refused > 10_000)
    }

    @Test("a recorder keeps what clients did, and a call without an end stays unknown")
    func recorder() {
        let recorder = HistoryRecorder<RegisterModel>(capacity: 10)
        let write = recorder.invoke(client: 1, key: "x", .write("1"), at: 1)
        let lost = recorder.invoke(client: 2, key: "x", .write("2"), at: 2)
        let refused = recorder.invoke(client: 3, key: "x", .delete, at: 3)
        recorder.answered(write, .done, at: 4)
        recorder.failed(refused, at: 5)
        _ = lost
        let read = recorder.invoke(client: 1, key: "x", .read, at: 6)
        recorder.answered(read, .value("2"), at: 7)
        #expect(recorder.history.operations.count == 4)
        #expect(LinearizabilityChecker(RegisterModel()).check(recorder.history).isPass)
    }
}
