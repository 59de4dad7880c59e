/// Reads the writes of an encoded batch one by one. The writes share the batch's storage.
///
/// Bounded: a length is checked against the bytes that are there before anything is taken for it.
package struct WriteBatchReader: Sendable {
    private let bytes: Bytes
    /// The next byte to read, as an index of `bytes`.
    private var position: Int

    /// - Throws: `unknownVersion` if the payload is not of this layout.
    package init(_ bytes: Bytes) throws(WriteBatchError) {
        guard bytes.first == WriteBatch.version else { throw .unknownVersion(bytes.first) }
        self.bytes = bytes
        position = bytes.startIndex + 1
    }

    /// The next write, or nil at the end.
    package mutating func next() throws(WriteBatchError) -> KeyValueWrite? {
        guard let code = takeCode() else { return nil }
        if let rule = WriteBatch.Code.rule(code) {
            let key = try takeBytes()
            return .set(key: key, value: try takeBytes(), rule)
        }
        switch code {
        case WriteBatch.Code.delete:
            var keys: [Bytes] = []
            for _ in 0..<(try takeCount()) { keys.append(try takeBytes()) }
            return .delete(keys: keys)
        case WriteBatch.Code.add:
            let key = try takeBytes()
            let zigzag = try takeNumber()
            return .add(key: key, amount: Int64(bitPattern: zigzag >> 1) ^ -Int64(bitPattern: zigzag & 1))
        case WriteBatch.Code.setAll:
            var pairs: [KeyValueWrite.Pair] = []
            for _ in 0..<(try takeCount()) {
                let key = try takeBytes()
                pairs.append(KeyValueWrite.Pair(key: key, value: try takeBytes()))
            }
            return .setAll(pairs)
        case WriteBatch.Code.append:
            let key = try takeBytes()
            return .append(key: key, suffix: try takeBytes())
        case WriteBatch.Code.deleteAll:
            return .deleteAll
        default:
            throw .unknownCode(code)
        }
    }

    /// Passes over the next write without making a value of it. It fails exactly where `next` fails.
    ///
    /// - Returns: false at the end.
    mutating func skip() throws(WriteBatchError) -> Bool {
        guard let code = takeCode() else { return false }
        if WriteBatch.Code.rule(code) != nil {
            _ = try takeRange()
            _ = try takeRange()
            return true
        }
        switch code {
        case WriteBatch.Code.delete:
            for _ in 0..<(try takeCount()) { _ = try takeRange() }
        case WriteBatch.Code.add:
            _ = try takeRange()
            _ = try takeNumber()
        case WriteBatch.Code.setAll:
            for _ in 0..<(try takeCount()) {
                _ = try takeRange()
                _ = try takeRange()
            }
        case WriteBatch.Code.append:
            _ = try takeRange()
            _ = try takeRange()
        case WriteBatch.Code.deleteAll:
            break
        default:
            throw .unknownCode(code)
        }
        return true
    }

    /// All writes of a payload.
    package static func all(_ bytes: Bytes) throws(WriteBatchError) -> [KeyValueWrite] {
        var reader = try WriteBatchReader(bytes)
        var writes: [KeyValueWrite] = []
        while let write = try reader.next() { writes.append(write) }
        return writes
    }
}

// MARK: - Fields

extension WriteBatchReader {
    private mutating func takeCode() -> UInt8? {
        guard position < bytes.endIndex else { return nil }
        defer { position += 1 }
        return bytes[position]
    }

    /// The length of a list. Each element has at least its length byte, so a count above the bytes that are left is a
    /// lie.
    private mutating func takeCount() throws(WriteBatchError) -> Int {
        let count = try takeNumber()
        guard count <= UInt64(bytes.endIndex - position) else { throw .truncated }
        return Int(count)
    }

    private mutating func takeBytes() throws(WriteBatchError) -> Bytes {
        bytes[try takeRange()]
    }

    private mutating func takeRange() throws(WriteBatchError) -> Range<Int> {
        let size = try takeNumber()
        guard size <= UInt64(bytes.endIndex - position) else { throw .truncated }
        let start = position
        position += Int(size)
        return start..<position
    }

    private mutating func takeNumber() throws(WriteBatchError) -> UInt64 {
        guard position < bytes.endIndex else { throw .truncated }
        let first = bytes[position]
        position += 1
        return first < 0x80 ? UInt64(first) : try takeLongNumber(first)
    }

    private mutating func takeLongNumber(_ first: UInt8) throws(WriteBatchError) -> UInt64 {
        var number = UInt64(first & 0x7F)
        var shift: UInt64 = 7
        while true {
            guard position < bytes.endIndex else { throw .truncated }
            let byte = bytes[position]
            position += 1
            // The tenth byte has room for one bit; a last byte of zero would be a second spelling.
            guard shift < 63 || (shift == 63 && byte <= 1), byte != 0 else { throw .invalidNumber }
            number |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return number }
            shift += 7
        }
    }
}
