// What COMMAND and the HELP subcommands tell.

extension Command.Table {
    /// The answer, which is the same on every connection.
    package var reply: Reply {
        switch self {
        case .count:
            .integer(Int64(CommandName.allCases.count))
        case .list:
            .array(CommandName.allCases.map { .bulk(text: $0.word) })
        case .info(nil):
            .array(CommandName.specifications.map(\.tableEntry))
        case .info(let names?):
            .array(names.map { CommandName($0)?.specification.tableEntry ?? .null })
        case .docs(nil):
            .map(CommandName.specifications.map(\.documentation))
        case .docs(let names?):
            .map(names.compactMap { CommandName($0)?.specification.documentation })
        }
    }
}

extension CommandSpecification {
    /// The ten fields of COMMAND; hints, key specifications and subcommands are left empty.
    fileprivate var tableEntry: Reply {
        .array([
            .bulk(text: name.word),
            .integer(Int64(arity)),
            .set(flags.map { .simple($0) }),
            .integer(Int64(keys.first)),
            .integer(Int64(keys.last)),
            .integer(Int64(keys.step)),
            .set(categories.map { .simple($0) }),
            .array([]),
            .array([]),
            .array([]),
        ])
    }

    fileprivate var documentation: Reply.Pair {
        Reply.Pair(
            .bulk(text: name.word),
            .map([
                Reply.Pair(.bulk(text: "summary"), .bulk(text: summary)),
                Reply.Pair(.bulk(text: "since"), .bulk(text: since)),
                Reply.Pair(.bulk(text: "group"), .bulk(text: group)),
            ])
        )
    }

    private var flags: [String] {
        switch kind {
        case .write: ["write"]
        case .read: ["readonly"]
        case .admin: ["loading", "stale"]
        case .connection: ["noscript", "loading", "stale", "fast"]
        }
    }

    private var categories: [String] {
        let groupCategory = group == "generic" ? "@keyspace" : "@\(group)"
        return switch kind {
        case .write: ["@write", groupCategory]
        case .read: ["@read", groupCategory]
        case .admin: ["@slow"]
        case .connection: ["@fast", "@connection"]
        }
    }
}

extension Command.Help {
    /// The lines of the help text.
    package var reply: Reply {
        let lines =
            switch self {
            case .client: ["GETNAME", "ID", "INFO", "SETINFO <LIB-NAME|LIB-VER> <value>", "SETNAME <name>"]
            case .command: ["(no subcommand)", "COUNT", "DOCS [<name> ...]", "INFO [<name> ...]", "LIST"]
            case .session: ["END <session>", "KEEPALIVE <session>", "REGISTER"]
            case .node:
                [
                    "ADD <id> <host:port> [LEARNER]", "CHANGE <subcommand> [<subcommand> ...]", "DEMOTE <id>", "LIST",
                    "PROMOTE <id>", "REMOVE <id>",
                ]
            case .config: ["GET <pattern> [<pattern> ...]"]
            }
        let title = "\(rawValue) <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
        return .array(([title] + lines + ["HELP"]).map { .simple($0) })
    }
}
