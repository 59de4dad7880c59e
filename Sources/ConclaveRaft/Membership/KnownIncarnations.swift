// Which data directories the members have: what a handshake is checked against (rule P28).

import ConclaveNet
import RaftCore
import Synchronization

/// The incarnations in the configuration in force. Written by consensus, read by connections.
///
/// A server whose data directory was wiped comes back with another incarnation. It must not vote or acknowledge: the others count on what
/// it had promised.
final class KnownIncarnations: Sendable {
    private let known: Mutex<[PeerID: UInt64]>

    init(_ records: [MemberRecord]) { known = Mutex(Self.table(records)) }

    func set(_ records: [MemberRecord]) {
        let table = Self.table(records)
        known.withLock { $0 = table }
    }

    /// Whether a server of this number with another data directory is a member.
    func contradict(_ peer: PeerID, _ incarnation: UInt64) -> Bool {
        known.withLock { $0[peer] }.map { $0 != incarnation } ?? false
    }

    private static func table(_ records: [MemberRecord]) -> [PeerID: UInt64] {
        var table: [PeerID: UInt64] = [:]
        for record in records {
            if let incarnation = record.incarnation { table[PeerID(record.id.rawValue)] = incarnation }
        }
        return table
    }
}
