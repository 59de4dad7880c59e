// Words in a line of text: values that may hold anything, written so that a space always separates.

/// A value as one word: nil is `-`, and what would not survive in a line is written as `%` and two hexadecimal digits.
enum TextToken {
    static func text(_ value: String?) -> String {
        guard let value else { return "-" }
        if value.isEmpty || value == "-" { return value.isEmpty ? "%" : "%2D" }
        if value.utf8.allSatisfy(isPlain) { return value }
        var text = ""
        for byte in value.utf8 {
            if !isPlain(byte) {
                let digits = String(byte, radix: 16, uppercase: true)
                text += digits.count == 1 ? "%0\(digits)" : "%\(digits)"
            } else {
                text.unicodeScalars.append(Unicode.Scalar(byte))
            }
        }
        return text
    }

    /// `.some(nil)` is the word for nil; nil is no word at all.
    static func value(_ text: Substring) -> String?? {
        if text == "-" { return .some(nil) }
        if text == "%" { return "" }
        if text.isEmpty { return nil }
        if text.utf8.allSatisfy(isPlain) { return String(text) }
        var bytes: [UInt8] = []
        var rest = text.utf8
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                guard byte > 0x20, byte < 0x7F else { return nil }
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        guard let value = String(validating: bytes, as: UTF8.self) else { return nil }
        return .some(value)
    }

    /// The words of a line, at most `limit`; nil if there are more.
    static func words(_ text: String, limit: Int) -> [Substring]? {
        let words = text.utf8.split(separator: UInt8(ascii: " "), maxSplits: limit, omittingEmptySubsequences: false)
        return words.count <= limit ? words.map { Substring($0) } : nil
    }

    /// Whether a byte stands for itself.
    private static func isPlain(_ byte: UInt8) -> Bool { byte > 0x20 && byte < 0x7F && byte != UInt8(ascii: "%") }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
