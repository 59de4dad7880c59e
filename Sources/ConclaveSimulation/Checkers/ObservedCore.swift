// What the checkers of a cluster look at after each step.

package import RaftCore

/// A core as the checkers see it; in their own tests, a made-up one.
package protocol ObservedCore {
    var id: NodeID { get }
    var role: RaftRole { get }
    var hardState: HardState { get }
    var commitIndex: LogIndex { get }
    var persistedIndex: LogIndex { get }
    var lastIndex: LogIndex { get }
    /// The position in front of the log in memory.
    var logStart: LogPosition { get }
    var snapshot: SnapshotMetadata? { get }
    var snapshotIndex: LogIndex { get }
    var configuration: Configuration { get }
    var configurationIndex: LogIndex { get }
    var isQuarantined: Bool { get }
    func term(at index: LogIndex) -> Term?
}

extension RaftCore: ObservedCore {}

extension ObservedCore {
    var term: Term { hardState.term }
    package var snapshotIndex: LogIndex { snapshot?.last.index ?? .zero }
}
