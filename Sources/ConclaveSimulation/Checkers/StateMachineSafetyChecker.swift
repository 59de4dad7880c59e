// State-machine safety: all servers apply the same commands in the same order (Raft §5.4.3).

package import RaftCore

/// Compares what servers apply with what the first of them applied at the same place.
package struct StateMachineSafetyChecker: Sendable {
    private var applied: [[UInt8]] = []
    /// How many commands the furthest server has applied.
    package var count: Int { applied.count }

    package init() {}

    /// A server applied its `place`-th command since its start from an empty state, counted from 0. Nil, or what is wrong.
    package mutating func applied(_ command: ArraySlice<UInt8>, at place: Int, by server: NodeID) -> String? {
        if place == applied.count {
            applied.append(Array(command))
            return nil
        }
        guard place < applied.count else {
            return "state-machine safety: server \(server) applied command \(place) before command \(applied.count)"
        }
        if applied[place].elementsEqual(command) { return nil }
        return "state-machine safety: server \(server) applied another command at place \(place) than the first"
    }
}
