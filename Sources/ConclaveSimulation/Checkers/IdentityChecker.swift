// Nobody listens to a server whose data is gone, as long as it counts on what that server promised (rule P28).

package import RaftCore

/// Remembers who lost its data, and who has taken notice.
package struct IdentityChecker: Sendable {
    /// Members that lost all their data, each with those by whose configuration it was a member no more.
    private var wiped: [NodeID: Set<NodeID>] = [:]

    package init() {}

    /// A member lost all its data; it is to be replaced by a server with another number.
    package mutating func wiped(_ server: NodeID) { wiped[server] = [] }

    /// Notes by whose configuration a wiped server is no member any more: it is a stranger then, and may be told so.
    package mutating func look(at core: some ObservedCore) {
        guard !wiped.isEmpty else { return }
        for server in wiped.keys
        where !core.configuration.isVoter(server) && !core.configuration.learners.contains(server) {
            wiped[server]?.insert(core.id)
        }
    }

    /// A server let a message of another one in, on a connection made after that. Nil, or what is wrong with that.
    package func heard(_ sender: NodeID, by receiver: NodeID) -> String? {
        guard let freed = wiped[sender], !freed.contains(receiver) else { return nil }
        return
            "wiped identity: server \(receiver) listens to server \(sender), which lost its data and all that it promised"
    }
}
