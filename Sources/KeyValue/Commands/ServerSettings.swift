/// What CONFIG GET tells. Nothing can be set this way; clients and benchmarks ask for these to know what they talk to.
enum ServerSettings {
    private static let all: [(name: String, value: String)] = [
        ("appendfsync", "always"),
        ("appendonly", "yes"),
        ("databases", "1"),
        ("maxmemory", "0"),
        ("proto-max-bulk-len", "\(RESPLimits().bulkSizeBytes)"),
        ("save", ""),
    ]

    /// The settings that match any of the patterns, each once, by name.
    static func matching(_ patterns: [Bytes]) -> Reply {
        .map(
            all.filter { setting in patterns.contains { matches(Array(setting.name.utf8), $0) } }
                .map { Reply.Pair(.bulk(text: $0.name), .bulk(text: $0.value)) }
        )
    }

    /// Whether `pattern`, in which `*` stands for anything and `?` for one byte, describes all of `name`, which is in
    /// lower case. On a mismatch only the last `*` takes one byte more, so the time is at most the product of the
    /// lengths.
    static func matches(_ name: [UInt8], _ pattern: Bytes) -> Bool {
        var position = 0
        var index = pattern.startIndex
        var retry: (position: Int, index: Int)?
        while position < name.count {
            if index < pattern.endIndex, pattern[index] == UInt8(ascii: "*") {
                index += 1
                retry = (position, index)
            } else if index < pattern.endIndex,
                pattern[index] == UInt8(ascii: "?") || ASCII.lowercased(pattern[index]) == name[position]
            {
                index += 1
                position += 1
            } else if let last = retry {
                position = last.position + 1
                index = last.index
                retry = (position, index)
            } else {
                return false
            }
        }
        return pattern[index...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
