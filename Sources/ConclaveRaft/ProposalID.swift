// How a server recognises its own commands when they come out of the log.

/// Names a command across servers and restarts. Written in front of the command in its log entry.
package struct ProposalID: Hashable, Sendable {
    /// Drawn at random when the proposing process started, so that a restarted server does not take an old command for a new one.
    package var process: UInt64
    /// Counts the process's proposals from 1.
    package var sequence: UInt64

    package init(process: UInt64, sequence: UInt64) {
        self.process = process
        self.sequence = sequence
    }

    /// Bytes in front of each command: both numbers, little endian.
    package static let sizeBytes = 16

    /// The payload of a command's log entry.
    func payload(_ command: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: Self.sizeBytes + command.count) { buffer, count in
            let raw = UnsafeMutableRawBufferPointer(buffer)
            raw.storeBytes(of: process.littleEndian, toByteOffset: 0, as: UInt64.self)
            raw.storeBytes(of: sequence.littleEndian, toByteOffset: 8, as: UInt64.self)
            command.withUnsafeBytes {
                UnsafeMutableRawBufferPointer(rebasing: raw[Self.sizeBytes...]).copyMemory(from: $0)
            }
            count = Self.sizeBytes + command.count
        }
    }

    /// Nil if the payload is too short to be a command's.
    init?(payload: [UInt8]) {
        guard payload.count >= Self.sizeBytes else { return nil }
        (process, sequence) = payload.withUnsafeBytes { raw in
            (
                UInt64(littleEndian: raw.loadUnaligned(as: UInt64.self)),
                UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            )
        }
    }
}
