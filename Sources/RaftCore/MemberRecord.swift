// What a configuration says of a member besides its vote.

/// Where a member is found, and which data directory it is. Travels with the configuration through the log; the core carries it and
/// never looks at it.
package struct MemberRecord: Hashable, Sendable {
    /// Whose record it is.
    package let id: NodeID
    /// Where the other servers reach it, as `host:port`. Empty: not known yet. At most 255 bytes of UTF-8.
    package var peerAddress: String
    /// Where clients reach it, as `host:port`. Empty: not known yet. At most 255 bytes of UTF-8.
    package var clientAddress: String
    /// Drawn at random when its data directory was created (rule P28). Nil: not known yet.
    package var incarnation: UInt64?
    /// A learner that the leader is to promote as soon as it has caught up. Meaningless in a voter.
    package var isToBePromoted: Bool

    /// A record of `id`, of which only what is given is known.
    package init(
        _ id: NodeID,
        peerAddress: String = "",
        clientAddress: String = "",
        incarnation: UInt64? = nil,
        isToBePromoted: Bool = false
    ) {
        precondition(
            max(peerAddress.utf8.count, clientAddress.utf8.count) <= Self.maximumAddressBytes,
            "an address of \(id) is too long"
        )
        self.id = id
        self.peerAddress = peerAddress
        self.clientAddress = clientAddress
        self.incarnation = incarnation
        self.isToBePromoted = isToBePromoted
    }

    /// The longest address.
    package static let maximumAddressBytes = 255
}

// MARK: - Bytes

extension MemberRecord {
    /// Little endian: id (8), flags (1: 1 incarnation known, 2 to be promoted), incarnation (8), then for the peer's and the client's
    /// address its size (1) and its bytes.
    package func encode(into bytes: inout [UInt8]) {
        withUnsafeBytes(of: id.rawValue.littleEndian) { bytes.append(contentsOf: $0) }
        bytes.append((incarnation == nil ? 0 : 1) | (isToBePromoted ? 2 : 0))
        withUnsafeBytes(of: (incarnation ?? 0).littleEndian) { bytes.append(contentsOf: $0) }
        for address in [peerAddress, clientAddress] {
            bytes.append(UInt8(address.utf8.count))
            bytes.append(contentsOf: address.utf8)
        }
    }

    /// Reads a record from the front of `bytes` and takes it away; nil for what `encode` did not write.
    package init?(takingFrom bytes: inout ArraySlice<UInt8>) {
        guard bytes.count >= 19 else { return nil }
        func word(_ offset: Int) -> UInt64 {
            (0..<8).reduce(0) { $0 | UInt64(bytes[bytes.startIndex + offset + $1]) << (8 * UInt64($1)) }
        }
        let flags = bytes[bytes.startIndex + 8]
        let (id, incarnation) = (NodeID(word(0)), word(9))
        guard flags <= 3, flags & 1 == 1 || incarnation == 0 else { return nil }
        bytes = bytes.dropFirst(17)
        guard let peer = Self.takeAddress(&bytes), let client = Self.takeAddress(&bytes) else { return nil }
        self.init(
            id,
            peerAddress: peer,
            clientAddress: client,
            incarnation: flags & 1 == 1 ? incarnation : nil,
            isToBePromoted: flags & 2 == 2
        )
    }

    private static func takeAddress(_ bytes: inout ArraySlice<UInt8>) -> String? {
        guard let size = bytes.first, bytes.count > Int(size) else { return nil }
        defer { bytes = bytes.dropFirst(1 + Int(size)) }
        return String(validating: bytes.dropFirst().prefix(Int(size)), as: UTF8.self)
    }
}
