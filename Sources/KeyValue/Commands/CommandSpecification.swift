/// What the server knows of a command besides how to do it: what COMMAND tells, and what arity is checked against.
package struct CommandSpecification: Sendable {
    package enum Kind: Sendable {
        /// Answered from the connection's own state.
        case connection
        /// Asks about the server.
        case admin
        case read
        case write
    }

    package var name: CommandName
    /// How many words the command has, its name included; negative: at least that many.
    package var arity: Int
    package var kind: Kind
    /// Where the keys are among the words: the first, the last (negative: from the end), and the step. Zeros: no keys.
    package var keys: Keys
    /// The Redis version that introduced it.
    package var since: String
    /// The group Redis documents it in.
    package var group: String
    package var summary: String

    package struct Keys: Hashable, Sendable {
        package var first: Int
        package var last: Int
        package var step: Int

        static let none = Keys(first: 0, last: 0, step: 0)
        static let one = Keys(first: 1, last: 1, step: 1)
        static let rest = Keys(first: 1, last: -1, step: 1)
        static let pairs = Keys(first: 1, last: -1, step: 2)
    }

    /// Whether a command of so many words has enough and not too many.
    package func accepts(wordCount: Int) -> Bool {
        arity >= 0 ? wordCount == arity : wordCount >= -arity
    }
}

extension CommandName {
    /// What is known of the command.
    package var specification: CommandSpecification { Self.specifications[rawValue] }

    /// All commands, by name.
    package static let specifications: [CommandSpecification] = allCases.map(describe)

    private static func describe(_ name: CommandName) -> CommandSpecification {
        func specify(
            _ arity: Int,
            _ kind: CommandSpecification.Kind,
            keys: CommandSpecification.Keys = .none,
            since: String = "1.0.0",
            _ group: String,
            _ summary: String
        ) -> CommandSpecification {
            CommandSpecification(
                name: name,
                arity: arity,
                kind: kind,
                keys: keys,
                since: since,
                group: group,
                summary: summary
            )
        }
        return switch name {
        case .append: specify(3, .write, keys: .one, since: "2.0.0", "string", "Appends a string to the value of a key")
        case .auth: specify(-2, .connection, "connection", "Authenticates the connection")
        case .client: specify(-2, .connection, since: "2.4.0", "connection", "Tells about and names this connection")
        case .command: specify(-1, .admin, since: "2.8.13", "server", "Tells about the commands")
        case .config: specify(-2, .admin, since: "2.0.0", "server", "Tells how the server is set up")
        case .dbsize: specify(1, .read, "server", "Returns the number of keys")
        case .decr: specify(2, .write, keys: .one, "string", "Subtracts one from the integer a key holds")
        case .decrby: specify(3, .write, keys: .one, "string", "Subtracts a number from the integer a key holds")
        case .del: specify(-2, .write, keys: .rest, "generic", "Deletes keys")
        case .echo: specify(2, .connection, "connection", "Returns the given string")
        case .exists: specify(-2, .read, keys: .rest, "generic", "Counts which of the keys are there")
        case .flushall: specify(-1, .write, "server", "Deletes all keys")
        case .get: specify(2, .read, keys: .one, "string", "Returns the value of a key")
        case .hello: specify(-1, .connection, since: "6.0.0", "connection", "Shakes hands and chooses the protocol")
        case .incr: specify(2, .write, keys: .one, "string", "Adds one to the integer a key holds")
        case .incrby: specify(3, .write, keys: .one, "string", "Adds a number to the integer a key holds")
        case .info: specify(-1, .admin, "server", "Tells about the server and its cluster")
        case .mget: specify(-2, .read, keys: .rest, "string", "Returns the values of keys")
        case .mset: specify(-3, .write, keys: .pairs, since: "1.0.1", "string", "Sets several keys at once")
        case .ping: specify(-1, .connection, "connection", "Returns PONG, or the given string")
        case .quit: specify(-1, .connection, "connection", "Closes the connection")
        case .raftHash:
            specify(1, .admin, since: "0.1.0", "raft", "Returns a hash of this server's state, to compare servers")
        case .raftInfo: specify(1, .admin, since: "0.1.0", "raft", "Tells how this server stands in its cluster")
        case .raftNode: specify(-1, .admin, since: "0.1.0", "raft", "Lists, adds, promotes and removes servers")
        case .raftOnce:
            specify(-5, .write, since: "0.1.0", "raft", "Carries out a session's write once, however often it is sent")
        case .raftSession: specify(-2, .write, since: "0.1.0", "raft", "Registers, keeps alive or ends a session")
        case .raftSnapshot: specify(1, .admin, since: "0.1.0", "raft", "Has this server write its state down")
        case .raftTransferLeader: specify(-1, .admin, since: "0.1.0", "raft", "Hands leadership over")
        case .reset: specify(1, .connection, since: "6.2.0", "connection", "Makes the connection as new")
        case .select: specify(2, .connection, "connection", "Chooses the database, of which there is one")
        case .set: specify(-3, .write, keys: .one, "string", "Sets the value of a key")
        case .strlen: specify(2, .read, keys: .one, since: "2.2.0", "string", "Returns the length of a key's value")
        case .type: specify(2, .read, keys: .one, "generic", "Returns the type of a key's value")
        case .unlink: specify(-2, .write, keys: .rest, since: "4.0.0", "generic", "Deletes keys")
        }
    }
}
