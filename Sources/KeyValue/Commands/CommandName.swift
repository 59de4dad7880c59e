/// The commands that are served. The raw value is the position in `specifications`.
package enum CommandName: Int, CaseIterable, Sendable {
    case append, auth, client, command, config, dbsize, decr, decrby, del, echo, exists, flushall, get, hello, incr,
        incrby
    case info, mget, mset, ping, quit, raftHash, raftInfo, raftNode, raftOnce, raftSession, raftSnapshot,
        raftTransferLeader, reset, select, set, strlen, type, unlink

    /// The command of this name, in any letter case.
    package init?(_ name: Bytes) {
        guard let packed = Self.pack(name), let found = Self.find(packed) else { return nil }
        // Of a long name the word has the end only.
        if name.count > Self.longestPacked, name.map(ASCII.lowercased) != Array(found.word.utf8) { return nil }
        self = found
    }

    /// The name as Redis prints it, in lower case: `get`, `raft.once`.
    package var word: String {
        let name = String(describing: self)
        guard name.hasPrefix("raft") else { return name }
        let words = name.dropFirst("raft".count).reduce(into: "") {
            $0 += ($1.isUppercase ? "_" : "") + $1.lowercased()
        }
        return "raft." + words.dropFirst()
    }

    /// Names have up to eight letters, so each fits in one word and comparing takes one instruction. Those of our own
    /// commands come behind `raft.`, which becomes a bit that no letter has; of longer ones the word has the last eight letters.
    private static func pack(_ name: Bytes) -> UInt64? {
        if name.count <= 8 { return letters(name) }
        guard name.count <= prefix.count + 16, letters(name.prefix(prefix.count)) == letters(prefix) else { return nil }
        return letters(name.dropFirst(prefix.count)) | 1 << 63
    }

    private static let prefix = Bytes(text: "raft.")
    private static let longestPacked = prefix.count + 8

    private static func letters(_ name: Bytes) -> UInt64 {
        name.withUnsafeBytes { $0.reduce(0) { $0 << 8 | UInt64(ASCII.lowercased($1)) } }
    }

    /// All names packed, in ascending order.
    private static let packed: [(word: UInt64, name: CommandName)] = allCases.map { name in
        guard let word = pack(Bytes(text: name.word)) else {
            preconditionFailure("the name \(name) is too long")
        }
        return (word, name)
    }.sorted { $0.word < $1.word }

    private static func find(_ word: UInt64) -> CommandName? {
        let table = packed
        var low = 0
        var high = table.count
        while low < high {
            let middle = (low + high) / 2
            if table[middle].word < word { low = middle + 1 } else { high = middle }
        }
        return low < table.count && table[low].word == word ? table[low].name : nil
    }
}
