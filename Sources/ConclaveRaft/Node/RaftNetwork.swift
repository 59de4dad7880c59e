// A network within one process, for tests and for clusters that live in one program.

import Conclave
package import ConclaveNet
public import RaftCore
import Synchronization

/// Connects nodes of one process, without sockets; each direction of each link can be cut.
public final class RaftNetwork: Sendable {
    private struct Link: Hashable {
        let from: NodeID
        let to: NodeID
    }

    private struct State {
        var sinks: [NodeID: any TransportSink] = [:]
        var cut: Set<Link> = []
        var filter: @Sendable (WireMessage, _ from: NodeID, _ to: NodeID) -> Bool = { _, _, _ in true }
    }

    private let state = Mutex(State())

    /// A network that nobody is on yet.
    public init() {}

    /// Loses everything that `node` sends and everything that is sent to it, until `heal`. Nobody is told: as with a cable that is out.
    public func isolate(_ node: NodeID) {
        state.withLock { state in
            for other in state.sinks.keys where other != node {
                state.cut.insert(Link(from: node, to: other))
                state.cut.insert(Link(from: other, to: node))
            }
        }
    }

    /// Loses what `from` sends to `to`, until `heal`.
    public func cut(from: NodeID, to: NodeID) { state.withLock { _ = $0.cut.insert(Link(from: from, to: to)) } }

    /// Mends all links.
    public func heal() { state.withLock { $0.cut = [] } }

    /// Has `filter` look at each message that would arrive; false loses it.
    func setFilter(_ filter: @escaping @Sendable (WireMessage, _ from: NodeID, _ to: NodeID) -> Bool) {
        state.withLock { $0.filter = filter }
    }

    /// Hands a message over as if `from` had sent it.
    func deliver(_ message: WireMessage, from: NodeID, to: NodeID) {
        carry(WireCodec.encode(message), from: from, to: to)
    }

    package func transport(of id: NodeID) -> any Transport { NetworkStation(self, id) }

    fileprivate func connect(_ id: NodeID, _ sink: any TransportSink) { state.withLock { $0.sinks[id] = sink } }

    /// The others learn of it at once, as they do from a connection that the kernel closes.
    fileprivate func disconnect(_ id: NodeID) {
        let others = state.withLock { state in
            state.sinks[id] = nil
            return state.sinks.filter { !state.cut.contains(Link(from: id, to: $0.key)) }
        }
        for (_, sink) in others.sorted(by: { $0.key < $1.key }) { sink.linkDown(PeerID(id.rawValue), .closed) }
    }

    fileprivate func carry(_ frame: [UInt8], from: NodeID, to: NodeID) {
        let (sink, filter) = state.withLock { state in
            (state.cut.contains(Link(from: from, to: to)) ? nil : state.sinks[to], state.filter)
        }
        guard let sink else { return }
        frame.withUnsafeBytes { bytes in
            do {
                if filter(try WireCodec.decode(bytes), from, to) {
                    try sink.received(bytes, from: PeerID(from.rawValue))
                }
            } catch {
                preconditionFailure("a server sent what another refuses: \(error)")
            }
        }
    }
}

/// A node's place on the network.
private final class NetworkStation: Transport {
    private let network: RaftNetwork
    private let id: NodeID

    init(_ network: RaftNetwork, _ id: NodeID) {
        self.network = network
        self.id = id
    }

    func start<Message>(under context: borrowing Context<Message>, sink: any TransportSink) throws {
        try context.spawn("network") { [network, id] in NetworkPresence(network: network, id: id, sink: sink) }
    }

    /// On this network everybody is found by number.
    func setPeers(_ peers: [PeerID: SocketAddress]) {}

    func send(_ frame: [UInt8], to peer: PeerID) { network.carry(frame, from: id, to: NodeID(peer.rawValue)) }
}

/// Takes a node off the network when the node ends.
private struct NetworkPresence: Behavior {
    typealias Message = Never

    let network: RaftNetwork
    let id: NodeID
    let sink: any TransportSink

    mutating func started(_ context: borrowing Context<Never>) { network.connect(id, sink) }

    mutating func receive(_ message: consuming Never, _ context: borrowing Context<Never>) {}

    mutating func stopping(_ reason: ExitReason, _ context: borrowing Context<Never>) { network.disconnect(id) }
}
