import KeyValue

extension ArraySlice<UInt8>: @retroactive ExpressibleByUnicodeScalarLiteral {}
extension ArraySlice<UInt8>: @retroactive ExpressibleByExtendedGraphemeClusterLiteral {}
extension ArraySlice<UInt8>: @retroactive ExpressibleByStringLiteral {
    /// The text's UTF-8 bytes.
    public init(stringLiteral text: String) { self.init(text: text) }
}

/// The request a client makes of these words.
func request(_ words: String...) -> RESPRequest { RESPRequest(words.map { Array($0.utf8) }) }

/// The words of a command on the wire.
func wire(_ words: String...) -> [UInt8] {
    var writer = RESPWriter()
    writer.write(command: words.map { Array($0.utf8) })
    return writer.bytes
}

/// A reply on the wire.
func encoded(_ reply: Reply, _ version: RESPVersion) -> String {
    var writer = RESPWriter(version: version)
    writer.write(reply)
    return String(decoding: writer.bytes, as: UTF8.self)
}

/// What a server does with bytes of a client: its commands, and the fault that ended them, if any.
struct Conversation: Equatable {
    var commands: [[String]] = []
    var failure: RESPError?

    init(commands: [[String]] = [], failure: RESPError? = nil) {
        self.commands = commands
        self.failure = failure
    }

    init(_ chunks: [[UInt8]], limits: RESPLimits = RESPLimits()) {
        var parser = RESPParser(limits: limits)
        do throws(RESPError) {
            for chunk in chunks {
                parser.append(chunk)
                while let request = try parser.next() {
                    commands.append(request.arguments.map { String(decoding: $0, as: UTF8.self) })
                }
            }
        } catch {
            failure = error
        }
    }

    init(_ text: String, limits: RESPLimits = RESPLimits()) {
        self.init([Array(text.utf8)], limits: limits)
    }
}
