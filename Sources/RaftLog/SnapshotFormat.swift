// The layout of a snapshot file.

package import RaftCore

/// A complete snapshot on a disk.
package struct SnapshotInfo: Hashable, Sendable {
    /// The last entry it stands for.
    package var position: LogPosition
    /// The whole file's length.
    package var sizeBytes: Int
    /// The trailer's checksum: two files with the same one are the same file.
    package var checksum: UInt32

    package init(position: LogPosition, sizeBytes: Int, checksum: UInt32) {
        self.position = position
        self.sizeBytes = sizeBytes
        self.checksum = checksum
    }

    /// The file's name.
    package var fileName: String { SnapshotFormat.fileName(position) }
}

/// A header, chunks, a trailer; all integers little-endian.
///
///     header: 0 magic "CONCLSNP"   16 cluster, 16 bytes   48 zero, 12 bytes
///             8 format, 4 bytes    32 index               60 crc32c of 0..<60
///            12 zero, 4 bytes      40 term
///     chunk:  0 kind, 4 bytes       8 number from 0        16 the bytes
///             4 length, 4 bytes    12 crc32c of 0..<12 and the bytes, seeded with the header's
///     trailer: 0 magic "CONCLEND"  32 configuration bytes  56 crc32c of all before the trailer
///             8 index              40 session bytes        60 crc32c of 0..<60, seeded with the header's
///            16 term               48 chunk count
///            24 state bytes
///
/// The header keeps its length, and its version and checksum their places, in all formats to come, so that an old build can tell
/// a newer format from damage.
///
/// Chunks of kind 1 hold the machine's state, then those of kind 2 the configuration, of kind 3 the client sessions. The seed
/// keeps a chunk of another snapshot from passing, the number one that went astray within it.
enum SnapshotFormat {
    static let headerMagic: UInt64 = 0x504e_534c_434e_4f43
    static let trailerMagic: UInt64 = 0x444e_454c_434e_4f43
    static let version: UInt32 = 1
    static let headerSizeBytes = 64
    static let chunkHeaderSizeBytes = 16
    static let trailerSizeBytes = 64
    /// The bytes of one chunk, except the last of a kind, which may have fewer.
    static let chunkSizeBytes = 256 << 10

    /// What a chunk is part of.
    enum Section: UInt32, CaseIterable {
        case state = 1
        case configuration = 2
        case sessions = 3
    }

    static func fileName(_ position: LogPosition) -> String {
        "snapshot-\(hexadecimal(position.index.rawValue))-\(hexadecimal(position.term.rawValue)).snap"
    }

    /// While it is being written here.
    static func temporaryName(_ position: LogPosition) -> String { fileName(position) + ".tmp" }

    /// While it is being received: none of `names`, since an earlier one of the same position may yet be adopted or discarded.
    static func receivedName(_ position: LogPosition, besides names: [String]) -> String {
        var name = fileName(position) + ".part"
        var number = 1
        while names.contains(name) {
            number += 1
            name = fileName(position) + ".part\(number)"
        }
        return name
    }

    /// The position in a file's name, with what follows it; nil for files that are no snapshots.
    static func parse(_ name: String) -> (position: LogPosition, suffix: Substring)? {
        guard name.utf8.count >= 47, name.hasPrefix("snapshot-") else { return nil }
        let numbers = name.dropFirst(9).prefix(33)
        guard let index = UInt64(numbers.prefix(16), radix: 16), let term = UInt64(numbers.suffix(16), radix: 16) else {
            return nil
        }
        let position = LogPosition(index: LogIndex(index), term: Term(term))
        let full = fileName(position)
        guard name.hasPrefix(full) else { return nil }
        return (position, name.dropFirst(full.count))
    }

    /// Fills in a header and returns its checksum.
    static func encodeHeader(
        _ position: LogPosition,
        _ cluster: ClusterID,
        into bytes: UnsafeMutableRawBufferPointer
    ) -> UInt32 {
        _ = bytes.initializeMemory(as: UInt8.self, repeating: 0)
        bytes.store(headerMagic, at: 0)
        bytes.store(version, at: 8)
        bytes.store(cluster.high, at: 16)
        bytes.store(cluster.low, at: 24)
        bytes.store(position.index.rawValue, at: 32)
        bytes.store(position.term.rawValue, at: 40)
        let checksum = CRC32C.checksum(UnsafeRawBufferPointer(bytes).part(0, 60))
        bytes.store(checksum, at: 60)
        return checksum
    }
}

