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
    let incarnations: KnownIncarnations

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
        case .proposalRefused(let refused): consensus.send(.refused(refused))
        case .introduction(let record):
            guard record.id == NodeID(peer.rawValue) else { throw Misdirected(message: .introduction(record)) }
            consensus.send(.membership(.introduced(record)))
        case .notMember(let index): consensus.send(.membership(.reportedRemoved(of: index)))
        case .adminRequest(let request, let command):
            consensus.send(.membership(.passedOn(command, request: request, from: NodeID(peer.rawValue))))
        case .adminReply(let request, let error):
            consensus.send(.membership(.answered(request: request, by: NodeID(peer.rawValue), error)))
        }
    }

    func linkUp(_ peer: PeerID, incarnation: UInt64) {
        consensus.send(.membership(.linkUp(NodeID(peer.rawValue), incarnation: incarnation)))
    }

    func refusal(of handshake: Handshake) -> Handshake.Refusal? {
        incarnations.contradict(handshake.node, handshake.incarnation) ? .incarnation : nil
    }

    func linkDown(_ peer: PeerID, _ reason: LinkFailure) {
        var hasMoved = false
        if case .moved = reason { hasMoved = true }
        consensus.send(.linkDown(NodeID(peer.rawValue), hasMoved: hasMoved))
    }
}
