/// Arguments split by the rules of a verb's options, before their values have a meaning.
struct ScannedArguments: Equatable {
    /// Values by option name; an option without a value has an empty one.
    private(set) var values: [String: String] = [:]
    /// What is not an option, in order.
    private(set) var words: [String] = []
    private let verb: Verb

    /// Splits arguments into options and words.
    ///
    /// `--name value`, `--name=value` and `-n value` are options; `--` ends them.
    /// - Parameter wordsEndOptions: The first word ends the options: what follows belongs to somebody else's command.
    /// - Throws: for an unknown option, a missing or unexpected value, and an option given twice.
    init(_ arguments: [String], verb: Verb, wordsEndOptions: Bool = false) throws(UsageError) {
        self.verb = verb
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            if argument == "--" {
                words += rest
                return
            }
            guard argument.hasPrefix("-"), argument.count > 1 else {
                words.append(argument)
                if wordsEndOptions {
                    words += rest
                    return
                }
                continue
            }
            try scanOption(argument, rest: &rest)
        }
    }

    private mutating func scanOption(_ argument: String, rest: inout ArraySlice<String>) throws(UsageError) {
        let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard let option = verb.options.first(where: { $0.matches(parts[0]) }) else {
            throw unknown(parts[0])
        }
        guard values[option.name] == nil else { throw UsageError(message: "\(option.name) is given twice", verb: verb) }
        guard let placeholder = option.placeholder else {
            guard parts.count == 1 else {
                throw UsageError(message: "\(option.name) takes no value: leave out '=\(parts[1])'", verb: verb)
            }
            values[option.name] = ""
            return
        }
        let value: String
        if parts.count == 2 {
            value = String(parts[1])
        } else if let next = rest.first, !looksLikeOption(next) {
            value = rest.removeFirst()
        } else {
            throw UsageError(message: "\(parts[0]) needs a value: \(option.name) \(placeholder)", verb: verb)
        }
        guard !value.isEmpty else {
            throw UsageError(message: "\(option.name) needs a value that is not empty", verb: verb)
        }
        values[option.name] = value
    }

    /// A dash followed by a digit is a negative number: the range check has the better message for it.
    private func looksLikeOption(_ text: String) -> Bool {
        text.hasPrefix("-") && text.count > 1 && !text.dropFirst().first!.isNumber
    }

    private func unknown(_ name: Substring) -> UsageError {
        let known = verb.options.map(\.name)
        let hint = closestSpelling(to: String(name), among: known).map { ": did you mean \($0)?" } ?? ""
        return UsageError(message: "'\(verb.rawValue)' has no option \(name)\(hint)", verb: verb)
    }

    func has(_ option: String) -> Bool { values[option] != nil }

    func required(_ option: String) throws(UsageError) -> String {
        guard let value = values[option] else {
            let placeholder = verb.options.first { $0.name == option }?.placeholder ?? ""
            throw UsageError(message: "'\(verb.rawValue)' needs \(option) \(placeholder)", verb: verb)
        }
        return value
    }

    /// - Returns: nil when the option is not given.
    func integer(_ option: String, in range: ClosedRange<Int>) throws(UsageError) -> Int? {
        guard let text = values[option] else { return nil }
        return try parseInteger(text, in: range, what: option, verb: verb)
    }
}

/// Reads a decimal number within a range; the message names what it was for.
func parseInteger(
    _ text: some StringProtocol,
    in range: ClosedRange<Int>,
    what: String,
    verb: Verb
) throws(UsageError) -> Int {
    guard let number = Int(text), range.contains(number) else {
        let fault = Int(text) == nil ? "is not a whole number" : "is out of range"
        throw UsageError(
            message: "\(what): '\(text)' \(fault); give one from \(range.lowerBound) to \(range.upperBound)",
            verb: verb
        )
    }
    return number
}

/// The candidate that differs least from a misspelt word, if it is near enough to be meant.
///
/// Levenshtein distance, at most two edits and fewer than half of the word.
func closestSpelling(to word: String, among candidates: [String]) -> String? {
    let longest = 40
    guard word.count <= longest else { return nil }
    let ranked = candidates.map { (candidate: $0, distance: editDistance(word, $0)) }
    guard let best = ranked.min(by: { $0.distance < $1.distance }) else { return nil }
    return best.distance <= 2 && best.distance * 2 < word.count ? best.candidate : nil
}

private func editDistance(_ a: String, _ b: String) -> Int {
    let b = Array(b)
    var row = Array(0...b.count)
    for (i, x) in a.enumerated() {
        var diagonal = row[0]
        row[0] = i + 1
        for (j, y) in b.enumerated() {
            let substituted = diagonal + (x == y ? 0 : 1)
            diagonal = row[j + 1]
            row[j + 1] = min(substituted, row[j] + 1, row[j + 1] + 1)
        }
    }
    return row[b.count]
}
