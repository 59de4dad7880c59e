// The commands that do not touch the store: about the connection and about the server.

extension Command {
    static func parseAboutServer(_ name: CommandName, _ request: RESPRequest) throws(ReplyError) -> Command {
        switch name {
        case .ping:
            guard request.count <= 2 else { throw .wrongCount("ping") }
            return .ping(request.count == 2 ? request[1] : nil)
        case .echo: return .echo(request[1])
        case .hello: return .hello(try parseHello(request))
        case .auth:
            guard request.count <= 3 else { throw .syntax }
            return .authenticate
        case .select: return .select(try integer(request[1]))
        case .quit: return .quit
        case .reset: return .reset
        case .info: return .info(sections: words(request, from: 1).map { $0.text.lowercased() })
        case .client: return try parseClient(request)
        case .command: return try parseTable(request)
        case .config: return try parseConfig(request)
        default: preconditionFailure("\(name) is about the store")
        }
    }

    private static func parseHello(_ request: RESPRequest) throws(ReplyError) -> Hello {
        var hello = Hello()
        guard request.count > 1 else { return hello }
        guard let number = Decimal.parse(request[1]) else {
            throw ReplyError(message: "Protocol version is not an integer or out of range")
        }
        guard let version = RESPVersion(rawValue: Int(number)) else {
            throw ReplyError(code: "NOPROTO", message: "unsupported protocol version")
        }
        hello.version = version
        var index = 2
        while index < request.count {
            let following = request.count - index - 1
            if request[index].isWord("auth"), following >= 2 {
                hello.authenticates = true
                index += 3
            } else if request[index].isWord("setname"), following >= 1 {
                hello.name = try plainWord(request[index + 1], "Client names")
                index += 2
            } else {
                throw ReplyError(message: "Syntax error in HELLO option '\(request[index].text)'")
            }
        }
        return hello
    }

    private static func parseClient(_ request: RESPRequest) throws(ReplyError) -> Command {
        let subcommand = request[1]
        if subcommand.isWord("id") {
            try expect(2, request)
            return .client(.id)
        } else if subcommand.isWord("info") {
            try expect(2, request)
            return .client(.info)
        } else if subcommand.isWord("getname") {
            try expect(2, request)
            return .client(.getName)
        } else if subcommand.isWord("setname") {
            try expect(3, request)
            return .client(.setName(try plainWord(request[2], "Client names")))
        } else if subcommand.isWord("setinfo") {
            try expect(4, request)
            guard let field = Client.LibraryField(rawValue: request[2].text.lowercased()) else {
                throw ReplyError(message: "Unrecognized option '\(request[2].text)'")
            }
            return .client(.setLibrary(field, try plainWord(request[3], request[2].text)))
        }
        return try parseHelp(.client, request)
    }

    private static func parseTable(_ request: RESPRequest) throws(ReplyError) -> Command {
        guard request.count > 1 else { return .commands(.info(nil)) }
        let subcommand = request[1]
        let names = request.count > 2 ? words(request, from: 2) : nil
        if subcommand.isWord("count") {
            try expect(2, request)
            return .commands(.count)
        } else if subcommand.isWord("list") {
            guard names == nil else { throw .syntax }
            return .commands(.list)
        } else if subcommand.isWord("info") {
            return .commands(.info(names))
        } else if subcommand.isWord("docs") {
            return .commands(.docs(names))
        }
        return try parseHelp(.command, request)
    }

    private static func parseConfig(_ request: RESPRequest) throws(ReplyError) -> Command {
        guard request[1].isWord("get") else { return try parseHelp(.config, request) }
        guard request.count > 2 else { throw .wrongCount("config|get") }
        return .configGet(patterns: words(request, from: 2))
    }

    static func parseHelp(_ container: Help, _ request: RESPRequest) throws(ReplyError) -> Command {
        guard request[1].isWord("help") else { throw .unknownSubcommand(request[1], of: container.rawValue) }
        try expect(2, request)
        return .help(container)
    }

    static func expect(_ count: Int, _ request: RESPRequest) throws(ReplyError) {
        guard request.count == count else {
            throw .wrongCount("\(request[0].text.lowercased())|\(request[1].text.lowercased())")
        }
    }

    /// A name as it may stand in CLIENT INFO: printable ASCII without blanks.
    private static func plainWord(_ word: Bytes, _ what: String) throws(ReplyError) -> Bytes {
        guard word.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw ReplyError(message: "\(what) cannot contain spaces, newlines or special characters.")
        }
        return word
    }
}
