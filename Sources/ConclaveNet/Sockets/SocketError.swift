// A system call on a socket failed: which one, why, and what to do about it.

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The kernel refused an operation on a socket.
package struct SocketError: Error, Hashable, Sendable {
    package enum Operation: String, Sendable {
        case open
        case configure
        case bind
        case listen
        case accept
        case connect
        case receive
        case send
        case watch
    }

    package let operation: Operation
    /// The value of `errno`.
    package let code: Int32
    /// The address that was asked for, where there is one.
    package let address: SocketAddress?

    package init(_ operation: Operation, code: Int32, address: SocketAddress? = nil) {
        self.operation = operation
        self.code = code
        self.address = address
    }

    /// The error of the system call that has just failed on this thread.
    static func last(_ operation: Operation, _ address: SocketAddress? = nil) -> SocketError {
        SocketError(operation, code: errno, address: address)
    }

    /// The process or the machine has no descriptor (or memory) left for another socket; it may have one later.
    package var isExhaustion: Bool {
        code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM
    }

    /// The port is taken by another socket.
    package var isAddressInUse: Bool { code == EADDRINUSE }
}

extension SocketError: CustomStringConvertible {
    package var description: String {
        let place = address.map { " \($0)" } ?? ""
        let reason = String(cString: strerror(code))
        let text = "cannot \(operation.rawValue)\(place): \(reason) (errno \(code))"
        return advice.map { "\(text); \($0)" } ?? text
    }

    /// What the reader can do about it, where that is known.
    private var advice: String? {
        switch code {
        case EADDRINUSE:
            "another program uses this port: stop it (`ss -ltnp` names it) or choose another port"
        case EADDRNOTAVAIL:
            "this machine has no such address: use 127.0.0.1"
        case EACCES:
            "ports below 1024 need privileges: choose a higher port"
        case EMFILE:
            "this process has too many open files: raise the limit with `ulimit -n`"
        case ENFILE:
            "the machine has too many open files"
        case ECONNREFUSED:
            "nobody listens there: is the server running?"
        case EAFNOSUPPORT:
            "this machine has no IPv6: use 127.0.0.1"
        default:
            nil
        }
    }
}
