// The words of a command, taken one by one.

import RaftCore

/// Reads a command's words in order.
struct ScenarioWords {
    let command: String
    private var words: ArraySlice<String>

    init(_ command: String) {
        self.command = command
        words = command.split(separator: " ").map(String.init)[...]
    }

    func failure(_ reason: String) -> ScenarioError { ScenarioError(command: command, reason: reason) }

    var isEmpty: Bool { words.isEmpty }

    /// Takes the next word.
    mutating func take() throws(ScenarioError) -> String {
        guard let word = words.popFirst() else { throw failure("a word is missing at the end") }
        return word
    }

    /// Takes the next word if it is this one.
    mutating func take(_ word: String) -> Bool {
        guard words.first == word else { return false }
        words.removeFirst()
        return true
    }

    mutating func takeNumber() throws(ScenarioError) -> Int {
        let word = try take()
        guard let number = Int(word), number >= 0 else { throw failure("\(word) is no number") }
        return number
    }

    /// Takes the next word if it is a number.
    mutating func takeNumberIfAny() -> Int? {
        guard let number = words.first.flatMap({ Int($0) }) else { return nil }
        words.removeFirst()
        return number
    }

    mutating func takeID() throws(ScenarioError) -> NodeID { NodeID(UInt64(try takeNumber())) }

    /// Takes server numbers as long as there are any.
    mutating func takeIDs() -> [NodeID] {
        var ids: [NodeID] = []
        while let number = takeNumberIfAny() { ids.append(NodeID(UInt64(number))) }
        return ids
    }

    /// Takes the rest of the line.
    mutating func takeRest() -> String {
        defer { words = [] }
        return words.joined(separator: " ")
    }

    /// Takes `key=number` words as long as there are any.
    mutating func takeOptions() throws(ScenarioError) -> [String: Int] {
        var options: [String: Int] = [:]
        while let word = words.first, let equals = word.firstIndex(of: "=") {
            words.removeFirst()
            guard let number = Int(word[word.index(after: equals)...]) else { throw failure("\(word) is no number") }
            options[String(word[..<equals])] = number
        }
        return options
    }

    /// Takes a description of messages: `1->2`, `1->*`, a kind, or several of these, all of which must fit. None: all messages.
    mutating func takeFilter() throws(ScenarioError) -> MessageFilter {
        var filter = MessageFilter()
        while let word = words.first, word != "to" {
            words.removeFirst()
            if let arrow = word.firstRange(of: "->") {
                filter.from = try side(word[..<arrow.lowerBound])
                filter.to = try side(word[arrow.upperBound...])
            } else if let kind = MessageFilter.Kind(rawValue: word) {
                filter.kinds.insert(kind)
            } else {
                throw failure("\(word) is no kind of message")
            }
        }
        return filter
    }

    private func side(_ word: Substring) throws(ScenarioError) -> NodeID? {
        if word == "*" { return nil }
        guard let number = UInt64(word) else { throw failure("\(word) is no server") }
        return NodeID(number)
    }
}

/// Which messages are meant.
struct MessageFilter {
    enum Kind: String {
        case prevotes, votes, appends, heartbeats, answers, grants, snapshots, timeoutnow, reads
    }

    var from: NodeID?
    var to: NodeID?
    /// Empty: all kinds.
    var kinds: Set<Kind> = []

    func fits(_ message: RaftMessage) -> Bool {
        (from ?? message.from) == message.from && (to ?? message.to) == message.to
            && (kinds.isEmpty || !kinds.isDisjoint(with: Self.kinds(of: message.kind)))
    }

    private static func kinds(of kind: RaftMessage.Kind) -> Set<Kind> {
        switch kind {
        case .preVoteRequest: [.prevotes]
        case .preVoteResponse: [.prevotes, .grants]
        case .voteRequest: [.votes]
        case .voteResponse: [.votes, .grants]
        case .appendEntries(let append): append.entries.isEmpty ? [.appends, .heartbeats] : [.appends]
        case .appendAccepted, .appendRejected, .entriesLost, .termPassed: [.answers]
        case .installSnapshot: [.snapshots]
        case .snapshotStored: [.snapshots, .answers]
        case .timeoutNow: [.timeoutnow]
        case .readIndexRequest, .readIndexResponse: [.reads]
        }
    }
}
