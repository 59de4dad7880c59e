/// Splits a typed line into words the way Redis does (`sdssplitargs`), for inline commands and for our own client
/// alike.
///
/// Words are separated by blanks. `"…"` understands `\n \r \t \b \a \\ \" \xHH`; `'…'` understands `\'` only. A quote
/// may open in the middle of a word, and must close at its end.
package enum CommandWords {
    /// The words of `line`.
    ///
    /// - Throws: `unbalancedQuotes` if a quote does not close, or closes in the middle of a word.
    package static func split(_ line: Bytes) throws(RESPError) -> [[UInt8]] {
        var rest = line
        var words: [[UInt8]] = []
        while true {
            rest = rest.drop(while: isBlank)
            if rest.isEmpty { return words }
            words.append(try takeWord(&rest))
        }
    }

    private static func takeWord(_ rest: inout Bytes) throws(RESPError) -> [UInt8] {
        var word: [UInt8] = []
        while let byte = rest.first, !endsWord(byte) {
            rest.removeFirst()
            switch byte {
            case UInt8(ascii: "\""):
                try takeDoubleQuoted(&rest, into: &word)
                guard rest.first.map(isBlank) ?? true else { throw .unbalancedQuotes }
                return word
            case UInt8(ascii: "'"):
                try takeSingleQuoted(&rest, into: &word)
                guard rest.first.map(isBlank) ?? true else { throw .unbalancedQuotes }
                return word
            default:
                word.append(byte)
            }
        }
        return word
    }

    private static func takeSingleQuoted(_ rest: inout Bytes, into word: inout [UInt8]) throws(RESPError) {
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "'") { return }
            if byte == UInt8(ascii: "\\"), rest.first == UInt8(ascii: "'") {
                rest.removeFirst()
                word.append(UInt8(ascii: "'"))
            } else {
                word.append(byte)
            }
        }
        throw .unbalancedQuotes
    }

    private static func takeDoubleQuoted(_ rest: inout Bytes, into word: inout [UInt8]) throws(RESPError) {
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\"") { return }
            if byte == UInt8(ascii: "\\"), let escaped = rest.popFirst() {
                word.append(unescape(escaped, &rest))
            } else {
                word.append(byte)
            }
        }
        throw .unbalancedQuotes
    }

    private static func unescape(_ escaped: UInt8, _ rest: inout Bytes) -> UInt8 {
        switch escaped {
        case UInt8(ascii: "n"): return 0x0A
        case UInt8(ascii: "r"): return 0x0D
        case UInt8(ascii: "t"): return 0x09
        case UInt8(ascii: "b"): return 0x08
        case UInt8(ascii: "a"): return 0x07
        case UInt8(ascii: "x"):
            guard rest.count >= 2, let high = hexDigit(rest[rest.startIndex]),
                let low = hexDigit(rest[rest.startIndex + 1])
            else { return escaped }
            rest.removeFirst(2)
            return high << 4 | low
        default: return escaped
        }
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - ASCII.zero
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// Blanks between words; Redis has vertical tab and form feed here, but not at the end of an unquoted word.
    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    private static func endsWord(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
    }
}
