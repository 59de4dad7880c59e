import KeyValue

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Sends commands to a server and prints its answers: the command of the arguments, or those of standard input.
/// - Returns: `.errorReply` when an answer was an error and nobody watched.
/// - Throws: `CommandFailure` with `.unavailable` when no server answers.
func runClient(_ options: ClientOptions) async throws -> ExitCode {
    let printer = ReplyPrinter(isRaw: isatty(STDOUT_FILENO) == 0)
    if !options.command.isEmpty {
        var connection = try ClientConnection.open(options)
        let reply = try connection.ask(options.command.map { Array($0.utf8) })
        printer.show(reply)
        return reply.isFailure ? .errorReply : .success
    }
    if isatty(STDIN_FILENO) == 1 { return runPrompt(options, printer) }
    return try runScript(options, printer)
}

/// One command a line from standard input, until its end or until no server answers.
private func runScript(_ options: ClientOptions, _ printer: ReplyPrinter) throws(CommandFailure) -> ExitCode {
    var connection = try ClientConnection.open(options)
    var input = StandardInputLines()
    var code = ExitCode.success
    while let line = input.next() {
        guard let words = try? CommandWords.split(line) else {
            StandardStreams.writeError("conclave: a quote does not close: \(String(decoding: line, as: UTF8.self))\n")
            code = .errorReply
            continue
        }
        if words.isEmpty { continue }
        let reply = try connection.ask(words)
        printer.show(reply)
        if reply.isFailure { code = .errorReply }
    }
    return code
}

/// A dialogue. A lost connection is opened again for the next command: its user sees what happened.
private func runPrompt(_ options: ClientOptions, _ printer: ReplyPrinter) -> ExitCode {
    var input = StandardInputLines()
    var connection: ClientConnection?
    do {
        connection = try ClientConnection.open(options)
    } catch {
        StandardStreams.writeError("conclave: \(error.message)\n")
    }
    while true {
        let state = connection == nil ? "not connected" : "\(options.host):\(options.port)"
        StandardStreams.writeOutput("\(state)> ")
        guard let line = input.next() else {
            StandardStreams.writeOutput("\n")
            return .success
        }
        guard let words = try? CommandWords.split(line) else {
            StandardStreams.writeOutput("a quote does not close\n")
            continue
        }
        guard let first = words.first else { continue }
        if ["quit", "exit"].contains(String(decoding: first, as: UTF8.self).lowercased()) { return .success }
        do throws(CommandFailure) {
            var open: ClientConnection
            if let kept = connection.take() { open = kept } else { open = try ClientConnection.open(options) }
            printer.show(try open.ask(words))
            connection = consume open
        } catch {
            connection = nil
            StandardStreams.writeError("conclave: \(error.message)\n")
        }
    }
}

/// Writes answers to standard output: for people on a terminal, the bytes as they are into a pipe.
private struct ReplyPrinter {
    var isRaw: Bool

    func show(_ reply: Reply) {
        let bytes = (isRaw ? reply.rawBytes : Array(reply.text.utf8)) + [UInt8(ascii: "\n")]
        _ = bytes.withUnsafeBytes { writeFully($0.baseAddress, count: $0.count, to: STDOUT_FILENO) }
    }
}

extension Reply {
    fileprivate var isFailure: Bool {
        if case .failure = self { true } else { false }
    }
}
