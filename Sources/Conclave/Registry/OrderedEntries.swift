// A list that is found by identity and read in the order of joining.

/// Entries with an identity, in the order in which they were added.
struct OrderedEntries<Entry> {
    private var entries: [ObjectIdentifier: (number: UInt64, entry: Entry)] = [:]
    private var nextNumber: UInt64 = 0
    /// The entries in order, once somebody asked and until something changes.
    private var sorted: [Entry]?

    var isEmpty: Bool { entries.isEmpty }
    var count: Int { entries.count }

    /// Adds an entry, or replaces the one that has the same identity, which keeps its place. Returns the one replaced.
    mutating func set(_ entry: Entry, for id: ObjectIdentifier) -> Entry? {
        let previous = entries[id]
        if previous == nil { nextNumber += 1 }
        entries[id] = (previous?.number ?? nextNumber, entry)
        sorted = nil
        return previous?.entry
    }

    mutating func remove(_ id: ObjectIdentifier) -> Entry? {
        sorted = nil
        return entries.removeValue(forKey: id)?.entry
    }

    mutating func all() -> [Entry] {
        if let sorted { return sorted }
        let made = entries.values.sorted { $0.number < $1.number }.map(\.entry)
        sorted = made
        return made
    }
}
