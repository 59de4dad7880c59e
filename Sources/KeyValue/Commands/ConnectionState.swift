package import ConclaveRaft

/// What a server keeps of one client connection, and what it does with each command. No socket, no clock.
///
/// The shell around it cuts the received bytes with `RESPParser`, hands each request to `handle`, and sends the replies
/// in the order of the requests. Each reply is written in the `version` that holds right after its request was handled.
package struct ConnectionState: Sendable {
    /// Unique among the connections of a server's life.
    package let id: UInt64
    /// The client's end of the connection, and ours, as `host:port`.
    package let address: String
    package let localAddress: String
    /// The dialect of the replies.
    package private(set) var version = RESPVersion.two
    /// What the client calls itself; empty if it has not said.
    package private(set) var name = ""
    package private(set) var libraryName = ""
    package private(set) var libraryVersion = ""

    package init(id: UInt64, address: String, localAddress: String) {
        self.id = id
        self.address = address
        self.localAddress = localAddress
    }

    /// What is to be done about a request.
    package enum Handling: Hashable, Sendable {
        /// Send this.
        case reply(Reply)
        /// Replicate this; its reply comes from applying it.
        case write(KeyValueWrite)
        /// Answer this from the store, once reading is safe.
        case read(KeyValueRead)
        /// Replicate this for a session; its reply comes from applying it, now or when it was sent first.
        case once(SessionCommand, KeyValueWrite)
        /// Replicate this; its reply is the session's number or OK.
        case session(Command.Session)
        /// Ask the server, and send what it says.
        case cluster(Command.Cluster)
        /// Send `ServerFacts.reply(sections:)`.
        case info(sections: [String])
        /// Send this, then close the connection. What the client sent after it is not looked at.
        case close(after: Reply)
    }

    /// Takes the next request.
    package mutating func handle(_ request: RESPRequest) -> Handling {
        do {
            return handle(try Command.parse(request))
        } catch {
            return .reply(.failure(error))
        }
    }

    /// Takes the next command.
    package mutating func handle(_ command: consuming Command) -> Handling {
        switch command {
        case .write(let write): return .write(write)
        case .read(let read): return .read(read)
        case .once(let label, let write): return .once(label, write)
        case .session(let request): return .session(request)
        case .cluster(let request): return .cluster(request)
        case .ping(let message): return .reply(message.map { .bulk($0) } ?? .simple("PONG"))
        case .echo(let message): return .reply(.bulk(message))
        case .hello(let hello): return .reply(greet(hello))
        case .authenticate: return .reply(.failure(.noPassword))
        case .select(let index):
            return .reply(index == 0 ? .ok : .error("ERR", "DB index is out of range"))
        case .quit: return .close(after: .ok)
        case .reset:
            version = .two
            name = ""
            return .reply(.simple("RESET"))
        case .client(let command): return .reply(handle(command))
        case .commands(let question): return .reply(question.reply)
        case .configGet(let patterns): return .reply(ServerSettings.matching(patterns))
        case .info(let sections): return .info(sections: sections)
        case .help(let help): return .reply(help.reply)
        }
    }

    private mutating func greet(_ hello: Command.Hello) -> Reply {
        if hello.authenticates { return .failure(.noPassword) }
        if let name = hello.name { self.name = name.text }
        if let version = hello.version { self.version = version }
        // A client sees one Redis that takes writes, whichever server of the cluster it talks to.
        return .map([
            Reply.Pair(.bulk(text: "server"), .bulk(text: "redis")),
            Reply.Pair(.bulk(text: "version"), .bulk(text: ServerFacts.redisVersion)),
            Reply.Pair(.bulk(text: "proto"), .integer(Int64(version.rawValue))),
            Reply.Pair(.bulk(text: "id"), .integer(Int64(id))),
            Reply.Pair(.bulk(text: "mode"), .bulk(text: "standalone")),
            Reply.Pair(.bulk(text: "role"), .bulk(text: "master")),
            Reply.Pair(.bulk(text: "modules"), .array([])),
        ])
    }

    private mutating func handle(_ command: Command.Client) -> Reply {
        switch command {
        case .id: return .integer(Int64(id))
        case .info: return .verbatim(format: "txt", text: Bytes(text: description + "\n"))
        case .getName: return name.isEmpty ? .null : .bulk(text: name)
        case .setName(let name):
            self.name = name.text
            return .ok
        case .setLibrary(.name, let text):
            libraryName = text.text
            return .ok
        case .setLibrary(.version, let text):
            libraryVersion = text.text
            return .ok
        }
    }
}

extension ConnectionState: CustomStringConvertible {
    /// The connection as CLIENT INFO tells it, with those of Redis's fields that mean something here.
    package var description: String {
        "id=\(id) addr=\(address) laddr=\(localAddress) name=\(name) flags=N db=0 sub=0 psub=0 multi=-1"
            + " user=default resp=\(version.rawValue) lib-name=\(libraryName) lib-ver=\(libraryVersion)"
    }
}
