// What RAFT.INFO and RAFT.NODE tell.

package import ConclaveRaft
import RaftCore

/// What a server knows of its cluster at the moment of the question.
package struct ClusterFacts: Sendable {
    package var conclaveVersion: String
    package var clusterID: String
    package var incarnation: UInt64
    package var status: RaftStatus

    package init(conclaveVersion: String, clusterID: String, incarnation: UInt64, status: RaftStatus) {
        self.conclaveVersion = conclaveVersion
        self.clusterID = clusterID
        self.incarnation = incarnation
        self.status = status
    }

    /// The answer to RAFT.INFO: a map. `errors` is a list of texts, empty when all is well.
    package var info: Reply {
        let leader = status.leader
        let leaderAddress = leader.flatMap { status.configuration.record(of: $0)?.clientAddress } ?? ""
        return .map([
            pair("node_id", status.id.rawValue),
            Reply.Pair(.bulk(text: "cluster_id"), .bulk(text: clusterID)),
            Reply.Pair(.bulk(text: "incarnation"), .bulk(text: String(incarnation, radix: 16))),
            Reply.Pair(.bulk(text: "version"), .bulk(text: conclaveVersion)),
            Reply.Pair(.bulk(text: "standing"), .bulk(text: status.standing.rawValue)),
            Reply.Pair(.bulk(text: "role"), .bulk(text: "\(status.role)")),
            pair("term", status.term.rawValue),
            Reply.Pair(.bulk(text: "leader_id"), leader.map { .integer(Int64(clamping: $0.rawValue)) } ?? .null),
            Reply.Pair(.bulk(text: "leader_address"), .bulk(text: leaderAddress)),
            pair("voters", UInt64(status.configuration.voters.count)),
            pair("learners", UInt64(status.configuration.learners.count)),
            pair("last_index", status.lastIndex.rawValue),
            pair("commit_index", status.commitIndex.rawValue),
            pair("applied_index", status.appliedIndex.rawValue),
            pair("snapshot_index", status.snapshotIndex.rawValue),
            pair("log_size", UInt64(status.logSizeBytes)),
            Reply.Pair(.bulk(text: "errors"), .array(errors.map { .bulk(text: $0) })),
        ])
    }

    private var errors: [String] {
        var errors: [String] = []
        switch status.standing {
        case .removed: errors.append("removed from the cluster")
        case .waiting: errors.append("waits to be added to a cluster")
        case .voter, .learner: if status.leader == nil { errors.append("no leader is known") }
        }
        if status.isQuarantined { errors.append("the log is damaged and being repaired") }
        return errors
    }

    /// The answer to RAFT.NODE: a list of maps.
    package var members: Reply {
        .array(status.configuration.members.map(member))
    }

    private func member(_ id: NodeID) -> Reply {
        let record = status.configuration.record(of: id) ?? MemberRecord(id)
        return .map([
            pair("id", id.rawValue),
            Reply.Pair(
                .bulk(text: "standing"),
                .bulk(text: status.configuration.isVoter(id) ? "voter" : "learner")
            ),
            Reply.Pair(.bulk(text: "leader"), .boolean(id == status.leader)),
            Reply.Pair(.bulk(text: "address"), .bulk(text: record.peerAddress)),
            Reply.Pair(.bulk(text: "client_address"), .bulk(text: record.clientAddress)),
            Reply.Pair(
                .bulk(text: "incarnation"),
                record.incarnation.map { .bulk(text: String($0, radix: 16)) } ?? .null
            ),
            Reply.Pair(.bulk(text: "to_be_promoted"), .boolean(record.isToBePromoted)),
        ])
    }

    private func pair(_ name: String, _ number: UInt64) -> Reply.Pair {
        Reply.Pair(.bulk(text: name), .integer(Int64(clamping: number)))
    }
}

extension StateHash {
    /// The answer to RAFT.HASH: a map of the index and term of the last applied entry and of the hash in 16 hexadecimal digits.
    package var reply: Reply {
        guard let hash else { return .error("ERR", "this state machine has no hash") }
        let digits = String(hash, radix: 16)
        let padded = String(repeating: "0", count: 16 - digits.count) + digits
        return .map([
            Reply.Pair(.bulk(text: "index"), .integer(Int64(clamping: last.index.rawValue))),
            Reply.Pair(.bulk(text: "term"), .integer(Int64(clamping: last.term.rawValue))),
            Reply.Pair(.bulk(text: "hash"), .bulk(text: padded)),
        ])
    }
}