/// What a snapshot's trailer says.
struct SnapshotTrailer: Hashable {
    var position: LogPosition
    /// How many bytes each section has.
    var stateBytes = 0
    var configurationBytes = 0
    var sessionsBytes = 0
    var chunkCount = 0
    /// Over all bytes before the trailer.
    var totalChecksum: UInt32 = 0

    /// Where each section begins, and where the trailer does.
    var offsets: (configuration: Int, sessions: Int, trailer: Int) {
        let configuration = SnapshotFormat.headerSizeBytes + Self.storedBytes(stateBytes)
        let sessions = configuration + Self.storedBytes(configurationBytes)
        return (configuration, sessions, sessions + Self.storedBytes(sessionsBytes))
    }

    /// A chunk, as the trailer's lengths say it is.
    struct Chunk: Hashable {
        var section: SnapshotFormat.Section
        /// Among all chunks, from 0.
        var number: Int
        /// Where its header is in the file.
        var offset: Int
        /// Without the header.
        var sizeBytes: Int

        var storedBytes: Int { SnapshotFormat.chunkHeaderSizeBytes + sizeBytes }
    }

    /// The chunk that the byte at `offset` of the file belongs to; nil: it is the header's or the trailer's.
    func chunk(at offset: Int) -> Chunk? {
        var start = SnapshotFormat.headerSizeBytes
        var number = 0
        for section in SnapshotFormat.Section.allCases {
            let end = start + Self.storedBytes(size(of: section))
            if (start..<end).contains(offset) {
                let place = (offset - start) / (SnapshotFormat.chunkHeaderSizeBytes + SnapshotFormat.chunkSizeBytes)
                let before = place * SnapshotFormat.chunkSizeBytes
                return Chunk(
                    section: section,
                    number: number + place,
                    offset: start + before + place * SnapshotFormat.chunkHeaderSizeBytes,
                    sizeBytes: min(size(of: section) - before, SnapshotFormat.chunkSizeBytes)
                )
            }
            start = end
            number += Self.chunkCount(size(of: section))
        }
        return nil
    }

    private func size(of section: SnapshotFormat.Section) -> Int {
        switch section {
        case .state: stateBytes
        case .configuration: configurationBytes
        case .sessions: sessionsBytes
        }
    }

    /// Into how many chunks a section of so many bytes goes.
    static func chunkCount(_ count: Int) -> Int {
        (count + SnapshotFormat.chunkSizeBytes - 1) / SnapshotFormat.chunkSizeBytes
    }

    /// What a section of so many bytes takes in the file.
    private static func storedBytes(_ count: Int) -> Int {
        count + chunkCount(count) * SnapshotFormat.chunkHeaderSizeBytes
    }

    func encode(into bytes: UnsafeMutableRawBufferPointer, seed: UInt32) -> UInt32 {
        bytes.store(SnapshotFormat.trailerMagic, at: 0)
        bytes.store(position.index.rawValue, at: 8)
        bytes.store(position.term.rawValue, at: 16)
        bytes.store(UInt64(stateBytes), at: 24)
        bytes.store(UInt64(configurationBytes), at: 32)
        bytes.store(UInt64(sessionsBytes), at: 40)
        bytes.store(UInt64(chunkCount), at: 48)
        bytes.store(totalChecksum, at: 56)
        let checksum = CRC32C.checksum(UnsafeRawBufferPointer(bytes).part(0, 60), continuing: seed)
        bytes.store(checksum, at: 60)
        return checksum
    }

    /// Nil unless its checksum holds and its lengths add up to the file's.
    init?(_ bytes: UnsafeRawBufferPointer, seed: UInt32, fileSizeBytes: Int) {
        guard bytes.count == SnapshotFormat.trailerSizeBytes,
            bytes.integer(at: 0, as: UInt64.self) == SnapshotFormat.trailerMagic,
            CRC32C.checksum(bytes.part(0, 60), continuing: seed) == bytes.integer(at: 60, as: UInt32.self)
        else { return nil }
        self.init(position: bytes.position(at: 8))
        let limit = UInt64(fileSizeBytes)
        let counts = (0..<4).map { bytes.integer(at: 24 + 8 * $0, as: UInt64.self) }
        guard counts.allSatisfy({ $0 <= limit }) else { return nil }
        stateBytes = Int(counts[0])
        configurationBytes = Int(counts[1])
        sessionsBytes = Int(counts[2])
        chunkCount = Int(counts[3])
        totalChecksum = bytes.integer(at: 56)
        guard offsets.trailer + SnapshotFormat.trailerSizeBytes == fileSizeBytes else { return nil }
    }

    init(position: LogPosition) { self.position = position }
}
