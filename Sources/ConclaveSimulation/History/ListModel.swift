// A list that grows at its end: a read shows the order in which the appends took effect.

/// A list of values, appended to and read as a whole.
public struct ListModel: RecordableModel {
    /// What a client may ask of a list.
    public enum Call: Hashable, Sendable {
        /// Answers `elements`.
        case read
        /// Answers `count`, the new one.
        case append(String)
    }

    /// What a list answers.
    public enum Answer: Hashable, Sendable {
        /// All elements, the oldest first.
        case elements([String])
        /// How many there are now.
        case count(Int)
    }

    /// No elements.
    public var initialState: [String] { [] }

    /// A list.
    public init() {}

    /// Carries out a call.
    public func apply(_ call: Call, to state: inout [String]) -> Answer {
        guard case .append(let element) = call else { return .elements(state) }
        state.append(element)
        return .count(state.count)
    }

    /// True for `read`.
    public func isReadOnly(_ call: Call) -> Bool { call == .read }

    /// `list`
    public static var modelName: String { "list" }

    /// `read`, or for example `append a`.
    public static func text(of call: Call) -> String {
        switch call {
        case .read: "read"
        case .append(let element): "append \(TextToken.text(element))"
        }
    }

    /// Reads what `text(of:)` wrote.
    public static func call(from text: String) -> Call? {
        guard let words = TextToken.words(text, limit: 2) else { return nil }
        switch (words[0], words.count) {
        case ("read", 1): return .read
        case ("append", 2): return TextToken.value(words[1]).flatMap { $0 }.map(Call.append)
        default: return nil
        }
    }

    /// For example `count 2`, or `elements a b`.
    public static func text(of answer: Answer) -> String {
        switch answer {
        case .count(let count): "count \(count)"
        case .elements(let elements): (["elements"] + elements.map { TextToken.text($0) }).joined(separator: " ")
        }
    }

    /// Reads what `text(of:)` wrote.
    public static func answer(from text: String) -> Answer? {
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        if words.first == "elements" {
            var elements: [String] = []
            for word in words.dropFirst() {
                guard let element = TextToken.value(word).flatMap({ $0 }) else { return nil }
                elements.append(element)
            }
            return .elements(elements)
        }
        guard words.count == 2, words[0] == "count" else { return nil }
        return Int(words[1]).map(Answer.count)
    }
}
