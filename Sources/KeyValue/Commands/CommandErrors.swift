// Refusals in the exact words of Redis 7, which clients look at.

extension ReplyError {
    static let syntax = ReplyError(message: "syntax error")
    static let notAnInteger = ReplyError(message: "value is not an integer or out of range")
    static let noExpiry = ReplyError(
        message: "expiry is not supported yet: SET takes none of EX, PX, EXAT, PXAT, KEEPTTL"
    )
    static let overflow = ReplyError(message: "increment or decrement would overflow")
    static let noPassword = ReplyError(
        message: "AUTH <password> called without any password configured for the default user. "
            + "Are you sure your configuration is correct?"
    )

    /// How much of a client's words is quoted back, in bytes.
    private static let quoteSizeBytes = 128

    /// - Parameter name: in lower case, with its subcommand: `client|id`.
    static func wrongCount(_ name: String) -> ReplyError {
        ReplyError(message: "wrong number of arguments for '\(name)' command")
    }

    static func unknownCommand(_ request: RESPRequest) -> ReplyError {
        var preview = ""
        var index = 1
        while index < request.count, preview.utf8.count < quoteSizeBytes {
            preview += "'\(request[index].prefix(quoteSizeBytes - preview.utf8.count).text)' "
            index += 1
        }
        let name = request[0].prefix(quoteSizeBytes).text
        return ReplyError(message: "unknown command '\(name)', with args beginning with: \(preview)")
    }

    static func unknownSubcommand(_ word: Bytes, of command: String) -> ReplyError {
        let name = word.prefix(quoteSizeBytes).text
        return ReplyError(message: "unknown subcommand '\(name)'. Try \(command) HELP.")
    }
}
