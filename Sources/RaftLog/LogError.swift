// Everything that can stop the log, in words that say what to do about it.

package import RaftCore

/// Why the log could not be opened, or cannot be written any more.
package enum LogError: Error, Hashable, Sendable {
    /// There is no log here and the caller did not ask to create one.
    case missing(location: String)
    /// There was a log here, of this server, and it is gone.
    case lost(location: String, identity: LogIdentity)
    /// Another process (or another log in this one) has the directory.
    case alreadyInUse(location: String, processID: Int32?)
    /// The files belong to another cluster.
    case wrongCluster(location: String, found: ClusterID, expected: ClusterID)
    /// The files belong to another server of the cluster.
    case wrongNode(location: String, found: NodeID, expected: NodeID)
    /// The files were written in a format this build does not know.
    case unknownVersion(file: String, found: UInt32, supported: UInt32)
    /// Something that was acknowledged is damaged or missing.
    case corrupt(Corruption)
    /// Damage as other servers could repair it, in what is the only server of its cluster by all that is left.
    case nobodyToRepairFrom(Corruption)
    /// The log begins behind entry `first` minus one, and no snapshot reaches there (raft-rules P30).
    case gap(location: String, first: LogIndex, snapshot: LogIndex)
    /// A snapshot file is damaged, or not what it says it is.
    case snapshotDamaged(file: String, offset: Int)
    /// A new segment, or a batch, did not fit. What is buffered stays so and a later `sync` tries again.
    case diskFull(DiskError)
    /// The disk failed while the log was being opened.
    case io(DiskError)
    /// A write or sync failed, now or earlier: what is on the disk is unknown until the log is opened anew. Never retried
    /// (raft-rules P32).
    case failed(DiskError)
}

/// Damage that recovery must not repair silently.
package struct Corruption: Hashable, Sendable {
    /// What is wrong.
    package enum Kind: Hashable, Sendable {
        /// The segment's own header does not pass its checksum.
        case segmentHeader
        /// A batch does not pass its checksums although a later one exists.
        case batch
        /// A whole segment is not there.
        case missingSegment
        /// Segments are there that were written under different identities.
        case mixedIdentities
        /// A batch passes its checksums and yet does not continue what is before it.
        case discontinuity
        /// An entry is of a kind that this build does not know.
        case unknownEntryKind(UInt8)
    }

    package var kind: Kind
    package var location: String
    package var file: String
    package var offset: Int
    /// The entries of the damaged batch, when its header is readable.
    package var entries: ClosedRange<LogIndex>?
    /// The entries whose payload is damaged, by index and term, when the batch's table is readable.
    package var damaged: [DamagedEntry] = []

    package init(kind: Kind, location: String, file: String, offset: Int) {
        self.kind = kind
        self.location = location
        self.file = file
        self.offset = offset
    }
}

extension LogError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .missing(let location):
            "no log in \(location): create one for a new server, or correct the path of an existing one"
        case .lost(let location, let identity):
            "the log of server \(identity.node) in \(location) is gone, only \(IdentityFile.name) is left: put the files "
                + "back, or remove this server from the cluster and add it again, under a new id, with an empty directory"
        case .alreadyInUse(let location, let pid?):
            "\(location) is in use by process \(pid): stop that process first; two servers must never share a directory"
        case .alreadyInUse(let location, nil):
            "\(location) is in use by another process: stop it first; two servers must never share a directory"
        case .wrongCluster(let location, let found, let expected):
            "\(location) belongs to cluster \(found), not to \(expected): use another directory, "
                + "or start the server for the cluster the data belongs to"
        case .wrongNode(let location, let found, let expected):
            "\(location) belongs to server \(found), not to \(expected): give each server its own directory"
        case .unknownVersion(let file, let found, let supported):
            "\(file) is in format \(found), this build reads format \(supported): start the build that wrote it, "
                + "or remove this server from the cluster and add it again, under a new id, with an empty directory"
        case .corrupt(let corruption):
            "\(corruption). Acknowledged data may be lost on this server: keep the directory for repair, put an intact copy of it "
                + "back, or remove this server from the cluster and add it again, under a new id, with an empty directory; "
                + "never start an empty server under the same id"
        case .nobodyToRepairFrom(let corruption):
            "\(corruption). By what is left this is the only server of its cluster, so no other can repair it: keep the directory, and "
                + "put an intact copy of it back, or begin a new cluster in another directory; if there are others, remove this "
                + "server from the cluster and add it again, under a new id, with an empty directory"
        case .gap(let location, let first, let snapshot):
            "the log in \(location) begins at entry \(first), and "
                + (snapshot == .zero ? "there is no snapshot" : "the snapshot ends at \(snapshot)")
                + ": what lies between is missing. Put the missing files back, or remove this server from the cluster "
                + "and add it again, under a new id, with an empty directory"
        case .snapshotDamaged(let file, let offset):
            "\(file) is damaged at byte \(offset): put an intact copy back, or remove this server from the cluster "
                + "and add it again, under a new id, with an empty directory"
        case .diskFull(let error):
            "\(error): free some space; writes are refused until then and nothing acknowledged is lost"
        case .io(let error):
            "\(error): check the disk and the directory's permissions"
        case .failed(let error):
            "the log stopped after a failed write (\(error)): restart the server so that it verifies its data; "
                + "if it fails again, replace the disk"
        }
    }
}

extension Corruption: CustomStringConvertible {
    package var description: String {
        var text = "\(location)/\(file) at byte \(offset): "
        switch kind {
        case .segmentHeader: text += "the segment's header is damaged"
        case .batch: text += "a batch is damaged although later ones exist"
        case .missingSegment: text += "this segment is missing"
        case .mixedIdentities: text += "this segment was written under another identity than the first"
        case .discontinuity: text += "a batch does not continue the log before it"
        case .unknownEntryKind(let kind): text += "an entry is of kind \(kind), which this build does not know"
        }
        if let entries { text += "; it holds entries \(entries.lowerBound) to \(entries.upperBound)" }
        if !damaged.isEmpty { text += "; damaged: \(damaged.map(\.description).joined(separator: " "))" }
        return text
    }
}
