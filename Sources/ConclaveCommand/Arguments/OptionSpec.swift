/// One option of a verb. The parser and the help text are made from the same value, so they cannot disagree.
struct OptionSpec: Equatable {
    /// With its dashes, such as `--port`. Parsed values are found under this name.
    var name: String
    /// A second, short spelling, such as `-p`.
    var short: String?
    /// What to write in the value's place in the help, such as `PORT`; nil for an option without a value.
    var placeholder: String?
    var help: String

    func matches(_ text: some StringProtocol) -> Bool { text == name || text == short ?? name }

    /// The left column of the help: `-p, --port PORT`.
    var synopsis: String {
        let names = short.map { "\($0), \(name)" } ?? name
        return placeholder.map { "\(names) \($0)" } ?? names
    }
}

/// The arguments make no sense. The message says what to do instead.
struct UsageError: Error, Equatable {
    var message: String
    /// Whose help to point at; nil for the command's own.
    var verb: Verb?

    /// What goes to standard error.
    var description: String {
        let help = verb.map { "conclave \($0.rawValue) --help" } ?? "conclave --help"
        return "conclave: \(message)\nRun '\(help)' for the details."
    }
}
