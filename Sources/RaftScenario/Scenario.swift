// The scenario language: a text file that a cluster is led through, with what is to come of it.

/// A scenario: commands, each with the output that is expected of it.
///
/// A line that begins with `#` is a comment, one that begins with `>` a command; the lines behind a command, up to the next blank
/// line, comment or command, are its expected output. `Scripts` of this kind can be read as documentation, and their output is
/// rewritten rather than typed.
package struct Scenario: Sendable {
    /// A line that is kept as it is, or a command with its output.
    package enum Part: Hashable, Sendable {
        case text(String)
        case command(String, output: [String])
    }

    package var parts: [Part]

    /// Splits a file into its parts.
    package init(parsing text: String) {
        parts = []
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" { lines.removeLast() }
        for line in lines {
            if line.hasPrefix(">") {
                parts.append(.command(String(line.dropFirst().drop { $0 == " " }), output: []))
            } else if line.isEmpty || line.hasPrefix("#") {
                parts.append(.text(line))
            } else if case .command(let command, let output)? = parts.last {
                parts[parts.count - 1] = .command(command, output: output + [line])
            } else {
                parts.append(.text(line))
            }
        }
    }

    /// The first comment line, which says what it is about.
    package var title: String {
        for case .text(let line) in parts where line.hasPrefix("#") { return String(line.dropFirst(2)) }
        return "untitled"
    }

    /// The file's text.
    package var text: String {
        var text = ""
        for part in parts {
            switch part {
            case .text(let line): text += line + "\n"
            case .command(let command, let output):
                text += "> \(command)\n"
                for line in output { text += line + "\n" }
            }
        }
        return text
    }

    /// Runs all commands. Returns the scenario with the output they really had.
    ///
    /// - Throws: `ScenarioError` for a command that cannot be understood or carried out, and for an `expect` that does not hold.
    package func run(meddling: Meddling = Meddling()) throws(ScenarioError) -> Scenario {
        var runner = ScenarioRunner(meddling: meddling)
        var result = self
        for (place, part) in parts.enumerated() {
            guard case .command(let command, _) = part else { continue }
            result.parts[place] = .command(command, output: try runner.run(command))
        }
        return result
    }
}

/// Why a scenario stopped.
package struct ScenarioError: Error, CustomStringConvertible {
    /// The command it stopped at.
    package let command: String
    package let reason: String
    package var description: String { "> \(command): \(reason)" }
}
