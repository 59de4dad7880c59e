// One TCP socket: non-blocking, closed on exec, without Nagle's delay, and never a SIGPIPE.

#if canImport(Glibc)
    import ConclavePlatform
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What one system call moved.
package enum Transfer: Equatable, Sendable {
    /// So many bytes, at least one.
    case bytes(Int)
    /// Nothing now; wait for the next readiness.
    case wouldBlock
    /// The other side will send nothing more. Only when receiving.
    case endOfStream
    /// The connection is lost.
    case failed(SocketError)
}

/// An owned TCP socket.
///
/// The descriptor stays open exactly as long as this object lives, so that nobody can use the number after it was given to
/// another socket. It is a class because its owner and whoever watches it (`SocketWatch`) share it.
package final class Socket: Sendable {
    package let descriptor: Int32

    private init(adopting descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit {
        _ = close(descriptor)
    }

    /// Tells the other side at once that nothing more will be sent or read; the descriptor closes with its last reference.
    package func shutdown() {
        #if canImport(Glibc)
            _ = Glibc.shutdown(descriptor, Int32(SHUT_RDWR))
        #else
            _ = Darwin.shutdown(descriptor, SHUT_RDWR)
        #endif
    }
}

// MARK: - Listening

extension Socket {
    /// What one attempt to accept gave.
    package enum Acceptance: Sendable {
        case accepted(Socket)
        case wouldBlock
        /// See `SocketError.isExhaustion`: then the connection still waits and a later attempt may succeed.
        case failed(SocketError)
    }

    /// Opens a socket that accepts connections on `address`; with port 0 `localAddress` tells the port the kernel chose.
    ///
    /// - Parameter backlog: how many connections may wait to be accepted.
    /// - Throws: `SocketError`, for example when the port is in use.
    package static func listen(on address: SocketAddress, backlog: Int32 = 1024) throws(SocketError) -> Socket {
        let socket = try open(address)
        try socket.set(SOL_SOCKET, SO_REUSEADDR)
        if address.family == .ipv6 { try socket.set(Int32(IPPROTO_IPV6), IPV6_V6ONLY) }
        #if canImport(Glibc)
            let bound = address.withSockaddr { Glibc.bind(socket.descriptor, $0, $1) }
        #else
            let bound = address.withSockaddr { Darwin.bind(socket.descriptor, $0, $1) }
        #endif
        guard bound == 0 else { throw .last(.bind, address) }
        #if canImport(Glibc)
            let listening = Glibc.listen(socket.descriptor, backlog)
        #else
            let listening = Darwin.listen(socket.descriptor, backlog)
        #endif
        guard listening == 0 else { throw .last(.listen, address) }
        return socket
    }

    /// Takes one waiting connection. Connections that died while waiting are skipped.
    package func accept() -> Acceptance {
        while true {
            #if canImport(Glibc)
                let accepted = conclave_accept(descriptor)
            #else
                let accepted = Darwin.accept(descriptor, nil, nil)
            #endif
            if accepted >= 0 {
                let socket = Socket(adopting: accepted)
                do {
                    try socket.configure()
                } catch {
                    continue
                }
                return .accepted(socket)
            }
            switch errno {
            case EINTR, ECONNABORTED, EPROTO: continue
            case EAGAIN: return .wouldBlock
            default: return .failed(.last(.accept))
            }
        }
    }
}

// MARK: - Connecting

extension Socket {
    /// Starts to connect. The connection is there once the socket is writable and `finishConnecting` has not thrown.
    ///
    /// - Throws: `SocketError` when the attempt fails at once.
    package static func connect(to address: SocketAddress) throws(SocketError) -> Socket {
        let socket = try open(address)
        try socket.configure()
        #if canImport(Glibc)
            let result = address.withSockaddr { Glibc.connect(socket.descriptor, $0, $1) }
        #else
            let result = address.withSockaddr { Darwin.connect(socket.descriptor, $0, $1) }
        #endif
        guard result == 0 || errno == EINPROGRESS || errno == EINTR else { throw .last(.connect, address) }
        return socket
    }

    /// Whether the attempt started by `connect(to:)` succeeded; call it when the socket has become writable.
    ///
    /// A socket that connected to itself counts as refused: TCP allows that when nobody listens on a port of the range the
    /// kernel takes local ports from, and it would keep the port from the server we wait for.
    ///
    /// - Throws: `SocketError` with the reason of the failure.
    package func finishConnecting(to address: SocketAddress) throws(SocketError) {
        var code: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size) == 0 else { throw .last(.connect, address) }
        guard code == 0 else { throw SocketError(.connect, code: code, address: address) }
        guard let remote = remoteAddress else { throw SocketError(.connect, code: ENOTCONN, address: address) }
        guard remote != localAddress else { throw SocketError(.connect, code: ECONNREFUSED, address: address) }
    }
}

