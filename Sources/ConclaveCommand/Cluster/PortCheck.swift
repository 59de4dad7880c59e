#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Finds out before anything starts whether the ports of a plan are free.
enum PortCheck {
    /// - Throws: `CommandFailure` with `.unavailable` that names the taken ports and says how to choose others.
    static func requireFree(_ plan: ClusterPlan) throws(CommandFailure) {
        let ports = plan.servers.map(\.clientPort) + plan.servers.map(\.peerPort)
        let taken = ports.filter { !isFree($0) }
        guard let first = taken.first else { return }
        let list = taken.map(String.init).joined(separator: ", ")
        let noun = taken.count == 1 ? "port \(list) on 127.0.0.1 is" : "ports \(list) on 127.0.0.1 are"
        throw CommandFailure(
            code: .unavailable,
            message: """
                \(noun) taken by another program, perhaps another cluster; choose others with --port PORT \
                (see who it is: lsof -i :\(first))
                """
        )
    }

    /// Whether a listener could bind the port now.
    static func isFree(_ port: UInt16) -> Bool {
        let descriptor = socket(AF_INET, streamSocketType, 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        // Connections of an earlier run that still linger in the kernel are no obstacle to the servers either.
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = loopbackAddress(port: port)
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
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

/// 127.0.0.1 with a port.
func loopbackAddress(port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    #if canImport(Darwin)
        address.sin_len = UInt8(MemoryLayout<sockaddr_in>.size)
    #endif
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    return address
}
