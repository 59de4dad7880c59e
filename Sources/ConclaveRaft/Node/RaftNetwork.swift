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

    private struct Station {
        let handshake: Handshake
        let sink: any TransportSink
        let onRefusal: @Sendable (_ by: NodeID) -> Void
    }

    private struct State {
        var stations: [NodeID: Station] = [:]
        /// Whose frames were let in, since both are there.
        var up: Set<Link> = []
        /// From those who were refused to those who did: told once, until one of the two is there anew.
        var refused: Set<Link> = []
        var cut: Set<Link> = []
        var filter: @Sendable (WireMessage, _ from: NodeID, _ to: NodeID) -> Bool = { _, _, _ in true }
    }

    private let state = Mutex(State())

    /// A network that nobody is on yet.
    public init() {}

    /// Loses everything that `node` sends and everything that is sent to it, until `heal`. Nobody is told: as with a cable that is out.
    public func isolate(_ node: NodeID) {
        state.withLock { state in
            for other in state.stations.keys where other != node {
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

    /// A node's place, with what it says of itself.
    ///
    /// - Parameter onRefusal: called when another node refuses this one.
    package func transport(
        of handshake: Handshake,
        onRefusal: @escaping @Sendable (_ by: NodeID) -> Void = { _ in }
    ) -> any Transport {
        NetworkStation(self, handshake, onRefusal)
    }

    fileprivate func connect(
        _ handshake: Handshake,
        _ sink: any TransportSink,
        _ onRefusal: @escaping @Sendable (_ by: NodeID) -> Void
    ) {
        let id = NodeID(handshake.node.rawValue)
        state.withLock { state in
            state.stations[id] = Station(handshake: handshake, sink: sink, onRefusal: onRefusal)
            state.up = state.up.filter { $0.from != id && $0.to != id }
            state.refused = state.refused.filter { $0.from != id && $0.to != id }
        }
    }

    /// The others learn of it at once, as they do from a connection that the kernel closes.
    fileprivate func disconnect(_ id: NodeID) {
        let others = state.withLock { state in
            state.stations[id] = nil
            let linked = state.up.filter { $0.to == id && !state.cut.contains(Link(from: id, to: $0.from)) }
            state.up = state.up.filter { $0.from != id && $0.to != id }
            return linked.sorted { $0.from < $1.from }.compactMap { state.stations[$0.from] }
        }
        for other in others { other.sink.linkDown(PeerID(id.rawValue), .closed) }
    }

    fileprivate func carry(_ frame: [UInt8], from: NodeID, to: NodeID) {
        let link = Link(from: from, to: to)
        let (sender, receiver, isUp, filter) = state.withLock { state in
            let receiver = state.cut.contains(link) ? nil : state.stations[to]
            return (state.stations[from], receiver, state.up.contains(link), state.filter)
        }
        guard let receiver else { return }
        if !isUp, let sender { guard connect(link, sender, receiver) else { return } }
        frame.withUnsafeBytes { bytes in
            do {
                if filter(try WireCodec.decode(bytes), from, to) {
                    try receiver.sink.received(bytes, from: PeerID(from.rawValue))
                }
            } catch {
                preconditionFailure("a server sent what another refuses: \(error)")
            }
        }
    }

    private func refused(_ link: Link, _ station: Station) {
        if state.withLock({ $0.refused.insert(link).inserted }) { station.onRefusal(link.to) }
    }

    /// The first frame on its way: false when one of the two refuses the other.
    private func connect(_ link: Link, _ sender: Station, _ receiver: Station) -> Bool {
        if receiver.sink.refusal(of: sender.handshake) != nil {
            refused(link, sender)
            return false
        }
        if sender.sink.refusal(of: receiver.handshake) != nil {
            refused(Link(from: link.to, to: link.from), receiver)
            return false
        }
        if state.withLock({ $0.up.insert(link).inserted }) {
            sender.sink.linkUp(receiver.handshake.node, incarnation: receiver.handshake.incarnation)
        }
        return true
    }
}

/// A node's place on the network.
private final class NetworkStation: Transport {
    private let network: RaftNetwork
    private let handshake: Handshake
    private let onRefusal: @Sendable (_ by: NodeID) -> Void

    init(_ network: RaftNetwork, _ handshake: Handshake, _ onRefusal: @escaping @Sendable (_ by: NodeID) -> Void) {
        self.network = network
        self.handshake = handshake
        self.onRefusal = onRefusal
    }

    func start<Message>(under context: borrowing Context<Message>, sink: any TransportSink) throws {
        try context.spawn("network") { [network, handshake, onRefusal] in
            NetworkPresence(network: network, handshake: handshake, sink: sink, onRefusal: onRefusal)
        }
    }

    /// On this network everybody is found by number.
    func setPeers(_ peers: [PeerID: SocketAddress]) {}

    func send(_ frame: [UInt8], to peer: PeerID) {
        network.carry(frame, from: NodeID(handshake.node.rawValue), to: NodeID(peer.rawValue))
    }
}

/// Takes a node off the network when the node ends.
private struct NetworkPresence: Behavior {
    typealias Message = Never

    let network: RaftNetwork
    let handshake: Handshake
    let sink: any TransportSink
    let onRefusal: @Sendable (_ by: NodeID) -> Void

    mutating func started(_ context: borrowing Context<Never>) { network.connect(handshake, sink, onRefusal) }

    mutating func receive(_ message: consuming Never, _ context: borrowing Context<Never>) {}

    mutating func stopping(_ reason: ExitReason, _ context: borrowing Context<Never>) {
        network.disconnect(NodeID(handshake.node.rawValue))
    }
}