// MARK: - Bytes

extension Socket {
    /// Reads what is there, at most the buffer's size. The buffer must not be empty.
    package func receive(into buffer: UnsafeMutableRawBufferPointer) -> Transfer {
        assert(!buffer.isEmpty, "an empty buffer cannot tell the end of the stream from nothing read")
        while true {
            let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
            if count > 0 { return .bytes(count) }
            if count == 0 { return .endOfStream }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            default: return .failed(.last(.receive))
            }
        }
    }

    /// Gives as many of the bytes to the kernel as it takes now. The buffer must not be empty.
    package func send(_ bytes: UnsafeRawBufferPointer) -> Transfer {
        #if canImport(Glibc)
            let flags = Int32(MSG_NOSIGNAL)
        #else
            let flags: Int32 = 0
        #endif
        while true {
            #if canImport(Glibc)
                let count = Glibc.send(descriptor, bytes.baseAddress, bytes.count, flags)
            #else
                let count = Darwin.send(descriptor, bytes.baseAddress, bytes.count, flags)
            #endif
            if count >= 0 { return .bytes(count) }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            default: return .failed(.last(.send))
            }
        }
    }
}

// MARK: - Addresses and options

extension Socket {
    /// The address of this end; nil once the connection is gone.
    package var localAddress: SocketAddress? { name(getsockname) }

    /// The address of the other end; nil if there is none (any more).
    package var remoteAddress: SocketAddress? { name(getpeername) }

    private func name(
        _ query: (Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) -> SocketAddress? {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        // SAFETY: sockaddr_storage is made to be seen as any sockaddr; `size` tells the kernel how much room there is.
        let result = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { query(descriptor, $0, &size) }
        }
        return result == 0 ? SocketAddress(kernel: storage) : nil
    }

    private static func open(_ address: SocketAddress) throws(SocketError) -> Socket {
        let family = address.family == .ipv4 ? AF_INET : AF_INET6
        #if canImport(Glibc)
            let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        #else
            let kind = SOCK_STREAM
        #endif
        let descriptor = socket(family, kind, 0)
        guard descriptor >= 0 else { throw .last(.open, address) }
        let opened = Socket(adopting: descriptor)
        #if canImport(Darwin)
            try opened.setDescriptorFlags()
        #endif
        return opened
    }

    /// The options of a connection: no Nagle (a delayed acknowledgement costs 40 ms otherwise), no SIGPIPE.
    private func configure() throws(SocketError) {
        #if canImport(Darwin)
            try setDescriptorFlags()
            try set(SOL_SOCKET, SO_NOSIGPIPE)
        #endif
        try set(Int32(IPPROTO_TCP), TCP_NODELAY)
    }

    private func set(_ level: Int32, _ option: Int32) throws(SocketError) {
        var on: Int32 = 1
        guard setsockopt(descriptor, level, option, &on, socklen_t(MemoryLayout<Int32>.size)) == 0 else {
            throw .last(.configure)
        }
    }

    #if canImport(Darwin)
        private func setDescriptorFlags() throws(SocketError) {
            guard fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0, fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0 else {
                throw .last(.configure)
            }
        }
    #endif
}
