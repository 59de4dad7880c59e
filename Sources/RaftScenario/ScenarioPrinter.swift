// How a scenario shows what happened.

package import RaftCore

/// Short texts for what servers say, announce and hold.
package enum ScenarioPrinter {
    static func line(_ message: RaftMessage) -> String {
        "\(message.from) -> \(message.to)  \(message.term)  \(text(message.kind))"
    }

    static func text(_ kind: RaftMessage.Kind) -> String {
        switch kind {
        case .preVoteRequest(let last): "pre-vote? log \(text(last))"
        case .preVoteResponse(let granted, _): "pre-vote \(granted ? "granted" : "refused")"
        case .voteRequest(let last, let isTransfer): "vote? log \(text(last))\(isTransfer ? ", by transfer" : "")"
        case .voteResponse(let granted): "vote \(granted ? "granted" : "refused")"
        case .appendEntries(let append):
            "append behind \(text(append.previous)) [\(text(append.entries))] commit \(append.leaderCommit)"
        case .appendAccepted(let match, _, _): "has all up to \(match)"
        case .appendRejected(let previous, let hint, _, _): "lacks \(previous), may agree at \(text(hint))"
        case .entriesLost(let index, _): "lost its entries from \(index) on"
        case .installSnapshot(let chunk):
            "snapshot \(text(chunk.snapshot.last)), byte \(chunk.offset)\(chunk.isLast ? " to the end" : "")"
        case .snapshotStored(_, _, let next, _): "goes on at byte \(next)"
        case .timeoutNow: "stand for election now"
        case .termPassed: "your term has passed"
        case .readIndexRequest: "read index?"
        case .readIndexResponse(_, let index): index.map { "read index \($0)" } ?? "no read index"
        }
    }

    /// `5:t2`, index and term.
    static func text(_ position: LogPosition) -> String { "\(position.index.rawValue):\(position.term)" }

    /// Runs of entries of one term, as in `2:t1 3:t2=add x`.
    static func text(_ entries: [Entry]) -> String {
        entries.map { entry in
            let content =
                switch entry.kind {
                case .noop: "-"
                case .command: String(decoding: entry.payload, as: UTF8.self)
                case .configuration: Configuration(decoding: entry.payload)?.description ?? "?"
                }
            return "\(entry.index.rawValue):\(entry.term)=\(content)"
        }.joined(separator: " ")
    }

    /// What a server announces.
    package static func text(_ event: RaftEvent) -> String {
        switch event {
        case .roleChanged(let role, let term): "is \(text(role)) in \(term)"
        case .leaderChanged(let leader, let term):
            leader.map { "follows \($0) in \(term)" } ?? "knows no leader in \(term)"
        case .configurationChanged(let configuration, let index): "goes by \(configuration) of \(index)"
        case .transferAborted(let target): "gives up handing over to \(target)"
        case .diskStalled: "has a stalled disk and hands over"
        case .quarantineOver: "has back what it lost"
        case .snapshotDamaged(let index, _): "finds its snapshot at \(index) damaged"
        }
    }

    static func text(_ role: RaftRole) -> String {
        switch role {
        case .follower: "follower"
        case .preCandidate: "pre-candidate"
        case .candidate: "candidate"
        case .leader: "leader"
        }
    }

    /// One line of `status`.
    static func status(_ server: Server) -> String {
        guard let core = server.core else { return "\(server.id) down" }
        var line = "\(core.id) \(text(core.role)) \(core.term) commit \(core.commitIndex) last \(core.lastIndex)"
        if core.logStart.index > .zero { line += " log behind \(text(core.logStart))" }
        if core.isQuarantined { line += " quarantined" }
        return line + " \(core.configuration)"
    }

    /// One line of `log`.
    static func log(_ server: Server) -> String {
        guard let core = server.core else { return "\(server.id) down" }
        var terms: [String] = []
        var index = core.logStart.index.next
        while index <= core.lastIndex {
            terms.append("\(index.rawValue):\(core.term(at: index) ?? .zero)")
            index = index.next
        }
        return "\(server.id) [\(terms.joined(separator: " "))] commit \(core.commitIndex) disk \(core.persistedIndex)"
    }
}
