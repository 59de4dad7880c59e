/// Cuts the bytes a client sends into commands: arrays of bulk strings, and inline commands (plain lines).
///
/// Feed it what arrives with `append`, then call `next` until it returns nil. What is known of an unfinished command is
/// kept, so a large one that arrives in small pieces costs time in proportion to its size.
/// The grammar and the words of the errors are those of Redis 7 (redis.io/docs/latest/develop/reference/protocol-spec).
package struct RESPParser: Sendable {
    private let limits: RESPLimits
    private var buffer = ReceiveBuffer()
    /// The array at the cursor, if its header was read and arguments are missing.
    private var array: PartialArray?
    /// What ended the conversation. Once set it is thrown again on every call.
    private var failure: RESPError?

    private struct PartialArray {
        /// How many arguments are not read yet. At least 1.
        var missing: Int
        var ranges = ArgumentRanges()
        /// The announced length of the argument at the cursor, once its header was read.
        var bulkSize: Int?
    }

    package init(limits: RESPLimits = RESPLimits()) {
        precondition(limits.totalSizeBytes <= UInt32.max, "argument positions are kept in 32 bits")
        self.limits = limits
    }

    /// How many received bytes wait for the rest of their command.
    package var unusedCount: Int { buffer.unusedCount }

    /// Adds what arrived.
    package mutating func append(_ chunk: [UInt8]) {
        buffer.append(chunk)
    }

    /// The next complete command, or nil if more bytes are needed.
    ///
    /// - Throws: the first fault in the bytes; from then on every call throws it again.
    package mutating func next() throws(RESPError) -> RESPRequest? {
        if let failure { throw failure }
        do {
            return try advance()
        } catch {
            failure = error
            throw error
        }
    }

    private mutating func advance() throws(RESPError) -> RESPRequest? {
        while true {
            if var unfinished = array.take() {
                guard try fill(&unfinished) else {
                    array = unfinished
                    return nil
                }
                let request = RESPRequest(storage: buffer.bytes, base: buffer.start, ranges: unfinished.ranges)
                buffer.consume()
                return request
            }
            guard buffer.availableCount > 0 else { return nil }
            if buffer.bytes[buffer.cursor] == UInt8(ascii: "*") {
                guard let count = try takeHeader(otherwise: .invalidMultibulkLength) else { return nil }
                guard count <= limits.arrayCount else { throw .invalidMultibulkLength }
                // Redis ignores empty arrays and negative counts.
                if count > 0 { array = PartialArray(missing: count) } else { buffer.consume() }
            } else {
                guard let line = try buffer.takeLine(limit: limits.lineSizeBytes) else { return nil }
                let words = try CommandWords.split(buffer.bytes[line])
                buffer.consume()
                if !words.isEmpty { return RESPRequest(words) }
            }
        }
    }

    /// Reads arguments until the array is complete.
    ///
    /// - Returns: whether it is; if not, more bytes are needed.
    private mutating func fill(_ array: inout PartialArray) throws(RESPError) -> Bool {
        while array.missing > 0 {
            if array.bulkSize == nil {
                guard buffer.availableCount > 0 else { return false }
                let first = buffer.bytes[buffer.cursor]
                guard first == UInt8(ascii: "$") else { throw .expectedBulk(got: first) }
                guard let size = try takeHeader(otherwise: .invalidBulkLength) else { return false }
                guard size >= 0, size <= limits.bulkSizeBytes else { throw .invalidBulkLength }
                guard buffer.cursor - buffer.start + size + 2 <= limits.totalSizeBytes else { throw .tooBigRequest }
                array.bulkSize = size
            }
            guard let size = array.bulkSize, buffer.availableCount >= size + 2 else { return false }
            let end = buffer.cursor + size
            guard buffer.bytes[end] == ASCII.carriageReturn, buffer.bytes[end + 1] == ASCII.newline else {
                throw .unterminatedBulk
            }
            array.ranges.append(from: buffer.cursor - buffer.start, to: end - buffer.start)
            array.missing -= 1
            array.bulkSize = nil
            buffer.cursor = end + 2
        }
        return true
    }

    /// Moves the cursor behind the `*` or `$` line at it.
    ///
    /// - Returns: the line's number, or nil if more bytes are needed.
    private mutating func takeHeader(otherwise error: RESPError) throws(RESPError) -> Int? {
        switch RESPHeader.read(buffer.bytes, at: buffer.cursor + 1) {
        case .number(let number, let end):
            buffer.cursor = end
            return number
        case .incomplete:
            return nil
        case .invalid:
            throw error
        }
    }
}
