// What a server promised, it keeps, also across restarts: its vote, and what it acknowledged (rules P7, P8, P28, P34).

package import RaftCore

/// Remembers the votes and acknowledgements that left each server.
package struct PromiseChecker: Sendable {
    private struct Promise {
        var term = Term.zero
        var vote: NodeID?
        var match = LogIndex.zero
    }

    private var promises = NumberedTable<NodeID, Promise>()

    package init() {}

    /// A server that is no member any more starts anew: what it promised counts for nothing.
    package mutating func released(_ server: NodeID) { promises[server] = nil }

    /// A vote was sent. Nil, or what is wrong with that.
    package mutating func voted(_ server: NodeID, for candidate: NodeID, in term: Term) -> String? {
        advance(server, to: term)
        guard let promise = promises[server], promise.term == term else { return nil }
        if let vote = promise.vote, vote != candidate {
            return "one vote a term: server \(server) voted for \(vote) and for \(candidate) in \(term)"
        }
        promises[server]?.vote = candidate
        return nil
    }

    /// An acknowledgement was sent. True: it promises more than the server has promised before.
    @discardableResult
    package mutating func acknowledged(_ server: NodeID, upTo match: LogIndex, in term: Term) -> Bool {
        let isNewTerm = advance(server, to: term)
        guard let promise = promises[server], promise.term == term, match > promise.match else { return isNewTerm }
        promises[server]?.match = match
        return true
    }

    @discardableResult
    private mutating func advance(_ server: NodeID, to term: Term) -> Bool {
        if let promise = promises[server], promise.term >= term { return false }
        promises[server] = Promise(term: term)
        return true
    }

    /// Nil, or which promise a server has forgotten.
    package func look(at core: some ObservedCore) -> String? {
        guard let promise = promises[core.id] else { return nil }
        if core.term < promise.term {
            return "promises kept: server \(core.id) promised something in \(promise.term) and is back in \(core.term)"
        }
        // In a later term another leader may have replaced it; one in quarantine knows that it lost something.
        guard core.term == promise.term, core.lastIndex < promise.match, !core.isQuarantined else { return nil }
        return
            "promises kept: server \(core.id) acknowledged \(promise.match) in \(core.term) and has \(core.lastIndex)"
    }
}
