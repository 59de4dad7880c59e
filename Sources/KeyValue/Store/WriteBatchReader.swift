/// Reads the writes of an encoded batch one by one. The writes share the batch's storage.
///
/// Bounded: a length is checked against the bytes that are there before anything is taken for it.
package struct WriteBatchReader: Sendable {
    private let bytes: [UInt8]
    private var position: Int

    /// - Throws: `unknownVersion` if the payload is not of this layout.
    package init(_ bytes: [UInt8]) throws(WriteBatchError) {
        guard bytes.first == WriteBatch.version else { throw .unknownVersion(bytes.first) }
        self.bytes = bytes
        position = 1
    }

    /// The next write, or nil at the end.
    package mutating func next() throws(WriteBatchError) -> KeyValueWrite? {
        guard position < bytes.count else { return nil }
        let code = bytes[position]
        position += 1
        if let rule = WriteBatch.Code.rule(code) {
            let key = try takeBytes()
            return .set(key: key, value: try takeBytes(), rule)
        }
        switch code {
        case WriteBatch.Code.delete:
            return .delete(keys: try takeList { (reader) throws(WriteBatchError) in try reader.takeBytes() })
        case WriteBatch.Code.add:
            let key = try takeBytes()
            let zigzag = try takeNumber()
            return .add(key: key, amount: Int64(bitPattern: zigzag >> 1) ^ -Int64(bitPattern: zigzag & 1))
        case WriteBatch.Code.setAll:
            return .setAll(
                try takeList { (reader) throws(WriteBatchError) in
                    let key = try reader.takeBytes()
                    return KeyValueWrite.Pair(key: key, value: try reader.takeBytes())
                }
            )
        case WriteBatch.Code.append:
            let key = try takeBytes()
            return .append(key: key, suffix: try takeBytes())
        case WriteBatch.Code.deleteAll:
            return .deleteAll
        default:
            throw .unknownCode(code)
        }
    }

    /// All writes of a payload.
    package static func all(_ bytes: [UInt8]) throws(WriteBatchError) -> [KeyValueWrite] {
        var reader = try WriteBatchReader(bytes)
        var writes: [KeyValueWrite] = []
        while let write = try reader.next() { writes.append(write) }
        return writes
    }

    private mutating func takeList<Element>(
        _ takeElement: (inout Self) throws(WriteBatchError) -> Element
    ) throws(WriteBatchError) -> [Element] {
        let count = try takeNumber()
        // Each element has at least its length byte, so a larger count is a lie.
        guard count <= UInt64(bytes.count - position) else { throw .truncated }
        var elements: [Element] = []
        for _ in 0..<Int(count) { elements.append(try takeElement(&self)) }
        return elements
    }

    private mutating func takeBytes() throws(WriteBatchError) -> Bytes {
        let size = try takeNumber()
        guard size <= UInt64(bytes.count - position) else { throw .truncated }
        let start = position
        position += Int(size)
        return bytes[start..<position]
    }

    private mutating func takeNumber() throws(WriteBatchError) -> UInt64 {
        guard position < bytes.count else { throw .truncated }
        let first = bytes[position]
        position += 1
        return first < 0x80 ? UInt64(first) : try takeLongNumber(first)
    }

    private mutating func takeLongNumber(_ first: UInt8) throws(WriteBatchError) -> UInt64 {
        var number = UInt64(first & 0x7F)
        var shift: UInt64 = 7
        while true {
            guard position < bytes.count else { throw .truncated }
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
