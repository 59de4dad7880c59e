// One call of one client, as the client saw it.

/// When a client called, when it was told, and what.
///
/// Times may have any unit and any origin: only their order counts. An operation that returns at the same time as another is invoked
/// counts as concurrent with it.
public struct RecordedOperation<Model: SequentialModel>: Sendable {
    /// What the client knows.
    public enum Outcome: Sendable {
        /// Carried out once, between the invocation and this time.
        case answered(Model.Answer, at: UInt64)
        /// A time-out, a lost connection: it may take effect at any time after its invocation, or never.
        case unknown
        /// Certainly not carried out, neither then nor later.
        case failed(at: UInt64)
    }

    /// Who called. One client has at most one call open, except calls whose outcome stays unknown.
    public var client: Int
    /// The object called.
    public var key: String
    /// What was asked for.
    public var call: Model.Call
    /// When.
    public var invoked: UInt64
    /// What the client was told, and when.
    public var outcome: Outcome

    /// An operation as it was recorded.
    public init(client: Int, key: String, call: Model.Call, invoked: UInt64, outcome: Outcome) {
        self.client = client
        self.key = key
        self.call = call
        self.invoked = invoked
        self.outcome = outcome
    }
}

/// What all clients did, in any order.
public struct History<Model: SequentialModel>: Sendable {
    /// Every call that was made. Judging needs all of them: one left out may make a correct object look broken.
    public var operations: [RecordedOperation<Model>]

    /// A history of the given operations.
    public init(_ operations: [RecordedOperation<Model>] = []) { self.operations = operations }
}
