// A register: one value, or none.

/// One key of a key-value store: read, write, delete, compare and set.
public struct RegisterModel: RecordableModel {
    /// The value; nil when there is none.
    public typealias State = String?

    /// What a client may ask of a register.
    public enum Call: Hashable, Sendable {
        /// Answers `value`.
        case read
        /// Answers `done`.
        case write(String)
        /// Answers `done`.
        case delete
        /// Writes `new` where the value is `expected`, nil meaning none; answers `swapped`.
        case compareAndSet(expected: String?, new: String)
    }

    /// What a register answers.
    public enum Answer: Hashable, Sendable {
        /// The value; nil when there is none.
        case value(String?)
        /// A write or a delete was done.
        case done
        /// Whether the value was the expected one.
        case swapped(Bool)
    }

    /// Without a value unless told otherwise.
    public let initialState: String?

    /// - Parameter initialValue: what is there before the first call.
    public init(initialValue: String? = nil) { initialState = initialValue }

    /// Carries out a call.
    public func apply(_ call: Call, to state: inout String?) -> Answer {
        switch call {
        case .read: return .value(state)
        case .write(let value): state = value
        case .delete: state = nil
        case .compareAndSet(let expected, let new):
            guard state == expected else { return .swapped(false) }
            state = new
            return .swapped(true)
        }
        return .done
    }

    /// True for `read`.
    public func isReadOnly(_ call: Call) -> Bool { call == .read }

    // MARK: Text

    /// `register`
    public static var modelName: String { "register" }

    /// For example `write 5`.
    public static func text(of call: Call) -> String {
        switch call {
        case .read: "read"
        case .write(let value): "write \(TextToken.text(value))"
        case .delete: "delete"
        case .compareAndSet(let expected, let new): "cas \(TextToken.text(expected)) \(TextToken.text(new))"
        }
    }

    /// Reads what `text(of:)` wrote.
    public static func call(from text: String) -> Call? {
        guard let words = TextToken.words(text, limit: 3) else { return nil }
        switch (words[0], words.count) {
        case ("read", 1): return .read
        case ("delete", 1): return .delete
        case ("write", 2): return TextToken.value(words[1]).flatMap { $0 }.map(Call.write)
        case ("cas", 3):
            guard let expected = TextToken.value(words[1]), let new = TextToken.value(words[2]).flatMap({ $0 }) else {
                return nil
            }
            return .compareAndSet(expected: expected, new: new)
        default: return nil
        }
    }

    /// For example `value 5`.
    public static func text(of answer: Answer) -> String {
        switch answer {
        case .value(let value): "value \(TextToken.text(value))"
        case .done: "done"
        case .swapped(let wasExpected): "swapped \(wasExpected)"
        }
    }

    /// Reads what `text(of:)` wrote.
    public static func answer(from text: String) -> Answer? {
        guard let words = TextToken.words(text, limit: 2) else { return nil }
        switch (words[0], words.count) {
        case ("done", 1): return .done
        case ("value", 2): return TextToken.value(words[1]).map(Answer.value)
        case ("swapped", 2): return Bool(String(words[1])).map(Answer.swapped)
        default: return nil
        }
    }
}
