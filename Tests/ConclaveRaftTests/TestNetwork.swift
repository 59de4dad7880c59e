import Conclave
import ConclaveNet
import RaftCore
import Synchronization

@testable import ConclaveRaft

/// Carries frames between servers of one process, on the sender's thread, and can cut each direction of each link.
final class TestNetwork: Sendable {
    private struct Link: Hashable {
        let from: PeerID
        let to: PeerID
    }

    private struct State {
        var sinks: [PeerID: any TransportSink] = [:]
        var cut: Set<Link> = []
        /// Looks at each frame that would arrive; false loses it.
        var filter: @Sendable (WireMessage, _ from: PeerID, _ to: PeerID) -> Bool = { _, _, _ in true }
    }

    private let state = Mutex(State())

    func transport(of id: NodeID) -> any Transport { NodeTransport(self, PeerID(id.rawValue)) }

    /// Cuts all links of a server, both ways, or all of them heal.
    func isolate(_ id: NodeID, among all: [NodeID]) {
        for other in all where other != id {
            cut(from: id, to: other)
            cut(from: other, to: id)
        }
    }

    func cut(from: NodeID, to: NodeID) {
        state.withLock { _ = $0.cut.insert(Link(from: PeerID(from.rawValue), to: PeerID(to.rawValue))) }
    }

    func heal() { state.withLock { $0.cut = [] } }

    func setFilter(_ filter: @escaping @Sendable (WireMessage, _ from: PeerID, _ to: PeerID) -> Bool) {
        state.withLock { $0.filter = filter }
    }

    fileprivate func connect(_ id: PeerID, _ sink: any TransportSink) { state.withLock { $0.sinks[id] = sink } }

    fileprivate func carry(_ frame: [UInt8], from: PeerID, to: PeerID) {
        let (sink, filter) = state.withLock { state in
            (state.cut.contains(Link(from: from, to: to)) ? nil : state.sinks[to], state.filter)
        }
        guard let sink else { return }
        frame.withUnsafeBytes { bytes in
            do {
                if filter(try WireCodec.decode(bytes), from, to) { try sink.received(bytes, from: from) }
            } catch {
                preconditionFailure("a server sent what another refuses: \(error)")
            }
        }
    }
}

private final class NodeTransport: Transport {
    private let network: TestNetwork
    private let id: PeerID

    init(_ network: TestNetwork, _ id: PeerID) {
        self.network = network
        self.id = id
    }

    func start<Message>(under context: borrowing Context<Message>, sink: any TransportSink) throws {
        network.connect(id, sink)
    }

    func send(_ frame: [UInt8], to peer: PeerID) { network.carry(frame, from: id, to: peer) }
}
