// A history as text: one JSON object a line, easy to write from any language and to read by eye.

/// Reads and writes histories of `Model`.
///
/// The first line names format, version and model. Each further line is one operation:
///
///     {"conclave-history":1,"model":"register"}
///     {"client":3,"key":"x","invoked":120,"call":"write 5","returned":150,"answer":"done"}
///     {"client":4,"key":"x","invoked":130,"call":"read","returned":null,"answer":null}
///     {"client":5,"key":"x","invoked":131,"call":"delete","returned":140,"answer":null}
///
/// Without `returned` the outcome is unknown; returned without an answer, the call was certainly not carried out. Empty lines
/// are skipped. Times have any unit.
public enum HistoryFile<Model: RecordableModel> {
    /// The most bytes in a line.
    public static var maximumLineBytes: Int { 1 << 20 }
    /// The most operations in a file.
    public static var maximumOperations: Int { 10_000_000 }

    /// The history as text, operations by the time of their invocation.
    public static func text(of history: History<Model>) -> String {
        var text = "{\"conclave-history\":1,\"model\":\(FlatJSON.quoted(Model.modelName))}\n"
        for operation in history.operations.sorted(by: { $0.invoked < $1.invoked }) {
            let (returned, answer): (String, String) =
                switch operation.outcome {
                case .answered(let answer, let time): ("\(time)", FlatJSON.quoted(Model.text(of: answer)))
                case .unknown: ("null", "null")
                case .failed(let time): ("\(time)", "null")
                }
            text += "{\"client\":\(operation.client),\"key\":\(FlatJSON.quoted(operation.key))"
            text += ",\"invoked\":\(operation.invoked),\"call\":\(FlatJSON.quoted(Model.text(of: operation.call)))"
            text += ",\"returned\":\(returned),\"answer\":\(answer)}\n"
        }
        return text
    }

    /// The history that a text holds.
    ///
    /// - Throws: `HistoryFileError` at the first line that makes no sense. Nothing is guessed and nothing skipped.
    public static func history(from text: String) throws(HistoryFileError) -> History<Model> {
        var history = History<Model>()
        var isHeaderRead = false
        var lineNumber = 0
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            lineNumber += 1
            guard line.utf8.count <= maximumLineBytes else {
                throw HistoryFileError(line: lineNumber, problem: "longer than \(maximumLineBytes) bytes")
            }
            if line.allSatisfy(\.isWhitespace) { continue }
            let fields = HistoryLine(fields: try parse(line, lineNumber), number: lineNumber)
            if isHeaderRead {
                guard history.operations.count < maximumOperations else {
                    throw HistoryFileError(line: lineNumber, problem: "more than \(maximumOperations) operations")
                }
                history.operations.append(try operation(fields))
            } else {
                try checkHeader(fields)
                isHeaderRead = true
            }
        }
        guard isHeaderRead else {
            throw HistoryFileError(line: max(lineNumber, 1), problem: "the first line is missing")
        }
        return history
    }

    private static func parse(_ line: Substring, _ number: Int) throws(HistoryFileError) -> [String: FlatJSONValue] {
        do throws(FlatJSON.SyntaxError) {
            return try FlatJSON.object(line)
        } catch {
            throw HistoryFileError(line: number, problem: "\(error.problem), at byte \(error.byte)")
        }
    }

    private static func checkHeader(_ line: HistoryLine) throws(HistoryFileError) {
        let version = try line.number("conclave-history")
        guard version == 1 else { throw line.error("version \(version) of the format is not known") }
        let model = try line.string("model")
        guard model == Model.modelName else {
            throw line.error("a history of the model \(model), not of \(Model.modelName)")
        }
    }

    private static func operation(_ line: HistoryLine) throws(HistoryFileError) -> RecordedOperation<Model> {
        guard let client = Int(exactly: try line.number("client")) else { throw line.error("client is too large") }
        let callText = try line.string("call")
        guard let call = Model.call(from: callText) else { throw line.error("no call: \(callText)") }
        let invoked = try line.number("invoked")
        let answerText = try line.optionalString("answer")
        var outcome = RecordedOperation<Model>.Outcome.unknown
        if let returned = try line.optionalNumber("returned") {
            guard returned >= invoked else { throw line.error("returned before it was invoked") }
            outcome = .failed(at: returned)
            if let answerText {
                guard let answer = Model.answer(from: answerText) else { throw line.error("no answer: \(answerText)") }
                outcome = .answered(answer, at: returned)
            }
        } else if answerText != nil {
            throw line.error("an answer that never returned")
        }
        return RecordedOperation(
            client: client,
            key: try line.string("key"),
            call: call,
            invoked: invoked,
            outcome: outcome
        )
    }
}

/// Why a text is no history, and at which line, counted from 1.
public struct HistoryFileError: Error, Equatable, CustomStringConvertible {
    /// The line, counted from 1.
    public var line: Int
    /// What is wrong with it.
    public var problem: String

    /// For people.
    public var description: String { "line \(line): \(problem)" }
}

/// One line's fields.
private struct HistoryLine {
    var fields: [String: FlatJSONValue]
    var number: Int

    func error(_ problem: String) -> HistoryFileError { HistoryFileError(line: number, problem: problem) }

    func number(_ name: String) throws(HistoryFileError) -> UInt64 {
        guard let value = try optionalNumber(name) else { throw error("\(name) is missing") }
        return value
    }

    func string(_ name: String) throws(HistoryFileError) -> String {
        guard let value = try optionalString(name) else { throw error("\(name) is missing") }
        return value
    }

    func optionalNumber(_ name: String) throws(HistoryFileError) -> UInt64? {
        switch fields[name] {
        case nil, .null: return nil
        case .number(let value): return value
        case .string: throw error("\(name) is not a number")
        }
    }

    func optionalString(_ name: String) throws(HistoryFileError) -> String? {
        switch fields[name] {
        case nil, .null: return nil
        case .string(let value): return value
        case .number: throw error("\(name) is not a string")
        }
    }
}
