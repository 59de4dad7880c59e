internal import ConclaveNet

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

    /// Whether a listener could have the port now. Connections of an earlier run that still linger in the kernel are no obstacle.
    static func isFree(_ port: UInt16) -> Bool { (try? Socket.listen(on: .loopback(port: port))) != nil }
}
