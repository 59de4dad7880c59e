// Memory the log encodes into and reads through, kept and used again from batch to batch.

/// A growable block of bytes at a fixed address between growths.
///
/// SAFETY: `bytes` is allocated and released here only, and is valid while the object lives and has not grown. The users
/// (`WriteAheadLog`, `SegmentReader`, the snapshot files) keep the object for as long as they use a view of it.
final class RawStorage {
    private(set) var bytes: UnsafeMutableRawBufferPointer

    init(capacity: Int) {
        bytes = .allocate(byteCount: capacity, alignment: 16)
    }

    /// Zeros, to be written.
    convenience init(zeros count: Int) {
        self.init(capacity: count)
        _ = bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }

    deinit { bytes.deallocate() }

    /// Makes room for `count` bytes; what was in the storage is lost when it has to grow.
    func require(_ count: Int) {
        guard count > bytes.count else { return }
        bytes.deallocate()
        bytes = .allocate(byteCount: max(count, bytes.count * 2), alignment: 16)
    }

    /// Gives memory back after an unusually large use.
    func shrink(to count: Int) {
        guard bytes.count > count else { return }
        bytes.deallocate()
        bytes = .allocate(byteCount: count, alignment: 16)
    }
}

extension UnsafeRawBufferPointer {
    /// The little-endian integer at `offset`.
    @inline(__always)
    func integer<T: FixedWidthInteger>(at offset: Int, as type: T.Type = T.self) -> T {
        T(littleEndian: loadUnaligned(fromByteOffset: offset, as: T.self))
    }

    /// The bytes from `offset`, `count` long.
    @inline(__always)
    func part(_ offset: Int, _ count: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: self[offset..<offset + count])
    }
}

extension UnsafeMutableRawBufferPointer {
    /// Stores an integer little-endian at `offset`.
    @inline(__always)
    func store<T: FixedWidthInteger>(_ value: T, at offset: Int) {
        storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
    }
}
