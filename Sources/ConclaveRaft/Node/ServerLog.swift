// How a server's log is opened, however the server is run.

package import RaftCore
package import RaftLog

extension WriteAheadLog {
    /// Opens the log of a server, or founds one on an empty disk, under an incarnation that it never had before (rule P28). A damaged one is
    /// quarantined: others can repair it (rule P34).
    ///
    /// - Throws: `LogError` for a log that cannot be used.
    package static func openServer(
        _ id: NodeID,
        of cluster: ClusterID,
        on disk: any Disk,
        options: Options = Options()
    ) throws(LogError) -> (log: WriteAheadLog, recovered: Recovered) {
        let identity = LogIdentity(cluster: cluster, node: id, incarnation: UInt64.random(in: .min ... .max))
        return try open(
            disk: disk,
            identity: identity,
            ifMissing: .create,
            ifDamaged: .quarantine,
            options: options
        )
    }
}

extension Recovered {
    /// What an operator should know of how the log was found, a line each; empty when all was well.
    package var notes: [String] {
        (tornTail.map { ["\($0)"] } ?? []) + corruptions.map { "\($0)" }
    }
}
