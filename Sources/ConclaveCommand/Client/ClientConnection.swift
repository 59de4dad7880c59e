import KeyValue

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A blocking connection to a server: one command, one answer.
struct ClientConnection: ~Copyable {
    private static let chunkSizeBytes = 64 << 10

    private let descriptor: Int32
    private let patienceSeconds: Int
    private var parser = RESPReplyParser()

    /// Takes over a connected socket.
    init(descriptor: Int32, patienceSeconds: Int = 60) {
        self.descriptor = descriptor
        self.patienceSeconds = patienceSeconds
        var patience = timeval(tv_sec: patienceSeconds, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, size)
    }

    deinit { close(descriptor) }

    /// Connects, and agrees on the version of the protocol.
    /// - Throws: `.unavailable` when nobody listens there or the host has no address; `.errorReply` when the server
    ///   refuses the version.
    static func open(_ options: ClientOptions) throws(CommandFailure) -> ClientConnection {
        var connection = ClientConnection(
            descriptor: try connect(host: options.host, port: options.port),
            patienceSeconds: options.patienceSeconds
        )
        if options.resp3 {
            let answer = try connection.ask(["HELLO", "3"])
            if case .failure(let error) = answer {
                throw CommandFailure(code: .errorReply, message: "HELLO 3 is refused: \(error.code) \(error.message)")
            }
        }
        return connection
    }

    private static func connect(host: String, port: UInt16) throws(CommandFailure) -> Int32 {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = streamSocketType
        var found: UnsafeMutablePointer<addrinfo>?
        let result = getaddrinfo(host, String(port), &hints, &found)
        guard result == 0, let found else {
            throw unreachable(host, port, String(cString: gai_strerror(result)))
        }
        defer { freeaddrinfo(found) }
        var fault: Int32 = 0
        for address in sequence(first: found, next: \.pointee.ai_next) {
            let descriptor = socket(address.pointee.ai_family, streamSocketType, 0)
            guard descriptor >= 0 else {
                fault = errno
                continue
            }
            #if canImport(Glibc)
                let result = Glibc.connect(descriptor, address.pointee.ai_addr, address.pointee.ai_addrlen)
            #else
                let result = Darwin.connect(descriptor, address.pointee.ai_addr, address.pointee.ai_addrlen)
            #endif
            if result == 0 { return descriptor }
            fault = errno
            close(descriptor)
        }
        throw unreachable(host, port, errorText(fault))
    }

    private static func unreachable(_ host: String, _ port: UInt16, _ reason: String) -> CommandFailure {
        CommandFailure(
            code: .unavailable,
            message: """
                cannot connect to \(host):\(port): \(reason). Start a cluster with 'conclave cluster', or name the port \
                of a running server with -p PORT
                """
        )
    }

    /// Sends a command and waits for its answer. What a server sends without a question is passed over.
    /// - Throws: `.unavailable` when the connection breaks or the server says nothing for a minute.
    mutating func ask(_ words: [[UInt8]]) throws(CommandFailure) -> Reply {
        var writer = RESPWriter()
        writer.write(command: words)
        let isSent = writer.bytes.withUnsafeBytes { writeFully($0.baseAddress, count: $0.count, to: descriptor) }
        guard isSent else { throw lost(errno) }
        while true {
            let reply: Reply?
            do throws(RESPError) {
                reply = try parser.next()
            } catch {
                throw CommandFailure(code: .unavailable, message: "this is no server of ours: \(error.message)")
            }
            switch reply {
            case .push: continue
            case .some(let reply): return reply
            case nil: parser.append(try receive())
            }
        }
    }

    /// Sends a command of words and waits for its answer.
    mutating func ask(_ words: [String]) throws(CommandFailure) -> Reply { try ask(words.map { Array($0.utf8) }) }

    private func receive() throws(CommandFailure) -> [UInt8] {
        var fault: Int32 = 0
        let chunk = [UInt8](unsafeUninitializedCapacity: Self.chunkSizeBytes) { buffer, count in
            var result = read(descriptor, buffer.baseAddress, buffer.count)
            while result < 0 && errno == EINTR { result = read(descriptor, buffer.baseAddress, buffer.count) }
            fault = result < 0 ? errno : 0
            count = max(result, 0)
        }
        guard !chunk.isEmpty else { throw lost(fault) }
        return chunk
    }

    private func lost(_ fault: Int32) -> CommandFailure {
        let reason =
            switch fault {
            case 0: "the server closed the connection"
            case EAGAIN: "the server did not answer within \(patienceSeconds) s; the command may have run or not"
            default: "the connection broke: \(errorText(fault))"
            }
        return CommandFailure(code: .unavailable, message: reason)
    }
}

/// `SOCK_STREAM`, which is an enumeration in Glibc and a number in Darwin.
var streamSocketType: Int32 {
    #if canImport(Glibc)
        Int32(SOCK_STREAM.rawValue)
    #else
        SOCK_STREAM
    #endif
}
