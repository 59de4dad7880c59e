#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Tells people or programs about a cluster, on standard output.
///
/// On a terminal it keeps a table up to date in place. Elsewhere it writes one plain line, or one JSON line, per event.
struct ClusterDisplay {
    enum Style: Equatable {
        case json
        case lines
        case table
    }

    private let style: Style
    private let introduction: String
    /// What stands on the terminal now, below everything else; empty while there is no table.
    private var shown: [String] = []

    init(_ plan: ClusterPlan, options: ClusterOptions) {
        style = options.json ? .json : (isatty(STDOUT_FILENO) == 1 ? .table : .lines)
        introduction = Self.introduction(plan, options, program: CommandLine.arguments.first ?? "conclave")
    }

    /// What is running, and what to do next.
    static func introduction(_ plan: ClusterPlan, _ options: ClusterOptions, program: String) -> String {
        let first = plan.servers[0].clientPort
        let last = plan.servers[plan.servers.count - 1].clientPort
        let ports = first == last ? "server on 127.0.0.1:\(first)" : "servers on 127.0.0.1:\(first)-\(last)"
        return """
            Conclave \(conclaveVersion): \(plan.servers.count) \(ports), data and logs in \(options.dataDirectory). Ctrl-C stops.
            Next, in another terminal:
              redis-cli -p \(first) SET greeting hello
              redis-cli -p \(last) GET greeting
            or, without redis-cli:
              \(program) client -p \(first) SET greeting hello

            """
    }

    func begin() {
        if style != .json { StandardStreams.writeOutput(introduction + "\n") }
    }

    /// - Returns: false when nobody can read it any more.
    mutating func announce(_ announcement: Announcement) -> Bool {
        switch style {
        case .json:
            announcement.jsonLine.map { StandardStreams.writeOutput($0 + "\n") } ?? true
        case .lines:
            StandardStreams.writeOutput(announcement.sentence + "\n")
        case .table:
            announcement.isWorthALineAboveTheTable ? insert(announcement.sentence) : true
        }
    }

    /// Brings the table up to date if something in it has changed.
    /// - Returns: false when nobody can read it any more.
    mutating func show(_ table: ClusterTable) -> Bool {
        guard style == .table else { return true }
        let lines = table.lines
        guard lines != shown else { return true }
        defer { shown = lines }
        return StandardStreams.writeOutput(eraseTable + lines.map { $0 + "\n" }.joined())
    }

    /// Writes a line above the table.
    private func insert(_ line: String) -> Bool {
        StandardStreams.writeOutput(eraseTable + line + "\n" + shown.map { $0 + "\n" }.joined())
    }

    /// Moves to the table's first line and clears from there to the end of the screen.
    private var eraseTable: String { shown.isEmpty ? "" : "\r\u{1b}[\(shown.count)A\u{1b}[J" }
}
