// Which data directories the members have: what a handshake is checked against (rule P28).

import ConclaveNet
import RaftCore
import Synchronization

/// The incarnations in the configuration in force, and those of members that were met before theirs was written down. Configurations
/// come from consensus, meetings from connections.
///
/// A server whose data directory was wiped comes back with another incarnation. It must not vote or acknowledge: the others count on what
/// it had promised.
///
/// What nobody can know: that a founder was wiped before this server had met it, or had heard of it by the log. The leader writes down
/// whom it has met with its next heartbeat; so a cluster is founded with all its servers there, and none may lose its data before
/// all have that entry. Servers that have not cannot tell a founder's second directory from its first, whatever the others
/// know; to wait for all of them at each founding would be worse.
final class KnownIncarnations: Sendable {
    private struct Known {
        var written: [PeerID: UInt64] = [:]
        /// Members of whom nothing is written, and whom of them this server has met since its start.
        var unwritten: Set<PeerID> = []
        var met: [PeerID: UInt64] = [:]

        mutating func follow(_ configuration: Configuration) {
            written = [:]
            for record in configuration.records { written[PeerID(record.id.rawValue)] = record.incarnation }
            unwritten = Set(configuration.members.map { PeerID($0.rawValue) }).subtracting(written.keys)
            met = met.filter { unwritten.contains($0.key) }
        }
    }

    private let known: Mutex<Known>

    init(_ configuration: Configuration) {
        var known = Known()
        known.follow(configuration)
        self.known = Mutex(known)
    }

    func follow(_ configuration: Configuration) { known.withLock { $0.follow(configuration) } }

    /// Whether a server of this number with another data directory is a member, written down or met before. Notes that this one was met.
    func contradict(_ peer: PeerID, _ incarnation: UInt64) -> Bool {
        known.withLock { known in
            if let written = known.written[peer] { return written != incarnation }
            guard known.unwritten.contains(peer) else { return false }
            if let met = known.met[peer] { return met != incarnation }
            known.met[peer] = incarnation
            return false
        }
    }
}
