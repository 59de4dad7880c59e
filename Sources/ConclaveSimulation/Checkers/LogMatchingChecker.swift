// Log matching: index and term name one entry, and all before it (Raft §5.3).

package import RaftCore

/// Remembers every entry that a server was told to write.
///
/// By induction it is enough that index and term fix an entry and the term of the entry before it.
package struct LogMatchingChecker: Sendable {
    private struct Origin {
        let term: Term
        let previousTerm: Term
        let kind: Entry.Kind
        let payload: [UInt8]
    }

    /// By index, from 1.
    private var origins: [[Origin]] = []

    package init() {}

    /// A server writes an entry behind one of `previousTerm`. Nil, or what is wrong with that.
    package mutating func written(_ entry: Entry, behind previousTerm: Term, by server: NodeID) -> String? {
        let place = Int(entry.index.rawValue) - 1
        while origins.count <= place { origins.append([]) }
        guard let known = origins[place].first(where: { $0.term == entry.term }) else {
            origins[place].append(
                Origin(term: entry.term, previousTerm: previousTerm, kind: entry.kind, payload: entry.payload)
            )
            return nil
        }
        if known.previousTerm == previousTerm, known.kind == entry.kind, known.payload == entry.payload { return nil }
        return "log matching: server \(server) has another entry \(entry.index) of \(entry.term) than the first"
    }
}
