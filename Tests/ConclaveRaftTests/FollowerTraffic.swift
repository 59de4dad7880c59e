import RaftCore
import Synchronization

@testable import ConclaveRaft

/// What a follower is sent and acknowledges, from now on.
final class FollowerTraffic: Sendable {
    private let seen = Mutex((acknowledged: LogIndex.zero, firstSent: LogIndex(.max)))

    /// Takes the place of the network's filter, and lets everything through.
    init(of follower: NodeID, in network: RaftNetwork) {
        network.setFilter { [self] message, from, to in
            guard case .raft(let raft) = message else { return true }
            switch raft.kind {
            case .appendAccepted(let match, _, _) where from == follower:
                seen.withLock { $0.acknowledged = max($0.acknowledged, match) }
            case .appendEntries(let append) where to == follower:
                if let first = append.entries.first { seen.withLock { $0.firstSent = min($0.firstSent, first.index) } }
            default: break
            }
            return true
        }
    }

    /// Whether it has acknowledged none of the entries that it was sent.
    var isNothingSentAcknowledged: Bool { seen.withLock { $0.acknowledged < $0.firstSent } }
}
