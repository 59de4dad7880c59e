#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A key and its value in one piece of memory: the key's length in four bytes, the key, the value.
///
/// One allocation a pair instead of two, and no need for a key object to look something up.
struct PairRecord: Sendable {
    private static let headerSizeBytes = 4
    private var bytes: [UInt8]

    /// Stands in a free slot of a table. Costs no memory.
    static let none = PairRecord(bytes: [])

    private init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    init(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        precondition(key.count <= UInt32.max, "a key is shorter than 4 GiB")
        let valueStart = Self.headerSizeBytes + key.count
        bytes = [UInt8](unsafeUninitializedCapacity: valueStart + value.count) { buffer, count in
            let raw = UnsafeMutableRawBufferPointer(buffer)
            raw.storeBytes(of: UInt32(truncatingIfNeeded: key.count), as: UInt32.self)
            UnsafeMutableRawBufferPointer(rebasing: raw[Self.headerSizeBytes..<valueStart]).copyMemory(from: key)
            UnsafeMutableRawBufferPointer(rebasing: raw[valueStart...]).copyMemory(from: value)
            count = valueStart + value.count
        }
    }

    private var valueStart: Int {
        bytes.withUnsafeBytes { Self.headerSizeBytes + Int($0.load(as: UInt32.self)) }
    }

    var key: Bytes { bytes[Self.headerSizeBytes..<valueStart] }

    /// The value. Shares the record's memory: a later write to the pair leaves this piece as it is.
    var value: Bytes { bytes[valueStart...] }

    var valueCount: Int { bytes.count - valueStart }

    func hasKey(_ key: UnsafeRawBufferPointer) -> Bool {
        bytes.withUnsafeBytes { record in
            guard Int(record.load(as: UInt32.self)) == key.count else { return false }
            guard let mine = record.baseAddress, let other = key.baseAddress else { return true }
            // SAFETY: a record holds its header and as many key bytes as the header says, which was just compared.
            return memcmp(mine + Self.headerSizeBytes, other, key.count) == 0
        }
    }

    mutating func replaceValue(_ value: UnsafeRawBufferPointer) {
        let start = valueStart
        if bytes.count - start == value.count {
            // The usual overwrite: same size, so the same memory unless a reader still holds it.
            bytes.withUnsafeMutableBytes {
                UnsafeMutableRawBufferPointer(rebasing: $0[start...]).copyMemory(from: value)
            }
        } else {
            self = key.withUnsafeBytes { PairRecord(key: $0, value: value) }
        }
    }

    mutating func appendToValue(_ suffix: Bytes) {
        bytes.append(contentsOf: suffix)
    }
}
