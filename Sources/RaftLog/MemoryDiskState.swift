// The pure part of `MemoryDisk`: files, names, and what of both is durable.

extension DiskError.Cause: Error {
    /// What a call on a handle from before a crash gets.
    static let staleHandle = Self.system(code: 9, message: "Bad file descriptor")
}

/// A file's bytes; those beyond `bytes` and below `sizeBytes` are zero.
struct MemoryContent: Sendable {
    var bytes: [UInt8] = []
    var sizeBytes = 0

    mutating func resize(to size: Int) {
        sizeBytes = size
        if bytes.count > size { bytes.removeLast(bytes.count - size) }
    }

    mutating func write(at offset: Int, _ source: UnsafeRawBufferPointer) {
        let end = offset + source.count
        sizeBytes = max(sizeBytes, end)
        let count = Self.countWithoutZerosAtEnd(source)
        let stored = count == 0 ? 0 : offset + count
        if bytes.count < stored { bytes += [UInt8](repeating: 0, count: stored - bytes.count) }
        let kept = min(bytes.count, end) - offset
        guard kept > 0, let start = source.baseAddress else { return }
        bytes.withUnsafeMutableBytes { ($0.baseAddress! + offset).copyMemory(from: start, byteCount: kept) }
    }

    /// Word by word: this is where simulated disks spend their time.
    private static func countWithoutZerosAtEnd(_ source: UnsafeRawBufferPointer) -> Int {
        var count = source.count
        while count >= 8, source.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self) == 0 { count -= 8 }
        while count > 0, source[count - 1] == 0 { count -= 1 }
        return count
    }

    func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = max(0, min(buffer.count, sizeBytes - offset))
        let stored = max(0, min(count, bytes.count - offset))
        bytes.withUnsafeBytes { source in
            if stored > 0 {
                buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[offset..<offset + stored]))
            }
        }
        if count > stored {
            _ = UnsafeMutableRawBufferPointer(rebasing: buffer[stored..<count]).initializeMemory(
                as: UInt8.self,
                repeating: 0
            )
        }
        return count
    }

    mutating func flipBit(byte: Int, bit: Int) {
        precondition(byte < sizeBytes, "byte \(byte) of \(sizeBytes)")
        if bytes.count <= byte { bytes += [UInt8](repeating: 0, count: byte + 1 - bytes.count) }
        bytes[byte] ^= 1 << UInt8(bit)
    }
}

/// A file apart from its names.
struct MemoryInode: Sendable {
    /// Something done to the file since it was last synced.
    enum Change: Sendable {
        case resize(Int)
        /// Whole sectors from `offset` on, as they were seen after the write; the last may be cut by the file's end.
        case sectors(offset: Int, [UInt8])
    }

    var durable = MemoryContent()
    var current = MemoryContent()
    var unsynced: [Change] = []

    var unsyncedUnitCount: Int {
        unsynced.reduce(0) { sum, change in
            switch change {
            case .resize: sum + 1
            case .sectors(_, let bytes):
                sum + (bytes.count + MemoryDisk.sectorSizeBytes - 1) / MemoryDisk.sectorSizeBytes
            }
        }
    }

    mutating func resize(to size: Int) {
        current.resize(to: size)
        unsynced.append(.resize(size))
    }

    mutating func write(at offset: Int, _ source: UnsafeRawBufferPointer) {
        guard !source.isEmpty else { return }
        current.write(at: offset, source)
        let sector = MemoryDisk.sectorSizeBytes
        let start = offset / sector * sector
        let end = min((offset + source.count + sector - 1) / sector * sector, current.sizeBytes)
        var image = [UInt8](repeating: 0, count: end - start)
        image.withUnsafeMutableBytes { _ = current.read(at: start, into: $0) }
        unsynced.append(.sectors(offset: start, image))
    }

    /// Moves what `keep` lets through to the durable side, in order, and forgets the rest.
    mutating func apply(_ keep: () -> Bool) {
        for change in unsynced {
            switch change {
            case .resize(let size):
                if keep() { durable.resize(to: size) }
            case .sectors(let offset, let bytes):
                for start in stride(from: 0, to: bytes.count, by: MemoryDisk.sectorSizeBytes) where keep() {
                    let end = min(start + MemoryDisk.sectorSizeBytes, bytes.count)
                    bytes.withUnsafeBytes { durable.write(at: offset + start, $0.part(start, end - start)) }
                }
            }
        }
        unsynced = []
    }
}

/// Everything a `MemoryDisk` holds.
struct MemoryDiskState: Sendable {
    /// A change of the directory since it was last synced.
    enum NameChange: Sendable {
        case link(String, Int)
        case unlink(String)
        case rename(String, String, Int)
    }

    var inodes: [Int: MemoryInode] = [:]
    var names: [String: Int] = [:]
    var durableNames: [String: Int] = [:]
    var unsyncedNames: [NameChange] = []
    /// Open files; nil for the lock, which has no content.
    var handles: [Int32: Int?] = [:]
    var lockHolder: DiskFile?
    var nextInode = 1
    /// Never used twice, so that a handle from before a crash stays invalid.
    var nextHandle: Int32 = 1
    var operationCount = 0
    var faults: MemoryDisk.FaultRule?
    var powerCutAt: Int?

    mutating func makeHandle(inode: Int?, name: String) -> DiskFile {
        defer { nextHandle += 1 }
        handles[nextHandle] = .some(inode)
        return DiskFile(number: nextHandle, name: name)
    }

    mutating func onInode<Result>(
        of file: DiskFile,
        _ body: (inout MemoryInode) -> Result
    ) throws(DiskError.Cause) -> Result {
        guard let number = handles[file.number], let number, inodes[number] != nil else { throw .staleHandle }
        return body(&inodes[number]!)
    }

    mutating func changeNames(_ change: NameChange) {
        Self.apply(change, to: &names)
        unsyncedNames.append(change)
    }

    /// Moves the changes of names that `keep` lets through to the durable side and forgets the rest.
    mutating func applyNames(_ keep: () -> Bool) {
        for change in unsyncedNames where keep() { Self.apply(change, to: &durableNames) }
        unsyncedNames = []
    }

    /// What is seen after a power cut: the durable side only.
    mutating func restart() {
        names = durableNames
        let reachable = Set(names.values)
        inodes = inodes.filter { reachable.contains($0.key) }
        inodes = inodes.mapValues { MemoryInode(durable: $0.durable, current: $0.durable) }
        handles = [:]
        lockHolder = nil
        powerCutAt = nil
    }

    private static func apply(_ change: NameChange, to names: inout [String: Int]) {
        switch change {
        case .link(let name, let inode):
            names[name] = inode
        case .unlink(let name):
            names[name] = nil
        case .rename(let name, let newName, let inode):
            names[name] = nil
            names[newName] = inode
        }
    }
}
