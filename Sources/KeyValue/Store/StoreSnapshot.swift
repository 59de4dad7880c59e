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
        var piece = piece
        if !hasVersion {
            guard let version = piece.first else { return }
            guard version == StoreSnapshotFormat.version else { throw .unknownVersion(version) }
            hasVersion = true
            piece = UnsafeRawBufferPointer(rebasing: piece.dropFirst())
        }
        // Only the pair that a cut goes through is copied together.
        while !rest.isEmpty {
            let missing = Self.missingBytes(rest)
            rest.append(contentsOf: piece.prefix(missing))
            piece = UnsafeRawBufferPointer(rebasing: piece.dropFirst(missing))
            guard Self.missingBytes(rest) == 0 else {
                if piece.isEmpty { return }
                continue
            }
            let whole = rest
            rest = []
            _ = whole.withUnsafeBytes { takePairs($0) }
        }
        let taken = takePairs(piece)
        rest.append(contentsOf: piece.dropFirst(taken))
    }

    consuming func finish() throws(StoreSnapshotError) -> KeyValueStore {
        guard hasVersion, rest.isEmpty else { throw .truncated }
        return store
    }

    /// How many bytes are missing of the pair that begins here, as far as its beginning says.
    private static func missingBytes(_ pair: [UInt8]) -> Int {
        guard pair.count >= StoreSnapshotFormat.pairHeaderSizeBytes else {
            return StoreSnapshotFormat.pairHeaderSizeBytes - pair.count
        }
        return pair.withUnsafeBytes { max(0, sizeBytes(ofPair: $0, at: 0).pair - $0.count) }
    }

    /// Puts the whole pairs at the beginning into the store; returns how many bytes they take.
    private mutating func takePairs(_ bytes: UnsafeRawBufferPointer) -> Int {
        var position = 0
        while bytes.count - position >= StoreSnapshotFormat.pairHeaderSizeBytes {
            let size = Self.sizeBytes(ofPair: bytes, at: position)
            guard bytes.count - position >= size.pair else { break }
            let key = position + StoreSnapshotFormat.pairHeaderSizeBytes
            let value = key + size.key
            position += size.pair
            store.put(
                UnsafeRawBufferPointer(rebasing: bytes[key..<value]),
                UnsafeRawBufferPointer(rebasing: bytes[value..<position])
            )
        }
        return position
    }

    /// What the header of a pair says: of its key, and of all together.
    private static func sizeBytes(ofPair bytes: UnsafeRawBufferPointer, at position: Int) -> (key: Int, pair: Int) {
        let key = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self)))
        let value = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: position + 4, as: UInt32.self)))
        return (key, StoreSnapshotFormat.pairHeaderSizeBytes + key + value)
    }
}
