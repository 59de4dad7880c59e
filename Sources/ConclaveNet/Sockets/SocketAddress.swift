// Where a socket listens or connects to: a numeric address and a port. No resolver: names other than localhost are refused.

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// An IPv4 or IPv6 address with a port.
package struct SocketAddress: Hashable, Sendable {
    package enum Family: Hashable, Sendable {
        case ipv4
        case ipv6
    }

    package let family: Family
    /// The port in host byte order; 0 lets the kernel choose one when listening.
    package let port: UInt16
    /// The address, big endian, right-aligned in 128 bits. Invariant: `high` is zero for IPv4.
    private let high: UInt64
    private let low: UInt64

    private init(family: Family, high: UInt64, low: UInt64, port: UInt16) {
        self.family = family
        self.high = high
        self.low = low
        self.port = port
    }

    /// 127.0.0.1 with the given port.
    package static func loopback(port: UInt16) -> SocketAddress {
        SocketAddress(family: .ipv4, high: 0, low: 0x7F00_0001, port: port)
    }

    /// ::1 with the given port.
    package static func loopbackIPv6(port: UInt16) -> SocketAddress {
        SocketAddress(family: .ipv6, high: 0, low: 1, port: port)
    }

    /// The same host with another port.
    package func with(port: UInt16) -> SocketAddress {
        SocketAddress(family: family, high: high, low: low, port: port)
    }

    /// Whether this is 127.0.0.1 or ::1. Other addresses of 127.0.0.0/8 do not count: nothing here binds to them.
    package var isLoopback: Bool { high == 0 && low == (family == .ipv4 ? 0x7F00_0001 : 1) }
}

// MARK: - Text

extension SocketAddress {
    /// Reads a numeric host (or `localhost`, which means 127.0.0.1).
    ///
    /// - Parameter loopbackOnly: refuse everything but 127.0.0.1, ::1 and localhost.
    /// - Throws: `SocketAddressError` that quotes the text and says what would be accepted.
    package init(host: String, port: UInt16, loopbackOnly: Bool = true) throws(SocketAddressError) {
        guard let address = Self.numeric(host: host, port: port) else {
            throw loopbackOnly ? .notLoopback(host) : .notNumeric(host)
        }
        guard !loopbackOnly || address.isLoopback else { throw .notLoopback(host) }
        self = address
    }

    /// Reads `127.0.0.1:7001`, `localhost:7001` or `[::1]:7001`.
    ///
    /// - Parameter loopbackOnly: refuse everything but 127.0.0.1, ::1 and localhost.
    /// - Throws: `SocketAddressError` that quotes the text and says what would be accepted.
    package init(_ text: String, loopbackOnly: Bool = true) throws(SocketAddressError) {
        guard let colon = text.lastIndex(of: ":") else { throw .malformed(text) }
        var host = text[..<colon]
        let digits = text[text.index(after: colon)...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(digits) else {
            throw .badPort(text)
        }
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw .malformed(text)
        }
        guard !host.isEmpty else { throw .malformed(text) }
        try self.init(host: String(host), port: port, loopbackOnly: loopbackOnly)
    }

    private static func numeric(host: String, port: UInt16) -> SocketAddress? {
        if host == "localhost" { return .loopback(port: port) }
        var v4 = in_addr()
        if inet_pton(AF_INET, host, &v4) == 1 {
            return SocketAddress(family: .ipv4, high: 0, low: UInt64(UInt32(bigEndian: v4.s_addr)), port: port)
        }
        var v6 = in6_addr()
        if inet_pton(AF_INET6, host, &v6) == 1 {
            let (high, low) = withUnsafeBytes(of: &v6) { bytes in
                (
                    UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
                    UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
                )
            }
            return SocketAddress(family: .ipv6, high: high, low: low, port: port)
        }
        return nil
    }
}

