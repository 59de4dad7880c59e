// What a history is judged by: the object as it would behave if one client at a time used it.

/// A sequential object: a state, and what each call does to it and answers.
///
/// Write one for what you replicate, and any recorded history of it can be judged by `LinearizabilityChecker`. Calls of one key
/// act on one object; calls of different keys must not touch each other. Where they do, give all of them the same key.
public protocol SequentialModel: Sendable {
    /// The whole object. Equal states must answer alike for ever.
    associatedtype State: Hashable & Sendable
    /// What a client asks for.
    associatedtype Call: Hashable & Sendable
    /// What it is told.
    associatedtype Answer: Equatable & Sendable

    /// The object before the first call.
    var initialState: State { get }

    /// Carries out `call` and says what it answers. Deterministic: no clock, no chance.
    func apply(_ call: Call, to state: inout State) -> Answer

    /// Whether the call never changes any state. Only makes judging faster; `false` by default.
    func isReadOnly(_ call: Call) -> Bool
}

extension SequentialModel {
    /// Nothing is known of the call.
    public func isReadOnly(_ call: Call) -> Bool { false }
}

/// A model whose calls and answers can be written to a history file and read back.
public protocol RecordableModel: SequentialModel {
    /// The name that the file's first line carries; a file of another model is refused.
    static var modelName: String { get }

    /// The call as one line of text.
    static func text(of call: Call) -> String
    /// The call that `text(of:)` gave, or nil for text that is none.
    static func call(from text: String) -> Call?
    /// The answer as one line of text.
    static func text(of answer: Answer) -> String
    /// The answer that `text(of:)` gave, or nil for text that is none.
    static func answer(from text: String) -> Answer?
}
