// A set of operations by their place in time, as small as the search's own spread.

/// The operations a search has placed so far. Those invoked long ago are nearly all in it and those to come are not, so only the
/// words between the first gap and the last member are kept: equal sets are equal values.
struct OperationSet: Hashable {
    /// Words before the first one kept; all their operations are members.
    private var fullWords = 0
    /// Invariant: neither does the first word have all bits set nor is the last word zero.
    private var words: [UInt64] = []

    mutating func insert(_ index: Int) {
        let word = (index >> 6) - fullWords
        assert(word >= 0, "operation \(index) is a member already")
        if word >= words.count { words.append(contentsOf: repeatElement(0, count: word + 1 - words.count)) }
        words[word] |= 1 << UInt64(index & 63)
        if word == 0, words[0] == .max {
            let count = words.prefix { $0 == .max }.count
            words.removeFirst(count)
            fullWords += count
        }
    }

    mutating func remove(_ index: Int) {
        let place = index >> 6
        if place < fullWords {
            words.insert(contentsOf: repeatElement(.max, count: fullWords - place), at: 0)
            fullWords = place
        }
        words[place - fullWords] &= ~(1 << UInt64(index & 63))
        while words.last == 0 { words.removeLast() }
    }

    func isSubset(of other: OperationSet) -> Bool {
        for (offset, word) in words.enumerated() {
            let place = fullWords + offset - other.fullWords
            if place < 0 { continue }
            guard place < other.words.count ? word & ~other.words[place] == 0 : word == 0 else { return false }
        }
        // Our full words stand before the first of ours: the other needs them full as well.
        for place in other.fullWords..<max(fullWords, other.fullWords) {
            let offset = place - other.fullWords
            guard offset < other.words.count, other.words[offset] == .max else { return false }
        }
        return true
    }
}
