/// The commands that are served. The raw value is the position in `specifications`.
package enum CommandName: Int, CaseIterable, Sendable {
    case append, auth, client, command, config, dbsize, decr, decrby, del, echo, exists, flushall, get, hello, incr,
        incrby
    case info, mget, mset, ping, quit, reset, select, set, strlen, type, unlink

    /// The command of this name, in any letter case.
    package init?(_ name: Bytes) {
        guard let packed = Self.pack(name), let found = Self.find(packed) else { return nil }
        self = found
    }

    /// The name as Redis prints it, in lower case.
    package var word: String { String(describing: self) }

    /// Names have up to eight letters, so each fits in one word and comparing takes one instruction.
    private static func pack(_ name: Bytes) -> UInt64? {
        guard name.count <= 8 else { return nil }
        return name.withUnsafeBytes { $0.reduce(0) { $0 << 8 | UInt64(ASCII.lowercased($1)) } }
    }

    /// All names packed, in ascending order.
    private static let packed: [(word: UInt64, name: CommandName)] = allCases.map { name in
        guard let word = pack(Bytes(text: name.word)) else {
            preconditionFailure("the name \(name) has more than eight letters")
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