extension SocketAddress: CustomStringConvertible {
    /// The host without the port, as `init(host:port:)` reads it.
    package var host: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        switch family {
        case .ipv4:
            var address = in_addr(s_addr: UInt32(truncatingIfNeeded: low).bigEndian)
            inet_ntop(AF_INET, &address, &text, socklen_t(text.count))
        case .ipv6:
            var address = ipv6
            inet_ntop(AF_INET6, &address, &text, socklen_t(text.count))
        }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    package var description: String { family == .ipv4 ? "\(host):\(port)" : "[\(host)]:\(port)" }

    private var ipv6: in6_addr {
        var address = in6_addr()
        withUnsafeMutableBytes(of: &address) { bytes in
            bytes.storeBytes(of: high.bigEndian, toByteOffset: 0, as: UInt64.self)
            bytes.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
        }
        return address
    }
}

// MARK: - The C structures

extension SocketAddress {
    /// Calls `body` with the kernel's form of this address.
    func withSockaddr(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        switch family {
        case .ipv4:
            var address = sockaddr_in()
            #if canImport(Darwin)
                address.sin_len = UInt8(MemoryLayout<sockaddr_in>.size)
            #endif
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr = in_addr(s_addr: UInt32(truncatingIfNeeded: low).bigEndian)
            return Self.rebound(&address, body)
        case .ipv6:
            var address = sockaddr_in6()
            #if canImport(Darwin)
                address.sin6_len = UInt8(MemoryLayout<sockaddr_in6>.size)
            #endif
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            address.sin6_addr = ipv6
            return Self.rebound(&address, body)
        }
    }

    private static func rebound<Address>(
        _ address: inout Address,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        // SAFETY: sockaddr is the common head of both structures; the length passed is the real structure's.
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<Address>.size))
            }
        }
    }

    /// The address the kernel wrote; nil if it is of another family.
    init?(kernel storage: sockaddr_storage) {
        let family = Int32(storage.ss_family)
        // SAFETY: sockaddr_storage is large enough and aligned for both structures; the family says which one it holds.
        let address: SocketAddress? = withUnsafeBytes(of: storage) { bytes in
            switch family {
            case AF_INET:
                let v4 = bytes.loadUnaligned(as: sockaddr_in.self)
                let low = UInt64(UInt32(bigEndian: v4.sin_addr.s_addr))
                return SocketAddress(family: .ipv4, high: 0, low: low, port: UInt16(bigEndian: v4.sin_port))
            case AF_INET6:
                let v6 = bytes.loadUnaligned(as: sockaddr_in6.self)
                return withUnsafeBytes(of: v6.sin6_addr) { octets in
                    SocketAddress(
                        family: .ipv6,
                        high: UInt64(bigEndian: octets.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
                        low: UInt64(bigEndian: octets.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
                        port: UInt16(bigEndian: v6.sin6_port)
                    )
                }
            default:
                return nil
            }
        }
        guard let address else { return nil }
        self = address
    }
}

/// Why a text is no address to listen on or connect to.
package enum SocketAddressError: Error, Equatable, CustomStringConvertible {
    /// Not `host:port`.
    case malformed(String)
    /// The part behind the colon is no port.
    case badPort(String)
    /// Not a numeric IPv4 or IPv6 address.
    case notNumeric(String)
    /// An address other hosts may reach, or a name, where only loopback is allowed.
    case notLoopback(String)

    package var description: String {
        switch self {
        case .malformed(let text):
            "'\(Self.quote(text))' is no address: write host:port, for example 127.0.0.1:7001 or [::1]:7001"
        case .badPort(let text):
            "'\(Self.quote(text))' has no valid port: write host:port with a port from 0 to 65535"
        case .notNumeric(let text):
            "'\(Self.quote(text))' is no numeric IPv4 or IPv6 address: names are not looked up"
        case .notLoopback(let text):
            "'\(Self.quote(text))' is refused: everything binds to loopback because there are no secrets yet; "
                + "use 127.0.0.1, ::1 or localhost"
        }
    }

    /// At most so much of a text, which may be anything and of any size.
    private static func quote(_ text: String) -> String {
        let longest = 100
        return text.count <= longest ? text : "\(text.prefix(longest))…"
    }
}
