/// Signed 64-bit integers as Redis writes them: one spelling each, so no `+`, no leading zero, no `-0`, no blanks.
enum Decimal {
    /// The longest spelling: `-9223372036854775808`.
    static let maximumDigits = 20

    /// The integer these bytes spell, or nil if they spell none.
    static func parse(_ bytes: UnsafeRawBufferPointer) -> Int64? {
        guard let first = bytes.first, bytes.count <= maximumDigits else { return nil }
        let negative = first == ASCII.minus
        let digits = negative ? UnsafeRawBufferPointer(rebasing: bytes.dropFirst()) : bytes
        guard let lead = digits.first, ASCII.isDigit(lead) else { return nil }
        if lead == ASCII.zero { return digits.count == 1 && !negative ? 0 : nil }
        var magnitude: UInt64 = 0
        for byte in digits {
            guard ASCII.isDigit(byte) else { return nil }
            let (product, overflow) = magnitude.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(byte &- ASCII.zero))
            if overflow || carry { return nil }
            magnitude = sum
        }
        if negative { return magnitude <= Int64.min.magnitude ? Int64(truncatingIfNeeded: 0 &- magnitude) : nil }
        return Int64(exactly: magnitude)
    }

    /// The integer these bytes spell, or nil if they spell none.
    static func parse(_ bytes: Bytes) -> Int64? {
        bytes.withUnsafeBytes { parse($0) }
    }

    /// Appends the spelling of `value` to `bytes`.
    static func append(_ value: Int64, to bytes: inout [UInt8]) {
        if (0..<10).contains(value) {
            bytes.append(ASCII.zero &+ UInt8(truncatingIfNeeded: value))
            return
        }
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: maximumDigits) { digits in
            var start = maximumDigits
            var rest = value.magnitude
            repeat {
                start -= 1
                digits.initializeElement(at: start, to: ASCII.zero &+ UInt8(truncatingIfNeeded: rest % 10))
                rest /= 10
            } while rest > 0
            if value < 0 {
                start -= 1
                digits.initializeElement(at: start, to: ASCII.minus)
            }
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: digits[start...]))
        }
    }
}
