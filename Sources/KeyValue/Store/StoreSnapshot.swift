// The store as a stream of bytes, and back.

/// Why a stream is no snapshot of a store.
package enum StoreSnapshotError: Error, Hashable {
    /// Ends within a pair.
    case truncated
    /// Written by another version of the format.
    case unknownVersion(UInt8)
}

/// The format: a version byte, then for each pair the lengths of key and value in four bytes each, little endian, and their bytes.
/// The order of the pairs means nothing and differs from server to server.
enum StoreSnapshotFormat {
    static let version: UInt8 = 1
    static let pairHeaderSizeBytes = 8
    /// Pairs are gathered to pieces of about this size.
    static let pieceSizeBytes = 64 << 10
}

extension KeyValueStore {
    func writeSnapshot(_ write: (UnsafeRawBufferPointer) throws -> Void) throws {
        var piece = [StoreSnapshotFormat.version]
        piece.reserveCapacity(StoreSnapshotFormat.pieceSizeBytes * 2)
        try forEachPair { key, value in
            for count in [key.count, value.count] {
                withUnsafeBytes(of: UInt32(count).littleEndian) { piece.append(contentsOf: $0) }
            }
            piece.append(contentsOf: key)
            piece.append(contentsOf: value)
            guard piece.count >= StoreSnapshotFormat.pieceSizeBytes else { return }
            try piece.withUnsafeBytes(write)
            piece.removeAll(keepingCapacity: true)
        }
        if !piece.isEmpty { try piece.withUnsafeBytes(write) }
    }
}

/// Reads a store from pieces that are cut anywhere.
struct StoreSnapshotReader {
    private var store = KeyValueStore()
    /// What is not a whole pair yet.
    private var rest: [UInt8] = []
    private var hasVersion = false

    mutating func take(_ piece: UnsafeRawBufferPointer) throws(StoreSnapshotError) {
        rest.append(contentsOf: piece)
        var position = 0
        if !hasVersion {
            guard let version = rest.first else { return }
            guard version == StoreSnapshotFormat.version else { throw .unknownVersion(version) }
            hasVersion = true
            position = 1
        }
        while let pair = pair(at: position) {
            store.put(rest[pair.key], rest[pair.value])
            position = pair.value.upperBound
        }
        rest.removeFirst(position)
    }

    consuming func finish() throws(StoreSnapshotError) -> KeyValueStore {
        guard hasVersion, rest.isEmpty else { throw .truncated }
        return store
    }

    private func pair(at position: Int) -> (key: Range<Int>, value: Range<Int>)? {
        guard rest.count - position >= StoreSnapshotFormat.pairHeaderSizeBytes else { return nil }
        let (keyCount, valueCount) = rest.withUnsafeBytes { raw in
            (
                Int(UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: position, as: UInt32.self))),
                Int(UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: position + 4, as: UInt32.self)))
            )
        }
        let start = position + StoreSnapshotFormat.pairHeaderSizeBytes
        guard rest.count - start >= keyCount + valueCount else { return nil }
        return (start..<start + keyCount, start + keyCount..<start + keyCount + valueCount)
    }
}
