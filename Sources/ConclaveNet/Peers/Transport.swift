// The seam between servers and the network: TCP in production, a simulated network in tests.

package import Conclave

/// Carries frames between servers. Each arrives once, whole, or not at all: a lost one may be sent again by whoever cares, and a
/// command that is passed on must not be doubled.
///
/// From one server to another frames arrive in the order sent as long as the link is up.
package protocol Transport: AnyObject, Sendable {
    /// Begins to carry: links to the peers, and whatever they send to us goes to `sink`. Called once.
    ///
    /// - Parameter context: of the actor under which the transport's own actors live; they end with it.
    /// - Throws: what spawning throws.
    func start<Message>(under context: borrowing Context<Message>, sink: any TransportSink) throws

    /// From now on there are links to these peers and to no others. A link to a peer that is left out ends a moment later, with
    /// what was sent on it before.
    func setPeers(_ peers: [PeerID: SocketAddress])

    /// Sends a frame, from 1 byte to the transport's bound. Returns at once; without a link the frame is dropped.
    func send(_ frame: [UInt8], to peer: PeerID)
}

/// Takes what the transport brings. Its methods are called on the transport's actors, for one peer by one at a time: they
/// decode, send the result to the actor whom it is for, and return.
package protocol TransportSink: Sendable {
    /// A frame from a peer. The bytes are only valid during the call.
    ///
    /// - Throws: anything, if the frame makes no sense: the connection is closed and the reason reported.
    func received(_ frame: UnsafeRawBufferPointer, from peer: PeerID) throws

    /// Frames sent to the peer from now on arrive, at this incarnation of it.
    func linkUp(_ peer: PeerID, incarnation: UInt64)

    /// Frames sent to the peer are dropped from now on, and those sent lately may be lost. Told once for each `linkUp`, in order.
    func linkDown(_ peer: PeerID, _ reason: LinkFailure)

    /// Whether to refuse a server of our cluster whose number is known, for example for its incarnation.
    func refusal(of handshake: Handshake) -> Handshake.Refusal?
}

extension TransportSink {
    package func refusal(of handshake: Handshake) -> Handshake.Refusal? { nil }
}
