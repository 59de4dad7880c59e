// A hash of a server's state, to compare servers by (rule P31).

package import RaftCore

/// What a server's state machine hashed to. Servers that have applied the same entries have the same.
package struct StateHash: Hashable, Sendable {
    /// The last entry that had been applied.
    package let last: LogPosition
    /// The hash; nil where the machine has none.
    package let hash: UInt64?
}

/// Waits for a hash of the state. Dropped, it is told that there is none.
package final class StateHashCompletion: @unchecked Sendable {
    // SAFETY: `finish` changes only when the completion is finished or destroyed, by the one actor that holds it at that time;
    // messages pass it on. Nil once finished.
    private var finish: (@Sendable (StateHash?) -> Void)?

    /// `finish` is called once.
    package init(_ finish: @escaping @Sendable (StateHash?) -> Void) { self.finish = finish }

    deinit { finish?(nil) }

    func end(_ hash: StateHash) {
        guard let finish = finish.take() else { preconditionFailure("a state was hashed twice for one request") }
        finish(hash)
    }
}
