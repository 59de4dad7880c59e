/// What INFO tells about a server, gathered by whoever can see it at the moment of the question.
package struct ServerFacts: Hashable, Sendable {
    /// The Redis whose commands and words are served. Clients look at it to know what they may use.
    package static let redisVersion = "7.2.0"

    /// This program's own version.
    package var conclaveVersion: String
    package var processID: Int
    package var clientPort: Int
    package var uptime: Duration
    /// How many clients are connected.
    package var clientCount: Int
    /// How many keys the store of this server holds.
    package var keyCount: Int
    package var raft: Raft

    /// The consensus side. Plain numbers, since they are only printed.
    package struct Raft: Hashable, Sendable {
        package var nodeID: UInt64
        /// `leader`, `follower`, `candidate`, `pre-candidate` or `learner`.
        package var role: String
        package var term: UInt64
        /// The node that leads the term, if one is known.
        package var leaderID: UInt64?
        package var voterIDs: [UInt64]
        package var lastIndex: UInt64
        package var commitIndex: UInt64
        package var appliedIndex: UInt64
        /// Room on the disk: `ample`, `low` (deletions only) or `none`.
        package var diskSpace: String
        /// The log was found damaged and is not whole again yet.
        package var isQuarantined: Bool

        package init(
            nodeID: UInt64,
            role: String,
            term: UInt64,
            leaderID: UInt64?,
            voterIDs: [UInt64],
            lastIndex: UInt64,
            commitIndex: UInt64,
            appliedIndex: UInt64,
            diskSpace: String,
            isQuarantined: Bool
        ) {
            self.nodeID = nodeID
            self.role = role
            self.term = term
            self.leaderID = leaderID
            self.voterIDs = voterIDs
            self.lastIndex = lastIndex
            self.commitIndex = commitIndex
            self.appliedIndex = appliedIndex
            self.diskSpace = diskSpace
            self.isQuarantined = isQuarantined
        }
    }

    package init(
        conclaveVersion: String,
        processID: Int,
        clientPort: Int,
        uptime: Duration,
        clientCount: Int,
        keyCount: Int,
        raft: Raft
    ) {
        self.conclaveVersion = conclaveVersion
        self.processID = processID
        self.clientPort = clientPort
        self.uptime = uptime
        self.clientCount = clientCount
        self.keyCount = keyCount
        self.raft = raft
    }

    /// The answer to INFO.
    ///
    /// - Parameter sections: in lower case. Without any, or with `all`, `everything` or `default`: all of them. Unknown
    ///   ones are left out.
    package func reply(sections: [String]) -> Reply {
        let wantsAll = sections.isEmpty || sections.contains { ["all", "everything", "default"].contains($0) }
        let wanted = allSections.filter { wantsAll || sections.contains($0.title.lowercased()) }
        let texts = wanted.map { section in
            "# \(section.title)\r\n" + section.lines.map { "\($0.name):\($0.value)\r\n" }.joined()
        }
        return .verbatim(format: "txt", text: Bytes(text: texts.joined(separator: "\r\n")))
    }

    private typealias Section = (title: String, lines: [(name: String, value: String)])

    private var allSections: [Section] {
        let seconds = uptime.components.seconds
        return [
            (
                "Server",
                [
                    ("redis_version", Self.redisVersion),
                    ("redis_mode", "standalone"),
                    ("conclave_version", conclaveVersion),
                    ("process_id", "\(processID)"),
                    ("tcp_port", "\(clientPort)"),
                    ("uptime_in_seconds", "\(seconds)"),
                    ("uptime_in_days", "\(seconds / 86_400)"),
                ]
            ),
            ("Clients", [("connected_clients", "\(clientCount)")]),
            (
                "Raft",
                [
                    ("raft_node_id", "\(raft.nodeID)"),
                    ("raft_role", raft.role),
                    ("raft_term", "\(raft.term)"),
                    ("raft_leader_id", raft.leaderID.map { "\($0)" } ?? ""),
                    ("raft_voters", raft.voterIDs.map { "\($0)" }.joined(separator: ",")),
                    ("raft_last_index", "\(raft.lastIndex)"),
                    ("raft_commit_index", "\(raft.commitIndex)"),
                    ("raft_applied_index", "\(raft.appliedIndex)"),
                    ("raft_disk_space", raft.diskSpace),
                    ("raft_quarantined", raft.isQuarantined ? "1" : "0"),
                ]
            ),
            ("Keyspace", keyCount == 0 ? [] : [("db0", "keys=\(keyCount),expires=0,avg_ttl=0")]),
        ]
    }
}
