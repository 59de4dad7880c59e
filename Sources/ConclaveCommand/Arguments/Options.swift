import ConclaveNet
import RaftCore
import RaftLog

/// What `conclave cluster` was asked to do.
struct ClusterOptions: Equatable {
    /// More than nine servers on one machine protect nothing: three survive the loss of one, five of two.
    static let nodeRange = 1...9
    /// Peer ports lie this far above client ports.
    static let peerPortOffset = 100

    var nodes = 3
    /// Client port of the first server.
    var basePort = 7001
    var dataDirectory = "./conclave-data"
    /// See `NodeOptions`.
    var leaseDriftPercent: Int?
    var json = false
}

/// How far clocks may be said to drift, in percent. Beyond it a lease would end before the next heartbeat could renew it.
let leaseDriftRange = 1...50

/// What `conclave node` was asked to do.
struct NodeOptions: Equatable {
    /// Who this server is; one of `peers`, if there are any.
    var id: NodeID
    /// All servers that the cluster begins with, this one too, in the order of their ids. Empty: it joins one that is there.
    var peers: [NodePeer]
    /// The client address of a server of the cluster that this one is to join.
    var join: SocketAddress?
    /// Where clients connect, on 127.0.0.1.
    var clientPort: UInt16
    /// Where the other servers connect, on 127.0.0.1. Differs from this server's entry in `peers` only if somebody
    /// forwards that port to this one.
    var peerPort: UInt16
    /// This server's own directory. The names `pid` and `log` in it belong to the launcher.
    var dataDirectory: String
    var clusterID = ClusterID.unnamed
    /// How far clocks may drift apart if the leader is to answer reads under a lease; nil: no leases.
    var leaseDriftPercent: Int?
    /// One JSON object per event on standard output; see `NodeEvent`.
    var json = false
    /// Stop as if by SIGTERM when standard input ends: then the launcher is gone, however it died.
    var untilStdinCloses = false
}

/// A server's address for the other servers.
struct NodePeer: Equatable {
    var id: NodeID
    /// Always 127.0.0.1 for now.
    var host: String
    var port: UInt16
}

/// What `conclave client` was asked to do.
struct ClientOptions: Equatable {
    var host = "127.0.0.1"
    var port: UInt16 = 7001
    var resp3 = false
    /// How long a server may take for an answer.
    var patienceSeconds = 60
    /// The command with its arguments; empty for a prompt or for commands from standard input.
    var command: [String] = []
}

extension ClusterID {
    /// For servers that are started by hand without a name.
    static let unnamed = ClusterID(high: 0, low: 0)
}
