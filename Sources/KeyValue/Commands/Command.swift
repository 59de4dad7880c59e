package import ConclaveRaft

/// A command with its arguments checked and typed.
package enum Command: Hashable, Sendable {
    case write(KeyValueWrite)
    case read(KeyValueRead)
    /// A write of a session.
    case once(SessionCommand, KeyValueWrite)
    case session(Session)
    case cluster(Cluster)
    case ping(Bytes?)
    case echo(Bytes)
    case hello(Hello)
    case authenticate
    case select(Int64)
    case quit
    case reset
    case client(Client)
    case commands(Table)
    /// The settings whose names match one of the patterns.
    case configGet(patterns: [Bytes])
    /// The sections asked for, in lower case; none means all.
    case info(sections: [String])
    case help(Help)

    /// HELLO with its options.
    package struct Hello: Hashable, Sendable {
        /// The protocol to speak from now on; nil leaves it as it is.
        package var version: RESPVersion?
        package var authenticates = false
        package var name: Bytes?
    }

    /// What RAFT.SESSION can do.
    package enum Session: Hashable, Sendable {
        case register
        case keepAlive(SessionID)
        case end(SessionID)
    }

    /// What CLIENT can do.
    package enum Client: Hashable, Sendable {
        case id
        case info
        case getName
        case setName(Bytes)
        case setLibrary(LibraryField, Bytes)

        /// The raw value is its name in CLIENT SETINFO.
        package enum LibraryField: String, Sendable {
            case name = "lib-name"
            case version = "lib-ver"
        }
    }

    /// What COMMAND can do. Commands are named by the caller and need not exist.
    package enum Table: Hashable, Sendable {
        case count
        case list
        /// Nil stands for all.
        case info([Bytes]?)
        case docs([Bytes]?)
    }

    /// Commands with subcommands, which have a help text.
    package enum Help: String, Sendable {
        case client = "CLIENT"
        case command = "COMMAND"
        case config = "CONFIG"
        case session = "RAFT.SESSION"
        case node = "RAFT.NODE"
    }
}

extension Command {
    /// Reads a request.
    ///
    /// - Throws: the refusal to send, in the words of Redis 7.
    package static func parse(_ request: RESPRequest) throws(ReplyError) -> Command {
        guard let name = CommandName(request[0]) else { throw .unknownCommand(request) }
        guard name.specification.accepts(wordCount: request.count) else { throw .wrongCount(name.word) }
        switch name {
        case .get: return .read(.get(key: request[1]))
        case .set: return .write(try parseSet(request))
        case .del, .unlink: return .write(.delete(keys: words(request, from: 1)))
        case .exists: return .read(.countPresent(keys: words(request, from: 1)))
        case .incr: return .write(.add(key: request[1], amount: 1))
        case .decr: return .write(.add(key: request[1], amount: -1))
        case .incrby: return .write(.add(key: request[1], amount: try integer(request[2])))
        case .decrby: return .write(.add(key: request[1], amount: try negated(request[2])))
        case .mget: return .read(.getAll(keys: words(request, from: 1)))
        case .mset: return .write(try parseSetAll(request))
        case .append: return .write(.append(key: request[1], suffix: request[2]))
        case .strlen: return .read(.length(key: request[1]))
        case .type: return .read(.type(key: request[1]))
        case .dbsize: return .read(.count)
        case .flushall: return .write(try parseFlush(request))
        case .raftOnce: return try parseOnce(request)
        case .raftSession: return try parseSession(request)
        case .raftNode: return try parseNode(request)
        case .raftTransferLeader: return try parseTransfer(request)
        case .raftSnapshot: return .cluster(.snapshot)
        case .raftInfo: return .cluster(.info)
        case .raftHash: return .cluster(.hash)
        default: return try parseAboutServer(name, request)
        }
    }

    /// The words of a request from a position on.
    static func words(_ request: RESPRequest, from first: Int) -> [Bytes] {
        (first..<request.count).map { request[$0] }
    }

    static func integer(_ word: Bytes) throws(ReplyError) -> Int64 {
        guard let value = Decimal.parse(word) else { throw .notAnInteger }
        return value
    }

    private static func negated(_ word: Bytes) throws(ReplyError) -> Int64 {
        let value = try integer(word)
        guard value != Int64.min else { throw ReplyError(message: "decrement would overflow") }
        return -value
    }

    private static func parseSetAll(_ request: RESPRequest) throws(ReplyError) -> KeyValueWrite {
        guard request.count % 2 == 1 else { throw .wrongCount("mset") }
        return .setAll(
            stride(from: 1, to: request.count, by: 2).map {
                KeyValueWrite.Pair(key: request[$0], value: request[$0 + 1])
            }
        )
    }

    private static func parseFlush(_ request: RESPRequest) throws(ReplyError) -> KeyValueWrite {
        guard request.count == 1 || (request.count == 2 && (request[1].isWord("async") || request[1].isWord("sync")))
        else { throw .syntax }
        return .deleteAll
    }
}

// MARK: - SET

extension Command {
    private static func parseSet(_ request: RESPRequest) throws(ReplyError) -> KeyValueWrite {
        var rule = KeyValueWrite.SetRule()
        if request.count > 3 { rule = try parseSetOptions(request) }
        return .set(key: request[1], value: request[2], rule)
    }

    private static func parseSetOptions(_ request: RESPRequest) throws(ReplyError) -> KeyValueWrite.SetRule {
        var rule = KeyValueWrite.SetRule()
        var keepsExpiry = false
        var expiry: Bytes?
        var index = 3
        while index < request.count {
            let word = request[index]
            if word.isWord("nx"), rule.condition != .ifPresent {
                rule.condition = .ifAbsent
            } else if word.isWord("xx"), rule.condition != .ifAbsent {
                rule.condition = .ifPresent
            } else if word.isWord("get") {
                rule.answersOldValue = true
            } else if word.isWord("keepttl"), expiry == nil {
                keepsExpiry = true
            } else if isExpiry(word), !keepsExpiry, expiry == nil, index + 1 < request.count {
                index += 1
                expiry = request[index]
            } else {
                throw .syntax
            }
            index += 1
        }
        if let expiry, try integer(expiry) <= 0 { throw ReplyError(message: "invalid expire time in 'set' command") }
        if expiry != nil || keepsExpiry { throw .noExpiry }
        return rule
    }

    private static func isExpiry(_ word: Bytes) -> Bool {
        word.isWord("ex") || word.isWord("px") || word.isWord("exat") || word.isWord("pxat")
    }
}
