/// The commands that are served. The raw value is the position in `specifications`.
package enum CommandName: Int, CaseIterable, Sendable {
    case append, auth, client, command, config, dbsize, decr, decrby, del, echo, exists, flushall, get, hello, incr,
        incrby
    case info, mget, mset, ping, quit, raftOnce, raftSession, reset, select, set, strlen, type, unlink

    /// The command of this name, in any letter case.
    package init?(_ name: Bytes) {
        guard let packed = Self.pack(name), let found = Self.find(packed) else { return nil }
        self = found
    }

    /// The name as Redis prints it, in lower case: `get`, `raft.once`.
    package var word: String {
        let name = String(describing: self)
        guard name.hasPrefix("raft") else { return name }
        return "raft." + name.dropFirst("raft".count).lowercased()
    }

    /// Names have up to eight letters, so each fits in one word and comparing takes one instruction. Those of our own
    /// commands come behind `raft.`, which becomes a bit that no letter has.
    private static func pack(_ name: Bytes) -> UInt64? {
        if name.count <= 8 { return letters(name) }
        guard name.count <= prefix.count + 8, letters(name.prefix(prefix.count)) == letters(prefix) else { return nil }
        return letters(name.dropFirst(prefix.count)) | 1 << 63
    }

    private static let prefix = Bytes(text: "raft.")

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
