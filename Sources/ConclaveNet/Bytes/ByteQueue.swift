// A queue of bytes in one piece of memory: bytes come in at the tail and leave at the head. Received and outgoing bytes
// both wait in one.

/// A contiguous first-in first-out queue of bytes.
///
/// Taking bytes away only moves the head; what is left moves to the front at most once for each time the memory fills up, so
/// that every byte is moved a bounded number of times however small the pieces are. An emptied queue keeps its memory for
/// the next bytes; what a rare large frame had needed is given back.
package struct ByteQueue: ~Copyable {
    /// An empty queue that has needed no more than this for a while keeps at most so many bytes of memory.
    static let idleCapacity = 64 * 1024
    /// An empty queue never keeps more bytes of memory than this.
    static let busyCapacity = 1024 * 1024
    /// How many times in a row the queue must have been emptied of little before it gives memory back.
    static let idleRounds = 16
    /// The size of the first allocation, in bytes.
    @usableFromInline static let initialCapacity = 4 * 1024

    // SAFETY: `base` points to `capacity` bytes that only this value owns, or `capacity` is zero and it is nil;
    // the bytes from `head` to `tail` are initialised. Invariant: 0 <= head <= tail <= capacity.
    @usableFromInline var base: UnsafeMutableRawPointer?
    @usableFromInline var capacity = 0
    @usableFromInline var head = 0
    @usableFromInline var tail = 0
    /// How many times in a row the queue was emptied without having filled `idleCapacity`.
    private var smallRounds = 0

    package init() {}

    deinit { base?.deallocate() }

    /// How many bytes wait.
    @inlinable package var count: Int { tail - head }
    @inlinable package var isEmpty: Bool { tail == head }
    /// How much memory the queue holds, in bytes.
    package var allocatedBytes: Int { capacity }

    /// The waiting bytes, oldest first. Valid until the queue is changed.
    @inlinable package var bytes: UnsafeRawBufferPointer {
        // SAFETY: within the invariant of `base`; callers do not keep the pointer over a mutation, as the comment demands.
        UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(start: base, count: tail)[head...])
    }

    /// The free memory behind the waiting bytes, at least `minimum` bytes. Write into its front, then `commit`.
    @inlinable package mutating func spare(_ minimum: Int) -> UnsafeMutableRawBufferPointer {
        if capacity - tail < minimum { makeRoom(minimum) }
        // SAFETY: within the invariant of `base`; the pointer is used before the next mutation.
        return UnsafeMutableRawBufferPointer(
            rebasing: UnsafeMutableRawBufferPointer(start: base, count: capacity)[tail...]
        )
    }

    /// Makes the first `count` bytes of what `spare` returned part of the queue.
    @inlinable package mutating func commit(_ count: Int) {
        assert(count >= 0 && tail + count <= capacity, "committed more than there was room for")
        tail += count
    }

    /// Takes the oldest `count` bytes away.
    @inlinable package mutating func removeFirst(_ count: Int) {
        precondition(count >= 0 && count <= tail - head, "more bytes taken than there are")
        head += count
        if head == tail { becameEmpty() }
    }

    @inlinable package mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard !bytes.isEmpty else { return }
        spare(bytes.count).copyMemory(from: bytes)
        tail += bytes.count
    }

    @inlinable package mutating func append(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { append($0) }
    }

    @inlinable package mutating func append(_ byte: UInt8) {
        spare(1)[0] = byte
        tail += 1
    }

    @inlinable package mutating func append(_ text: StaticString) {
        // SAFETY: a static string's bytes live as long as the program.
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Forgets all waiting bytes.
    package mutating func removeAll() {
        head = tail
        becameEmpty()
    }

    @usableFromInline mutating func becameEmpty() {
        smallRounds = tail <= Self.idleCapacity ? smallRounds + 1 : 0
        head = 0
        tail = 0
        guard capacity > Self.idleCapacity else { return }
        if capacity > Self.busyCapacity || smallRounds >= Self.idleRounds {
            base?.deallocate()
            base = nil
            capacity = 0
        }
    }

    /// Moves the waiting bytes to the front, into larger memory if even that leaves too little room.
    @usableFromInline mutating func makeRoom(_ minimum: Int) {
        let waiting = tail - head
        // Moving within the same memory only when it frees at least half keeps the cost per byte constant.
        if let base, capacity - waiting >= minimum, waiting <= capacity / 2 {
            base.copyMemory(from: base + head, byteCount: waiting)
        } else {
            var larger = max(capacity * 2, Self.initialCapacity)
            while larger - waiting < minimum { larger *= 2 }
            let memory = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 16)
            if let base {
                memory.copyMemory(from: base + head, byteCount: waiting)
                base.deallocate()
            }
            base = memory
            capacity = larger
        }
        head = 0
        tail = waiting
    }
}
