import RaftCore
import RaftLog

/// Who runs where: everything about the servers of one machine that follows from the options.
struct ClusterPlan: Equatable {
    var clusterID: ClusterID
    var leaseDriftPercent: Int?
    var servers: [ServerPlan]

    init(_ options: ClusterOptions, clusterID: ClusterID) {
        self.clusterID = clusterID
        leaseDriftPercent = options.leaseDriftPercent
        servers = (0..<options.nodes).map { offset in
            ServerPlan(
                id: NodeID(UInt64(offset + 1)),
                clientPort: UInt16(options.basePort + offset),
                peerPort: UInt16(options.basePort + ClusterOptions.peerPortOffset + offset),
                directory: "\(options.dataDirectory)/node-\(offset + 1)"
            )
        }
    }

    /// The arguments of `conclave` that start one of the servers.
    func arguments(for server: ServerPlan) -> [String] {
        let peers = servers.map { "\($0.id.rawValue)=127.0.0.1:\($0.peerPort)" }.joined(separator: ",")
        return [
            "node", "--id", "\(server.id.rawValue)", "--peers", peers, "--client-port", "\(server.clientPort)",
            "--data=\(server.directory)", "--cluster-id", "\(clusterID)", "--json", "--until-stdin-closes",
        ] + (leaseDriftPercent.map { ["--lease-reads", "\($0)"] } ?? [])
    }
}

/// One server's place.
struct ServerPlan: Equatable {
    var id: NodeID
    var clientPort: UInt16
    var peerPort: UInt16
    /// The server's own directory, in which the launcher keeps `pid` and `log`.
    var directory: String

    var pidFile: String { "\(directory)/pid" }
    var logFile: String { "\(directory)/log" }
}
