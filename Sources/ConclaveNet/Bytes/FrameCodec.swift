// Length-prefixed frames: u32 little endian length, then so many bytes of payload.

/// Finds the frames in a stream of bytes and writes them.
///
/// A pure value without state of its own: the bytes stay in the connection's `ByteQueue` and each call looks at the header
/// only, so that decoding is linear in the number of frames however the bytes arrive. The length is judged as soon as its
/// four bytes are there: a length above the bound is refused before any memory is taken for it, and memory is only ever
/// taken for bytes that have arrived. A frame without payload is refused: it could say nothing, and a stream of zeros, which
/// is common garbage, would be an endless row of valid frames.
package struct FrameCodec: Hashable, Sendable {
    /// How many bytes a frame's length takes.
    package static let headerSizeBytes = 4
    /// The bound when none is given: 64 MB.
    package static let defaultMaximumSizeBytes = 64 * 1024 * 1024

    /// The longest payload that is accepted or sent, in bytes.
    package let maximumSizeBytes: Int

    package init(maximumSizeBytes: Int = FrameCodec.defaultMaximumSizeBytes) {
        precondition(
            maximumSizeBytes > 0 && maximumSizeBytes <= Int(UInt32.max),
            "a frame's bound must be from 1 to 2^32 - 1 bytes"
        )
        self.maximumSizeBytes = maximumSizeBytes
    }

    /// The payload of the first frame, in place; nil if its bytes have not all arrived.
    ///
    /// - Throws: `FrameError` when what follows can be no frame. The stream cannot be trusted any further then.
    @inlinable package func firstFrame(in bytes: UnsafeRawBufferPointer) throws(FrameError) -> UnsafeRawBufferPointer? {
        guard bytes.count >= Self.headerSizeBytes else { return nil }
        let size = Int(UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)))
        guard size != 0 else { throw .empty }
        guard size <= maximumSizeBytes else { throw .tooLong(sizeBytes: size, maximumSizeBytes: maximumSizeBytes) }
        guard bytes.count - Self.headerSizeBytes >= size else { return nil }
        return UnsafeRawBufferPointer(rebasing: bytes[Self.headerSizeBytes..<(Self.headerSizeBytes + size)])
    }

    /// Hands each complete frame of `queue` to `body`, oldest first, and takes it out of the queue.
    ///
    /// The payload is the queue's own memory: `body` must copy what it wants to keep. Frames before a bad one are delivered.
    ///
    /// - Parameter limit: at most so many frames; the rest stays in the queue.
    /// - Returns: how many frames were handed out; `limit` means that there may be more.
    /// - Throws: `FrameError`, see `firstFrame(in:)`.
    @inlinable @discardableResult package func drain(
        _ queue: inout ByteQueue,
        limit: Int = .max,
        _ body: (UnsafeRawBufferPointer) -> Void
    ) throws(FrameError) -> Int {
        let bytes = queue.bytes
        var offset = 0
        var frames = 0
        defer { queue.removeFirst(offset) }
        while frames < limit {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
            guard let payload = try firstFrame(in: rest) else { break }
            body(payload)
            offset += Self.headerSizeBytes + payload.count
            frames += 1
        }
        return frames
    }

    /// Adds a frame to what waits to be sent. False: there is no room for it, nothing was added.
    @inlinable package func append(_ payload: [UInt8], to buffer: inout SendBuffer) -> Bool {
        append(sizeBytes: payload.count, to: &buffer) { memory in
            payload.withUnsafeBytes { memory.copyMemory(from: $0) }
        }
    }

    /// Adds a frame whose payload `encode` writes in place; it must fill all of the memory it is given.
    /// False: there is no room for it, `encode` was not called.
    @inlinable package func append(
        sizeBytes size: Int,
        to buffer: inout SendBuffer,
        _ encode: (UnsafeMutableRawBufferPointer) -> Void
    ) -> Bool {
        precondition(size > 0 && size <= maximumSizeBytes, "a frame must have from 1 to maximumSizeBytes bytes")
        return buffer.append(sizeBytes: Self.headerSizeBytes + size) { memory in
            memory.storeBytes(of: UInt32(truncatingIfNeeded: size).littleEndian, as: UInt32.self)
            encode(UnsafeMutableRawBufferPointer(rebasing: memory[Self.headerSizeBytes...]))
        }
    }
}

/// Why a stream of bytes is no row of frames.
package enum FrameError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A length above the bound.
    case tooLong(sizeBytes: Int, maximumSizeBytes: Int)
    /// A length of zero.
    case empty

    package var description: String {
        switch self {
        case .tooLong(let size, let maximum): "a frame of \(size) bytes is longer than the bound of \(maximum)"
        case .empty: "a frame without payload"
        }
    }
}
