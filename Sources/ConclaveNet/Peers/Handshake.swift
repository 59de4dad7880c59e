// The first bytes of a peer connection, in both directions: who I am, and whether I want to talk to you.

/// A server's number on the wire.
package struct PeerID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
    package init(_ value: UInt64) { self.init(rawValue: value) }
    package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
    package var description: String { "n\(rawValue)" }
}

/// The times of a server that leases rest on: what one server grants, the others must keep.
package struct LeaseTiming: Hashable, Sendable {
    package var tickNanoseconds: UInt64
    package var heartbeatNanoseconds: UInt64
    /// The shortest election timeout.
    package var electionNanoseconds: UInt64
    /// How far clocks may drift apart, from 1; 0: this server grants no leases.
    package var driftPercent: UInt64

    package init(
        tickNanoseconds: UInt64,
        heartbeatNanoseconds: UInt64,
        electionNanoseconds: UInt64,
        driftPercent: UInt64
    ) {
        self.tickNanoseconds = tickNanoseconds
        self.heartbeatNanoseconds = heartbeatNanoseconds
        self.electionNanoseconds = electionNanoseconds
        self.driftPercent = driftPercent
    }

    /// Of a server that grants no leases. Two such servers may differ in all else.
    package static let none = LeaseTiming(
        tickNanoseconds: 0,
        heartbeatNanoseconds: 0,
        electionNanoseconds: 0,
        driftPercent: 0
    )

    /// Whether two servers may be in one cluster.
    package func agrees(with other: LeaseTiming) -> Bool {
        driftPercent == 0 && other.driftPercent == 0 || self == other
    }
}

/// What each side of a peer connection says first.
///
/// 80 bytes, integers little endian: magic (8), protocol version (2), verdict (2), zero (4), cluster (its high 8
/// bytes, then its low 8), node (8), incarnation (8), tick, heartbeat and shortest election timeout in nanoseconds (8 each), drift of
/// clocks in percent (8).
/// The connecting side speaks first with verdict 0. The accepting side answers with its own, and with the reason as the verdict
/// if it refuses; then it closes. If the connecting side does not like the answer, it says so with a second handshake, and closes.
package struct Handshake: Hashable, Sendable {
    /// The size on the wire.
    package static let sizeBytes = 80
    /// "CONCLAVE", the first bytes of a peer connection.
    static let magic: UInt64 = 0x4556_414C_434E_4F43
    /// The version of the peer protocol this build speaks. Only equal versions talk to each other.
    package static let protocolVersion: UInt16 = 3

    package var version: UInt16
    /// The cluster's identity: 128 bits drawn when it was founded, so that servers of two clusters never talk to each other.
    package var cluster: UInt128
    /// The server that speaks.
    package var node: PeerID
    /// Drawn at random when the server's data was created: a server that lost its data and came back under its old number
    /// shows another one (rule P28).
    package var incarnation: UInt64
    /// What the servers of a cluster with leases must have in common.
    package var timing: LeaseTiming
    /// Why the sender refuses the connection; nil if it does not.
    package var refusal: Refusal?

    package init(
        cluster: UInt128,
        node: PeerID,
        incarnation: UInt64,
        timing: LeaseTiming = .none,
        version: UInt16 = Handshake.protocolVersion,
        refusal: Refusal? = nil
    ) {
        self.version = version
        self.cluster = cluster
        self.node = node
        self.incarnation = incarnation
        self.timing = timing
        self.refusal = refusal
    }
}

// MARK: - Refusing

extension Handshake {
    /// Why two servers do not talk. The raw value is the verdict on the wire.
    package enum Refusal: UInt16, Error, Sendable, CaseIterable {
        /// What arrived is no handshake: another program speaks.
        case badMagic = 1
        /// The other build speaks another version of the protocol.
        case version = 2
        case wrongCluster = 3
        /// We connected to one server and another one answered.
        case wrongNode = 4
        /// The server is no member of this cluster's configuration.
        case unknownNode = 5
        /// A known server shows another incarnation than before: its data was lost or replaced.
        case incarnation = 6
        /// One of the two grants leases, and their times differ.
        case timing = 7
        /// The other side refuses for a reason this build does not know.
        case other = 0xFFFF
    }

