// Who takes part: a value, carried in the log.

/// The members of a cluster (dissertation §4.3).
///
/// In force on a server from the moment its entry is appended, committed or not, and out of force when that entry is cut off
/// again (rule P3).
package struct Configuration: Hashable, Sendable {
    /// Who elects leaders and commits entries. Invariant: ascending, each once. Empty only on a server that waits to be added.
    package let voters: [NodeID]
    /// The voters before the change under way: while there are any, the configuration is joint and each decision takes a
    /// quorum of `voters` and one of these. Invariant: ascending, each once.
    package let outgoing: [NodeID]
    /// Who is sent the log without having a say. Invariant: ascending, each once, none of them in `voters` or `outgoing`.
    package let learners: [NodeID]
    /// Who is a voter of `outgoing` still and a learner when the joint configuration is left. Invariant: ascending, each once,
    /// all of them in `outgoing`, none in `voters`.
    package let learnersNext: [NodeID]
    /// Where members are and which data directories they have, as far as known. Invariant: ascending by id, each once, of members only.
    package let records: [MemberRecord]

    /// A configuration; the lists may be in any order. Records of servers that are no members are left out.
    package init(
        voters: [NodeID],
        outgoing: [NodeID] = [],
        learners: [NodeID] = [],
        learnersNext: [NodeID] = [],
        records: [MemberRecord] = []
    ) {
        self.voters = voters.sorted()
        self.outgoing = outgoing.sorted()
        self.learners = learners.sorted()
        self.learnersNext = learnersNext.sorted()
        self.records =
            records.filter { Set(voters + outgoing + learners).contains($0.id) }
            .sorted { $0.id < $1.id }
        precondition(isSound, "no configuration: \(voters) \(outgoing) \(learners) \(learnersNext) \(records)")
    }

    /// What a server knows that is yet to be added to a cluster.
    package static let unknown = Configuration(voters: [])

    /// Whether a change is half done.
    package var isJoint: Bool { !outgoing.isEmpty }

    /// Whether `id` has a vote, in either half.
    package func isVoter(_ id: NodeID) -> Bool { voters.contains(id) || outgoing.contains(id) }

    /// Everyone who is sent the log, in ascending order.
    package var members: [NodeID] { Array(Set(voters + outgoing + learners)).sorted() }

    /// What is known of a member besides its vote.
    package func record(of id: NodeID) -> MemberRecord? { records.first { $0.id == id } }

    /// Whether `ids` hold a quorum of each half: what it takes to commit or to elect.
    package func isQuorum(_ ids: Set<NodeID>) -> Bool {
        func isMajority(of half: [NodeID]) -> Bool {
            half.count { ids.contains($0) } >= QuorumMath.size(voters: half.count)
        }
        return !voters.isEmpty && isMajority(of: voters) && (outgoing.isEmpty || isMajority(of: outgoing))
    }

    private var isSound: Bool {
        func ascends(_ ids: [NodeID]) -> Bool { zip(ids, ids.dropFirst()).allSatisfy(<) }
        return [voters, outgoing, learners, learnersNext].allSatisfy(ascends)
            && learners.allSatisfy { !isVoter($0) }
            && learnersNext.allSatisfy { outgoing.contains($0) && !voters.contains($0) }
            && ascends(records.map(\.id)) && records.allSatisfy { isVoter($0.id) || learners.contains($0.id) }
    }
}

// MARK: - Bytes

extension Configuration {
    /// Without records, as all configurations once were.
    private static let bareVersion: UInt8 = 1
    private static let version: UInt8 = 2
    /// Members in one list; more are refused. Keeps a damaged count from taking all memory.
    private static let maximumCount = 1024

    /// The payload of a configuration's entry, little endian: version (1), then for each of the four lists its count (2) and
    /// its numbers (8 each); in version 2 the count (2) of the records, and the records.
    package func encoded() -> [UInt8] {
        var bytes = [records.isEmpty ? Self.bareVersion : Self.version]
        for ids in [voters, outgoing, learners, learnersNext] {
            withUnsafeBytes(of: UInt16(ids.count).littleEndian) { bytes.append(contentsOf: $0) }
            for id in ids { withUnsafeBytes(of: id.rawValue.littleEndian) { bytes.append(contentsOf: $0) } }
        }
        guard !records.isEmpty else { return bytes }
        withUnsafeBytes(of: UInt16(records.count).littleEndian) { bytes.append(contentsOf: $0) }
        for record in records { record.encode(into: &bytes) }
        return bytes
    }

    /// Reads a configuration back; nil for what `encoded` did not write.
    package init?(decoding bytes: [UInt8]) {
        guard let version = bytes.first, version == Self.version || version == Self.bareVersion else { return nil }
        var place = 1
        func take(_ size: Int) -> UInt64? {
            guard bytes.count - place >= size else { return nil }
            defer { place += size }
            return (0..<size).reduce(0) { $0 | UInt64(bytes[place + $1]) << (8 * UInt64($1)) }
        }
        var lists: [[NodeID]] = []
        for _ in 0..<4 {
            guard let count = take(2), count <= Self.maximumCount else { return nil }
            var ids: [NodeID] = []
            for _ in 0..<count {
                guard let id = take(8) else { return nil }
                ids.append(NodeID(id))
            }
            lists.append(ids)
        }
        var records: [MemberRecord] = []
        if version == Self.version {
            guard let count = take(2), count > 0, count <= Self.maximumCount else { return nil }
            var rest = bytes[place...]
            for _ in 0..<count {
                guard let record = MemberRecord(takingFrom: &rest) else { return nil }
                records.append(record)
            }
            place = rest.startIndex
        }
        guard place == bytes.count else { return nil }
        (voters, outgoing, learners, learnersNext) = (lists[0], lists[1], lists[2], lists[3])
        self.records = records
        guard isSound else { return nil }
    }
}

extension Configuration: CustomStringConvertible {
    /// `{1 2 3}`; joint `{1 2 3}&{1 2 4}`, then learners in parentheses, those to come with a star.
    package var description: String {
        func list(_ ids: [NodeID]) -> String { ids.map { "\($0.rawValue)" }.joined(separator: " ") }
        var text = "{\(list(voters))}"
        if isJoint { text += "&{\(list(outgoing))}" }
        if !learners.isEmpty { text += " (\(list(learners)))" }
        if !learnersNext.isEmpty { text += " *(\(list(learnersNext)))" }
        return text
    }
}
