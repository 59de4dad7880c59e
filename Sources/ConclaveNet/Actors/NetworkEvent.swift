// What happens to connections that an operator may want to see or count.

/// Something worth a line in the log.
package enum NetworkEvent: Sendable {
    /// A connection was closed at once because the listener serves as many as it may.
    case connectionRefused(limit: Int)
    /// Nothing can be accepted for the moment, for example without descriptors; the listener tries again by itself.
    case acceptFailed(SocketError)
    /// A connection that was accepted from a peer, or from something that is none, ended.
    case peerConnectionEnded(PeerID?, LinkFailure)
    /// A link to a peer is not there, or is lost; the next attempt comes after the given time.
    case linkFailed(PeerID, LinkFailure, retryIn: Duration)
    /// Frames were dropped since more waited to be sent to the peer than may; counted since the link was made.
    case framesDropped(PeerID, total: Int)
}

extension NetworkEvent {
    /// Who refuses this server because its number belonged to another data directory; nil where nobody does.
    package var refusedForIncarnation: PeerID? {
        guard case (let peer, .refusedByPeer(.incarnation))? = ended else { return nil }
        return peer
    }

    /// With whom this server does not talk, since one of the two grants leases and their times differ.
    package var differsInTiming: PeerID? {
        switch ended {
        case (let peer, .refusedByPeer(.timing))?, (let peer, .refused(.timing))?: peer
        default: nil
        }
    }

    /// A connection with a known peer that ended, or was not made, and why.
    private var ended: (PeerID, LinkFailure)? {
        switch self {
        case .linkFailed(let peer, let failure, _): (peer, failure)
        case .peerConnectionEnded(let peer?, let failure): (peer, failure)
        case .peerConnectionEnded(nil, _), .connectionRefused, .acceptFailed, .framesDropped: nil
        }
    }
}

/// Why a connection between two servers ended, or was not made.
package enum LinkFailure: Error, Sendable {
    /// The other side closed it.
    case closed
    case socket(SocketError)
    /// We refused the other side.
    case refused(Handshake.Refusal)
    /// The other side refused us.
    case refusedByPeer(Handshake.Refusal)
    case badFrame(FrameError)
    /// A frame was whole, but whoever receives them could not make sense of it.
    case badPayload(any Error)
    /// The handshake took too long.
    case timeout
    /// The other side sent something on a connection on which it has nothing to say.
    case unexpectedBytes
    /// The peer is found elsewhere from now on.
    case moved
    /// This side stopped.
    case stopped
}

extension LinkFailure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .closed: "the other side closed the connection"
        case .socket(let error): "\(error)"
        case .refused(let refusal): "refused: \(refusal)"
        case .refusedByPeer(let refusal): "the other side refuses us: \(refusal)"
        case .badFrame(let error): "\(error)"
        case .badPayload(let error): "a frame that cannot be understood: \(error)"
        case .timeout: "the handshake took too long"
        case .unexpectedBytes: "bytes where none are expected"
        case .moved: "the peer has moved"
        case .stopped: "this side stopped"
        }
    }
}
