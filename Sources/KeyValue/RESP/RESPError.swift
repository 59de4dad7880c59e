/// Why the bytes of a peer are not RESP. After one the connection cannot be followed any more and must be closed.
package enum RESPError: Error, Hashable, Sendable {
    /// An array length that is not a number, or above `RESPLimits.arrayCount`.
    case invalidMultibulkLength
    /// A bulk length that is not a number, negative, or above `RESPLimits.bulkSizeBytes`.
    case invalidBulkLength
    /// Another byte where a command's next argument had to start with `$`.
    case expectedBulk(got: UInt8)
    /// The bytes after a bulk string are not its line end.
    case unterminatedBulk
    /// A line longer than `RESPLimits.lineSizeBytes`.
    case tooBigInlineRequest
    /// An inline command with a quote that does not end, or ends in the middle of a word.
    case unbalancedQuotes
    /// A command or a reply longer than `RESPLimits.totalSizeBytes`.
    case tooBigRequest
    /// A reply whose first byte names no type.
    case unknownType(UInt8)
    /// A reply whose line is not what its type promises.
    case invalidLine
    /// A reply that nests deeper than `RESPLimits.depth`.
    case tooDeep

    /// The words Redis 7 prints for it, where Redis has some.
    package var message: String {
        switch self {
        case .invalidMultibulkLength: "Protocol error: invalid multibulk length"
        case .invalidBulkLength: "Protocol error: invalid bulk length"
        case .expectedBulk(let got): "Protocol error: expected '$', got '\(Self.printable(got))'"
        case .unterminatedBulk: "Protocol error: expected CRLF after bulk string"
        case .tooBigInlineRequest: "Protocol error: too big inline request"
        case .unbalancedQuotes: "Protocol error: unbalanced quotes in request"
        case .tooBigRequest: "Protocol error: too big request"
        case .unknownType(let byte): "Protocol error: unknown reply type '\(Self.printable(byte))'"
        case .invalidLine: "Protocol error: invalid line in reply"
        case .tooDeep: "Protocol error: reply nests too deep"
        }
    }

    /// What a server says before it closes the connection.
    package var reply: Reply { .error("ERR", message) }

    private static func printable(_ byte: UInt8) -> String {
        (0x20..<0x7F).contains(byte) ? String(UnicodeScalar(byte)) : " "
    }
}
