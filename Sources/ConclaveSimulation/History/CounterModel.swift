// A counter: a number that calls add to.

/// A counter that starts at zero and wraps around.
public struct CounterModel: RecordableModel {
    /// What a client may ask of a counter. Both answer the number afterwards.
    public enum Call: Hashable, Sendable {
        /// Changes nothing.
        case read
        /// Adds, a negative number too.
        case add(Int)
    }

    /// Zero.
    public var initialState: Int { 0 }

    /// A counter.
    public init() {}

    /// Carries out a call.
    public func apply(_ call: Call, to state: inout Int) -> Int {
        if case .add(let step) = call { state &+= step }
        return state
    }

    /// True for `read`.
    public func isReadOnly(_ call: Call) -> Bool { call == .read }

    /// `counter`
    public static var modelName: String { "counter" }

    /// `read`, or for example `add 3`.
    public static func text(of call: Call) -> String {
        switch call {
        case .read: "read"
        case .add(let step): "add \(step)"
        }
    }

    /// Reads what `text(of:)` wrote.
    public static func call(from text: String) -> Call? {
        guard let words = TextToken.words(text, limit: 2) else { return nil }
        switch (words[0], words.count) {
        case ("read", 1): return .read
        case ("add", 2): return Int(words[1]).map(Call.add)
        default: return nil
        }
    }

    /// The number.
    public static func text(of answer: Int) -> String { "\(answer)" }

    /// Reads what `text(of:)` wrote.
    public static func answer(from text: String) -> Int? { Int(text) }
}
