// What waits to be written to a socket: many small pieces become one system call.

/// The outgoing bytes of one connection, bounded.
///
/// At the bound a piece is refused as a whole, never cut: what is in the buffer always ends where a frame or a reply ends. The
/// one who appends decides what a refusal means: a peer link drops the frame and counts it, a client connection is closed.
package struct SendBuffer: ~Copyable {
    /// How many bytes may wait.
    package let limitBytes: Int
    @usableFromInline var queue = ByteQueue()

    /// - Parameter limitBytes: how many bytes may wait; default 64 MB and a frame header, so that the largest frame fits.
    package init(limitBytes: Int = FrameCodec.defaultMaximumSizeBytes + FrameCodec.headerSizeBytes) {
        precondition(limitBytes > 0, "a send buffer needs room for at least one byte")
        self.limitBytes = limitBytes
    }

    /// How many bytes wait.
    @inlinable package var count: Int { queue.count }
    @inlinable package var isEmpty: Bool { queue.isEmpty }
    /// How much memory the buffer holds, in bytes.
    package var allocatedBytes: Int { queue.allocatedBytes }

    /// The waiting bytes, oldest first. Valid until the buffer is changed.
    @inlinable package var bytes: UnsafeRawBufferPointer { queue.bytes }

    @inlinable func hasRoom(for size: Int) -> Bool { size <= limitBytes - queue.count }

    /// Adds bytes behind those that wait. False: there is no room, nothing was added.
    @inlinable package mutating func append(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard hasRoom(for: bytes.count) else { return false }
        queue.append(bytes)
        return true
    }

    /// Adds bytes behind those that wait. False: there is no room, nothing was added.
    @inlinable package mutating func append(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { append($0) }
    }

    /// Adds text behind the bytes that wait. False: there is no room, nothing was added.
    @inlinable package mutating func append(_ text: StaticString) -> Bool {
        guard hasRoom(for: text.utf8CodeUnitCount) else { return false }
        queue.append(text)
        return true
    }

    /// Adds what `encode` writes into memory of `size` bytes. It must fill all of it. False: no room, `encode` was not called.
    @inlinable package mutating func append(
        sizeBytes size: Int,
        _ encode: (UnsafeMutableRawBufferPointer) -> Void
    ) -> Bool {
        guard hasRoom(for: size) else { return false }
        encode(UnsafeMutableRawBufferPointer(rebasing: queue.spare(size)[..<size]))
        queue.commit(size)
        return true
    }

    /// Forgets all waiting bytes.
    package mutating func removeAll() { queue.removeAll() }

    /// What an attempt to write ended with.
    package enum Flush: Equatable, Sendable {
        /// Nothing waits any more.
        case drained
        /// The kernel takes no more now; flush again when the socket is writable.
        case pending
        /// The connection is lost; the bytes stay.
        case failed(SocketError)
    }

    /// Writes until nothing waits or the kernel takes no more: one system call unless the kernel's buffer is nearly full.
    package mutating func flush(to socket: Socket) -> Flush {
        while !queue.isEmpty {
            switch socket.send(queue.bytes) {
            case .bytes(let count): queue.removeFirst(count)
            case .wouldBlock: return .pending
            case .endOfStream: preconditionFailure("sending has no end of stream")
            case .failed(let error): return .failed(error)
            }
        }
        return .drained
    }
}
