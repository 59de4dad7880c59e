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

    /// From a number of 128 bits.
    package init(_ number: UInt128) {
        self.init(high: UInt64(truncatingIfNeeded: number >> 64), low: UInt64(truncatingIfNeeded: number))
    }

    /// - Returns: nil unless the text is exactly 32 hexadecimal digits.
    package init?(hex: String) {
        guard hex.utf8.count == 32, hex.utf8.allSatisfy(isHexadecimal), let number = UInt128(hex, radix: 16) else {
            return nil
        }
        self.init(number)
    }

    /// As a number, for those who only compare it.
    package var number: UInt128 { UInt128(high) << 64 | UInt128(low) }

    /// 32 lower-case hexadecimal digits.
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

/// An ASCII digit, or a letter from a to f.
private func isHexadecimal(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
        UInt8(ascii: "A")...UInt8(ascii: "F"):
        true
    default: false
    }
}

/// 16 lower-case hexadecimal digits.
func hexadecimal(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}