    /// What one side demands of the other's handshake.
    package struct Expectation: Sendable {
        package var cluster: UInt128
        /// Who may speak.
        package var nodes: Nodes
        /// Our own, that the other's must agree with.
        package var timing: LeaseTiming

        package enum Nodes: Sendable {
            /// The one we connected to.
            case exactly(PeerID)
            /// Any of the configuration.
            case anyOf(Set<PeerID>)
            /// Any but ourselves: who belongs to the cluster is decided elsewhere.
            case anyBut(PeerID)
        }

        package init(cluster: UInt128, nodes: Nodes, timing: LeaseTiming = .none) {
            self.cluster = cluster
            self.nodes = nodes
            self.timing = timing
        }

        /// What a server that says this of itself demands of `nodes`.
        init(of own: Handshake, nodes: Nodes) {
            self.init(cluster: own.cluster, nodes: nodes, timing: own.timing)
        }

        /// The first reason to refuse `handshake`; nil if there is none.
        package func refusal(of handshake: Handshake) -> Refusal? {
            if handshake.version != Handshake.protocolVersion { return .version }
            if handshake.cluster != cluster { return .wrongCluster }
            if let refusal = refusal(of: handshake.node) { return refusal }
            return timing.agrees(with: handshake.timing) ? nil : .timing
        }

        private func refusal(of node: PeerID) -> Refusal? {
            switch nodes {
            case .exactly(let expected): node == expected ? nil : .wrongNode
            case .anyOf(let nodes): nodes.contains(node) ? nil : .unknownNode
            case .anyBut(let other): node == other ? .wrongNode : nil
            }
        }
    }
}

extension Handshake.Refusal: CustomStringConvertible {
    package var description: String {
        switch self {
        case .badMagic: "no handshake of a Conclave server: does another program use this port?"
        case .version: "another version of the peer protocol: run the same build on all servers"
        case .wrongCluster: "another cluster: the data directory or the address belongs to a different cluster"
        case .wrongNode: "another server than expected answers at this address: check the addresses of the servers"
        case .unknownNode: "the server is no member of this cluster"
        case .incarnation:
            "this number belonged to another data directory: if that is lost, remove the server and add it again"
        case .timing:
            "reads under a lease need the same drift of clocks and the same heartbeat on all servers, and these differ"
        case .other: "refused for a reason this build does not know: run the same build on all servers"
        }
    }
}

// MARK: - Bytes

extension Handshake {
    /// Whether `bytes` begin with a handshake's first four bytes, which as the length of a frame would be over a gigabyte.
    static func begins(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count >= 4
            && UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)) == UInt32(truncatingIfNeeded: magic)
    }

    package func encode() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.sizeBytes)
        bytes.withUnsafeMutableBytes { memory in
            memory.storeBytes(of: Self.magic.littleEndian, toByteOffset: 0, as: UInt64.self)
            memory.storeBytes(of: version.littleEndian, toByteOffset: 8, as: UInt16.self)
            memory.storeBytes(of: (refusal?.rawValue ?? 0).littleEndian, toByteOffset: 10, as: UInt16.self)
            memory.storeBytes(of: UInt64(cluster >> 64).littleEndian, toByteOffset: 16, as: UInt64.self)
            memory.storeBytes(of: UInt64(truncatingIfNeeded: cluster).littleEndian, toByteOffset: 24, as: UInt64.self)
            memory.storeBytes(of: node.rawValue.littleEndian, toByteOffset: 32, as: UInt64.self)
            memory.storeBytes(of: incarnation.littleEndian, toByteOffset: 40, as: UInt64.self)
            memory.storeBytes(of: timing.tickNanoseconds.littleEndian, toByteOffset: 48, as: UInt64.self)
            memory.storeBytes(of: timing.heartbeatNanoseconds.littleEndian, toByteOffset: 56, as: UInt64.self)
            memory.storeBytes(of: timing.electionNanoseconds.littleEndian, toByteOffset: 64, as: UInt64.self)
            memory.storeBytes(of: timing.driftPercent.littleEndian, toByteOffset: 72, as: UInt64.self)
        }
        return bytes
    }

    /// The handshake at the front of `bytes`; nil if it has not all arrived.
    ///
    /// - Throws: `.badMagic` as soon as the bytes cannot become a handshake, be it after the first one; `.version` when the
    ///   version is another one, for then the rest may mean something else.
    package static func decode(_ bytes: UnsafeRawBufferPointer) throws(Refusal) -> Handshake? {
        let start = min(bytes.count, 8)
        for position in 0..<start where bytes[position] != UInt8(truncatingIfNeeded: magic >> (8 * UInt64(position))) {
            throw .badMagic
        }
        guard bytes.count >= 10 else { return nil }
        let version = UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt16.self))
        guard version == protocolVersion else { throw .version }
        guard bytes.count >= sizeBytes else { return nil }
        func word(_ offset: Int) -> UInt64 {
            UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        }
        let verdict = UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 10, as: UInt16.self))
        return Handshake(
            cluster: UInt128(word(16)) << 64 | UInt128(word(24)),
            node: PeerID(word(32)),
            incarnation: word(40),
            timing: LeaseTiming(
                tickNanoseconds: word(48),
                heartbeatNanoseconds: word(56),
                electionNanoseconds: word(64),
                driftPercent: word(72)
            ),
            version: version,
            refusal: verdict == 0 ? nil : Refusal(rawValue: verdict) ?? .other
        )
    }
}
