// Nobody listens to a server whose data is gone, as long as it counts on what that server promised (rule P28).

package import RaftCore

/// Remembers who lost its data, and who has taken notice.
package struct IdentityChecker: Sendable {
    /// A member that lost all its data.
    private struct Wiped {
        let server: NodeID
        /// By whose configuration it was a member no more.
        var freedBy: [NodeID] = []
    }

    /// A handful: looked through at every step.
    private var wiped: [Wiped] = []

    package init() {}

    /// A member lost all its data; it is to be replaced by a server with another number.
    package mutating func wiped(_ server: NodeID) {
        wiped.removeAll { $0.server == server }
        wiped.append(Wiped(server: server))
    }

    /// Notes by whose configuration a wiped server is no member any more: it is a stranger then, and may be told so.
    package mutating func look(at core: some ObservedCore) {
        for place in wiped.indices where !wiped[place].freedBy.contains(core.id) {
            let (server, configuration) = (wiped[place].server, core.configuration)
            if !configuration.isVoter(server), !configuration.learners.contains(server) {
                wiped[place].freedBy.append(core.id)
            }
        }
    }

    /// A server let a message of another one in, on a connection made after that. Nil, or what is wrong with that.
    package func heard(_ sender: NodeID, by receiver: NodeID) -> String? {
        guard wiped.contains(where: { $0.server == sender && !$0.freedBy.contains(receiver) }) else { return nil }
        return
            "wiped identity: server \(receiver) listens to server \(sender), which lost its data and all that it promised"
    }
}
