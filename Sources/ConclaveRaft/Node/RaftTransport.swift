// How a node reaches the others.

import ConclaveNet
public import RaftCore
import RaftLog

/// The way between the nodes of a cluster.
public struct RaftTransport: Sendable {
    enum Kind: Sendable {
        case network(RaftNetwork)
        case tcp(RaftPort, peers: [NodeID: UInt16])
    }

    let kind: Kind

    /// A network within this process.
    public static func inMemory(_ network: RaftNetwork) -> RaftTransport { RaftTransport(kind: .network(network)) }

    /// TCP on 127.0.0.1, without secrets: whoever can open a connection on this machine can take part.
    ///
    /// - Parameters:
    ///   - port: where this node is reached.
    ///   - peers: the ports of the others that found the cluster; this node's own may be among them. Empty in a node that joins: those
    ///     who are there come to it when it is added.
    public static func tcp(_ port: RaftPort, peers: [NodeID: UInt16]) -> RaftTransport {
        RaftTransport(kind: .tcp(port, peers: peers))
    }
}

/// A port on 127.0.0.1 on which a node listens for the others. It is taken at once, so that the other nodes can be told its number
/// before any node starts, and is free again when the node has ended and this value is gone.
public struct RaftPort: Sendable {
    let socket: Socket

    /// - Parameter number: 0 for any port that is free.
    /// - Throws: `RaftPortTaken`.
    public init(_ number: UInt16 = 0) throws {
        do { socket = try Socket.listen(on: .loopback(port: number)) } catch {
            throw RaftPortTaken(number: number, reason: "\(error)")
        }
    }

    /// The number that the others connect to.
    public var number: UInt16 { socket.localAddress?.port ?? 0 }
}

/// A node cannot listen on a port.
public struct RaftPortTaken: Error, Sendable, CustomStringConvertible {
    /// The port asked for.
    public let number: UInt16
    /// What the operating system says.
    public let reason: String

    /// For people to read.
    public var description: String { "cannot listen on 127.0.0.1:\(number): \(reason)" }
}
