/// A piece of a byte string that shares its storage: taking one from a received buffer or a log entry costs no copy.
///
/// Whoever keeps one for long keeps the whole buffer it was cut from: copy it (`Bytes(Array(piece))`) to keep it.
package typealias Bytes = ArraySlice<UInt8>

extension ArraySlice<UInt8> {
    /// The UTF-8 bytes of a text.
    package init(text: String) {
        self = Array(text.utf8)[...]
    }

    /// The bytes as text; what is not UTF-8 is replaced.
    package var text: String { String(decoding: self, as: UTF8.self) }

    /// Whether the bytes are `word`, letter case aside. `word` is in lower-case ASCII.
    func isWord(_ word: StaticString) -> Bool {
        guard count == word.utf8CodeUnitCount else { return false }
        return withUnsafeBytes { mine in
            for (index, byte) in mine.enumerated() where ASCII.lowercased(byte) != word.utf8Start[index] {
                return false
            }
            return true
        }
    }
}

/// The few bytes the protocols here are made of.
enum ASCII {
    static let carriageReturn = UInt8(ascii: "\r")
    static let newline = UInt8(ascii: "\n")
    static let zero = UInt8(ascii: "0")
    static let minus = UInt8(ascii: "-")

    @inline(__always)
    static func isDigit(_ byte: UInt8) -> Bool { byte &- zero < 10 }

    @inline(__always)
    static func lowercased(_ byte: UInt8) -> UInt8 { byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte }
}
