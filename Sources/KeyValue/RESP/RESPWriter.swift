/// Encodes replies, one behind the other, into a buffer that is used again and again.
package struct RESPWriter: Sendable {
    /// The dialect replies are written in from now on.
    package var version: RESPVersion
    /// What was written and not taken yet.
    package private(set) var bytes: [UInt8] = []

    package init(version: RESPVersion = .two) {
        self.version = version
    }

    /// Takes what was written and leaves the buffer empty.
    package mutating func take() -> [UInt8] {
        var taken: [UInt8] = []
        swap(&taken, &bytes)
        return taken
    }

    /// Forgets what was written and keeps the memory.
    package mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
    }

    /// Adds one reply.
    package mutating func write(_ reply: Reply) {
        switch reply {
        case .simple(let text):
            bytes.append(UInt8(ascii: "+"))
            bytes.append(contentsOf: text.utf8)
            endLine()
        case .failure(let error):
            write(error)
        case .integer(let value):
            line(":", value)
        case .bulk(let content):
            write(bulk: content)
        case .null:
            bytes.append(contentsOf: (version == .two ? "$-1\r\n" : "_\r\n").utf8)
        case .array(let elements):
            write(elements, marker: "*")
        case .set(let elements):
            write(elements, marker: version == .two ? "*" : "~")
        case .push(let elements):
            write(elements, marker: version == .two ? "*" : ">")
        case .map(let pairs):
            write(pairs)
        case .boolean(let value):
            bytes.append(
                contentsOf: (version == .two ? (value ? ":1\r\n" : ":0\r\n") : (value ? "#t\r\n" : "#f\r\n")).utf8
            )
        case .double(let value):
            write(value)
        case .verbatim(let format, let text):
            write(text, format: format)
        }
    }

    /// Adds a command, as a client sends it.
    package mutating func write(command arguments: [[UInt8]]) {
        line("*", Int64(arguments.count))
        for argument in arguments { write(bulk: argument[...]) }
    }
}

extension RESPWriter {
    private mutating func write(bulk content: Bytes) {
        line("$", Int64(content.count))
        bytes.append(contentsOf: content)
        endLine()
    }

    private mutating func write(_ elements: [Reply], marker: UnicodeScalar) {
        line(marker, Int64(elements.count))
        for element in elements { write(element) }
    }

    private mutating func write(_ pairs: [Reply.Pair]) {
        if version == .two { line("*", Int64(2 * pairs.count)) } else { line("%", Int64(pairs.count)) }
        for pair in pairs {
            write(pair.key)
            write(pair.value)
        }
    }

    private mutating func write(_ error: ReplyError) {
        bytes.append(UInt8(ascii: "-"))
        let start = bytes.count
        bytes.append(contentsOf: error.code.utf8)
        if !error.message.isEmpty {
            bytes.append(UInt8(ascii: " "))
            bytes.append(contentsOf: error.message.utf8)
        }
        // A line end within, quoted from what the client sent, would end the reply early.
        for index in start..<bytes.count where bytes[index] == 0x0D || bytes[index] == 0x0A {
            bytes[index] = UInt8(ascii: " ")
        }
        endLine()
    }

    private mutating func write(_ value: Double) {
        let text = value.isNaN ? "nan" : value.isInfinite ? (value < 0 ? "-inf" : "inf") : "\(value)"
        if version == .two {
            write(bulk: Bytes(text: text))
        } else {
            bytes.append(UInt8(ascii: ","))
            bytes.append(contentsOf: text.utf8)
            endLine()
        }
    }

    private mutating func write(_ text: Bytes, format: String) {
        precondition(format.utf8.count == 3, "a verbatim string's format has three letters")
        if version == .two { return write(bulk: text) }
        line("=", Int64(text.count + 4))
        bytes.append(contentsOf: format.utf8)
        bytes.append(UInt8(ascii: ":"))
        bytes.append(contentsOf: text)
        endLine()
    }

    private mutating func line(_ marker: UnicodeScalar, _ number: Int64) {
        bytes.append(UInt8(truncatingIfNeeded: marker.value))
        Decimal.append(number, to: &bytes)
        endLine()
    }

    private mutating func endLine() {
        bytes.append(ASCII.carriageReturn)
        bytes.append(ASCII.newline)
    }
}
