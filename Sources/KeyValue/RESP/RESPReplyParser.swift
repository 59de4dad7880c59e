/// Cuts the bytes a server sends into replies, of RESP2 and RESP3 alike. The client's side of `RESPWriter`.
///
/// Like `RESPParser`: feed it with `append`, call `next` until it returns nil. Attributes (`|`) are skipped.
package struct RESPReplyParser: Sendable {
    private let limits: RESPLimits
    private var buffer = ReceiveBuffer()
    /// The unfinished aggregates around the cursor, the outermost first.
    private var open: [Aggregate] = []
    /// How many elements the aggregates of the current reply have announced so far, over all levels.
    private var announcedCount = 0
    private var failure: RESPError?

    private struct Aggregate {
        enum Kind { case array, set, push, map, attribute }
        var kind: Kind
        /// How many elements are not read yet. At least 1.
        var missing: Int
        var elements: [Reply] = []
    }

    /// What one header, or one header with its bytes, turned out to be.
    private enum Token {
        case value(Reply)
        case opened(Aggregate.Kind, count: Int)
    }

    package init(limits: RESPLimits = RESPLimits()) {
        self.limits = limits
    }

    /// Adds what arrived.
    package mutating func append(_ chunk: [UInt8]) {
        buffer.append(chunk)
    }

    /// The next complete reply, or nil if more bytes are needed.
    ///
    /// - Throws: the first fault in the bytes; from then on every call throws it again.
    package mutating func next() throws(RESPError) -> Reply? {
        if let failure { throw failure }
        do {
            return try advance()
        } catch {
            failure = error
            throw error
        }
    }

    private mutating func advance() throws(RESPError) -> Reply? {
        while let token = try takeToken() {
            guard buffer.cursor - buffer.start <= limits.totalSizeBytes else { throw .tooBigRequest }
            var finished: Reply?
            switch token {
            case .value(let value):
                finished = value
            case .opened(let kind, let count):
                announcedCount += count
                guard announcedCount <= limits.arrayCount else { throw .invalidMultibulkLength }
                if count == 0 {
                    finished = Self.close(Aggregate(kind: kind, missing: 0))
                } else {
                    guard open.count < limits.depth else { throw .tooDeep }
                    open.append(Aggregate(kind: kind, missing: count))
                }
            }
            if let reply = fold(finished) {
                announcedCount = 0
                buffer.consume()
                return reply
            }
        }
        return nil
    }

    /// Puts a finished value where it belongs, and closes every aggregate that this completes.
    ///
    /// - Returns: the whole reply, once the outermost is complete.
    private mutating func fold(_ value: Reply?) -> Reply? {
        var value = value
        while let finished = value {
            guard !open.isEmpty else { return finished }
            open[open.count - 1].elements.append(finished)
            open[open.count - 1].missing -= 1
            if open[open.count - 1].missing > 0 { return nil }
            value = Self.close(open.removeLast())
        }
        return nil
    }

    /// What a complete aggregate stands for; nil for an attribute, which is no value.
    private static func close(_ aggregate: Aggregate) -> Reply? {
        let elements = aggregate.elements
        switch aggregate.kind {
        case .array: return .array(elements)
        case .set: return .set(elements)
        case .push: return .push(elements)
        case .map:
            let keys = stride(from: 0, to: elements.count, by: 2)
            return .map(keys.map { Reply.Pair(elements[$0], elements[$0 + 1]) })
        case .attribute: return nil
        }
    }
}

// MARK: - Tokens

extension RESPReplyParser {
    private mutating func takeToken() throws(RESPError) -> Token? {
        guard buffer.availableCount > 0 else { return nil }
        let type = buffer.bytes[buffer.cursor]
        switch UnicodeScalar(type) {
        case "$", "=", "!": return try takeBulk(type)
        case "*": return try takeAggregate(.array)
        case "~": return try takeAggregate(.set)
        case ">": return try takeAggregate(.push)
        case "%": return try takeAggregate(.map)
        case "|": return try takeAggregate(.attribute)
        case "+", "-", ":", "_", "#", ",", "(":
            guard let line = try buffer.takeLine(limit: limits.lineSizeBytes) else { return nil }
            return .value(try scalar(type, buffer.bytes[line].dropFirst()))
        default: throw .unknownType(type)
        }
    }

    private func scalar(_ type: UInt8, _ content: Bytes) throws(RESPError) -> Reply {
        switch UnicodeScalar(type) {
        case "+": return .simple(content.text)
        case "-": return Self.failure(content)
        case ":":
            guard let value = Decimal.parse(content) else { throw .invalidLine }
            return .integer(value)
        case "_":
            guard content.isEmpty else { throw .invalidLine }
            return .null
        case "#":
            guard content.elementsEqual("t".utf8) || content.elementsEqual("f".utf8) else { throw .invalidLine }
            return .boolean(content.first == UInt8(ascii: "t"))
        case ",":
            guard let value = Double(content.text) else { throw .invalidLine }
            return .double(value)
        default:
            // A number of any length: nobody counts with it here, so its digits do.
            return .bulk(Bytes(Array(content)))
        }
    }

    private static func failure(_ content: Bytes) -> Reply {
        let words = content.split(separator: UInt8(ascii: " "), maxSplits: 1, omittingEmptySubsequences: false)
        return .error(words[0].text, words.count > 1 ? words[1].text : "")
    }

    private mutating func takeBulk(_ type: UInt8) throws(RESPError) -> Token? {
        guard case (let size, let start)? = try header(otherwise: .invalidBulkLength) else { return nil }
        if size == -1, type == UInt8(ascii: "$") {
            buffer.cursor = start
            return .value(.null)
        }
        guard size >= 0, size <= limits.bulkSizeBytes else { throw .invalidBulkLength }
        guard start - buffer.start + size + 2 <= limits.totalSizeBytes else { throw .tooBigRequest }
        guard buffer.bytes.count - start >= size + 2 else { return nil }
        let end = start + size
        guard buffer.bytes[end] == ASCII.carriageReturn, buffer.bytes[end + 1] == ASCII.newline else {
            throw .unterminatedBulk
        }
        buffer.cursor = end + 2
        let content = buffer.bytes[start..<end]
        switch UnicodeScalar(type) {
        case "!": return .value(Self.failure(content))
        case "=":
            guard size >= 4, content[start + 3] == UInt8(ascii: ":") else { throw .invalidLine }
            return .value(.verbatim(format: content.prefix(3).text, text: Bytes(Array(content.dropFirst(4)))))
        default: return .value(.bulk(Bytes(Array(content))))
        }
    }

    private mutating func takeAggregate(_ kind: Aggregate.Kind) throws(RESPError) -> Token? {
        guard case (let count, let end)? = try header(otherwise: .invalidMultibulkLength) else { return nil }
        let isNull = count == -1 && kind == .array
        guard isNull || (0...limits.arrayCount).contains(count) else { throw .invalidMultibulkLength }
        buffer.cursor = end
        if isNull { return .value(.null) }
        return .opened(kind, count: kind == .map || kind == .attribute ? 2 * count : count)
    }

    private func header(otherwise error: RESPError) throws(RESPError) -> (number: Int, end: Int)? {
        switch RESPHeader.read(buffer.bytes, at: buffer.cursor + 1) {
        case .number(let number, let end): return (number, end)
        case .incomplete: return nil
        case .invalid: throw error
        }
    }
}
