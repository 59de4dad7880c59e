// Whose log this is: checked before a single entry is believed.

package import RaftCore

/// The 128-bit name of a cluster, drawn at random when the cluster is founded.
package struct ClusterID: Hashable, Sendable, CustomStringConvertible {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// 32 hexadecimal digits.
    package var description: String { hexadecimal(high) + hexadecimal(low) }
}

/// What every segment's header says about its owner.
package struct LogIdentity: Hashable, Sendable {
    package var cluster: ClusterID
    package var node: NodeID
    /// Drawn at random when the data directory is created, so that a server whose disk was wiped cannot pass for the
    /// one that acknowledged entries under the same node id (raft-rules P28).
    package var incarnation: UInt64

    package init(cluster: ClusterID, node: NodeID, incarnation: UInt64) {
        self.cluster = cluster
        self.node = node
        self.incarnation = incarnation
    }
}

/// 16 lower-case hexadecimal digits.
func hexadecimal(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}
