// Where frames from peers become messages of the consensus actor.

import Conclave
import ConclaveNet
import RaftCore

/// Decodes on the connection's actor, so that consensus only sees what makes sense.
struct ConsensusSink: TransportSink {
    /// A peer speaks for itself and to us only.
    struct Misdirected: Error {
        let message: WireMessage
    }

    let consensus: ActorRef<ConsensusMessage>
    let id: NodeID

    func received(_ frame: UnsafeRawBufferPointer, from peer: PeerID) throws {
        switch try WireCodec.decode(frame) {
        case .raft(let message):
            guard message.from == NodeID(peer.rawValue), message.to == id else {
                throw Misdirected(message: .raft(message))
            }
            consensus.send(.peer(message))
        case .proposal(let proposal):
            _ = try ProposalHeader.decode(proposal.payload)
            consensus.send(.forwarded(proposal, from: NodeID(peer.rawValue)))
        }
    }

    func linkUp(_ peer: PeerID) {}

    func linkDown(_ peer: PeerID, _ reason: LinkFailure) { consensus.send(.linkDown(NodeID(peer.rawValue))) }
}
