extension Reply {
    /// The reply as redis-cli shows it to a person: `"hello"`, `(integer) 1`, `(nil)`, `1) "a"`. Without a last line
    /// end.
    package var text: String { text(indent: "") }

    /// - Parameter indent: what stands left of every line but the first.
    private func text(indent: String) -> String {
        switch self {
        case .simple(let text): text
        case .failure(let error):
            error.message.isEmpty ? "(error) \(error.code)" : "(error) \(error.code) \(error.message)"
        case .integer(let value): "(integer) \(value)"
        case .bulk(let content): Self.quoted(content)
        case .null: "(nil)"
        case .boolean(let value): value ? "(true)" : "(false)"
        case .double(let value): "(double) \(value)"
        case .verbatim(_, let text): text.text
        case .array(let elements): Self.list(elements, "(empty array)", separator: ")", indent)
        case .set(let elements): Self.list(elements, "(empty set)", separator: "~", indent)
        case .push(let elements): Self.list(elements, "(empty push)", separator: ")", indent)
        case .map(let pairs): Self.list(pairs, indent)
        }
    }

    private static func list(_ elements: [Reply], _ empty: String, separator: String, _ indent: String) -> String {
        if elements.isEmpty { return empty }
        let width = "\(elements.count)".count
        let inner = indent + String(repeating: " ", count: width + 2)
        return elements.enumerated().map { index, element in
            number(index + 1, width) + separator + " " + element.text(indent: inner)
        }.joined(separator: "\n" + indent)
    }

    private static func list(_ pairs: [Pair], _ indent: String) -> String {
        if pairs.isEmpty { return "(empty hash)" }
        let width = "\(pairs.count)".count
        let inner = indent + String(repeating: " ", count: width + 2)
        return pairs.enumerated().map { index, pair in
            number(index + 1, width) + "# " + pair.key.text(indent: inner) + " => " + pair.value.text(indent: inner)
        }.joined(separator: "\n" + indent)
    }

    private static func number(_ value: Int, _ width: Int) -> String {
        let digits = "\(value)"
        return String(repeating: " ", count: width - digits.count) + digits
    }

    /// The bytes between quotes, with what cannot be printed escaped so that `CommandWords` reads it back.
    private static func quoted(_ content: Bytes) -> String {
        var text = "\""
        for byte in content {
            switch byte {
            case UInt8(ascii: "\\"), UInt8(ascii: "\""):
                text += "\\"
                text.unicodeScalars.append(UnicodeScalar(byte))
            case 0x0A: text += "\\n"
            case 0x0D: text += "\\r"
            case 0x09: text += "\\t"
            case 0x07: text += "\\a"
            case 0x08: text += "\\b"
            case 0x20..<0x7F: text.unicodeScalars.append(UnicodeScalar(byte))
            default:
                let digits = String(byte, radix: 16)
                text += "\\x" + (digits.count == 1 ? "0" : "") + digits
            }
        }
        return text + "\""
    }
}
