/// The decimal number and line end behind the type byte of a RESP header, as in `*3␍␊` or `$256␍␊`.
enum RESPHeader {
    /// The number, and the position behind the line end.
    case number(Int, end: Int)
    case incomplete
    case invalid

    /// Reads the header whose number starts at `position`. No more than 22 bytes are looked at, since a longer line
    /// holds no 64-bit number; so an incomplete header may be read again from its start.
    static func read(_ bytes: [UInt8], at position: Int) -> RESPHeader {
        bytes.withUnsafeBytes { all in
            // Nearly every length has up to four digits: those need no overflow check.
            let limit = min(all.count, position + 4)
            var index = position
            var number = 0
            while index < limit, ASCII.isDigit(all[index]) {
                number = number &* 10 &+ Int(all[index] &- ASCII.zero)
                index += 1
            }
            let isPlain = index > position && (all[position] != ASCII.zero || index == position + 1)
            if isPlain, index + 1 < all.count, all[index] == ASCII.carriageReturn, all[index + 1] == ASCII.newline {
                return .number(number, end: index + 2)
            }
            return readAny(all, at: position)
        }
    }

    private static func readAny(_ all: UnsafeRawBufferPointer, at position: Int) -> RESPHeader {
        let limit = min(all.count, position + Decimal.maximumDigits + 1)
        var index = position
        while index < limit, all[index] != ASCII.carriageReturn {
            guard ASCII.isDigit(all[index]) || all[index] == ASCII.minus else { return .invalid }
            index += 1
        }
        if index == limit {
            return index - position <= Decimal.maximumDigits ? .incomplete : .invalid
        }
        guard let number = Decimal.parse(UnsafeRawBufferPointer(rebasing: all[position..<index])) else {
            return .invalid
        }
        guard index + 1 < all.count else { return .incomplete }
        return all[index + 1] == ASCII.newline ? .number(Int(number), end: index + 2) : .invalid
    }
}
