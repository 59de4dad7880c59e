// Files set aside for the segments to come.

/// Segment-sized files that wait to be used: fresh ones, whose space is reserved, and old segments whose entries a snapshot
/// stands for.
///
/// Writing over blocks that were written before is what makes a sync cheap: the file system has nothing of its own to record.
/// A spare in reserve also means that a full disk is noticed a whole segment before the log has to stop.
struct SpareSegments {
    /// Reserved and never written apart from its header.
    private static let freshPrefix = "fresh-"
    /// Was a segment.
    private static let usedPrefix = "spare-"

    private(set) var names: [String] = []
    private var nextNumber: UInt64 = 1

    /// Finds those an earlier run left.
    init(_ files: [String]) {
        for name in files {
            guard let number = Self.number(of: name) else { continue }
            names.append(name)
            nextNumber = max(nextNumber, number + 1)
        }
    }

    static func isSpare(_ name: String) -> Bool { number(of: name) != nil }

    static func isRecycled(_ name: String) -> Bool { name.hasPrefix(usedPrefix) }

    /// A name that no spare has had since the log was opened.
    mutating func newName(isRecycled: Bool) -> String {
        defer { nextNumber += 1 }
        return (isRecycled ? Self.usedPrefix : Self.freshPrefix) + hexadecimal(nextNumber) + ".wal"
    }

    mutating func add(_ name: String) { names.append(name) }

    /// Takes one out, a used one first: it is the faster one.
    mutating func take() -> String? {
        guard let place = names.firstIndex(where: Self.isRecycled) ?? names.indices.first else { return nil }
        return names.remove(at: place)
    }

    private static func number(of name: String) -> UInt64? {
        guard name.count == 26, name.hasSuffix(".wal") else { return nil }
        guard name.hasPrefix(freshPrefix) || name.hasPrefix(usedPrefix) else { return nil }
        return UInt64(name.dropFirst(6).dropLast(4), radix: 16)
    }
}
