// The little of JSON that a line of a history needs: one object of strings, whole numbers and nulls.

/// A field's value.
enum FlatJSONValue: Equatable {
    case string(String)
    case number(UInt64)
    case null
}

/// Reads and writes one flat object. Nothing nests, so nothing recurses: the work is bounded by the line's length.
struct FlatJSON {
    /// Why a line is no such object, and at which byte.
    struct SyntaxError: Error, Equatable {
        var problem: String
        var byte: Int
    }

    private var input: [UInt8]
    private var position = 0

    private init(_ line: Substring) { input = Array(line.utf8) }

    static func object(_ line: Substring) throws(SyntaxError) -> [String: FlatJSONValue] {
        var parser = FlatJSON(line)
        return try parser.object()
    }

    /// A string with its quotes.
    static func quoted(_ value: String) -> String {
        var text = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            default:
                if scalar.value < 0x20 || scalar.value == 0x2028 || scalar.value == 0x2029 {
                    let digits = String(scalar.value, radix: 16)
                    text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                } else {
                    text.unicodeScalars.append(scalar)
                }
            }
        }
        return text + "\""
    }

    private mutating func object() throws(SyntaxError) -> [String: FlatJSONValue] {
        var fields: [String: FlatJSONValue] = [:]
        try expect("{")
        if !take("}") {
            repeat {
                skipSpace()
                let name = try string()
                try expect(":")
                guard fields.updateValue(try value(), forKey: name) == nil else { throw error("\(name) appears twice") }
            } while take(",")
            try expect("}")
        }
        skipSpace()
        guard position == input.count else { throw error("there is more after the object") }
        return fields
    }

    private mutating func value() throws(SyntaxError) -> FlatJSONValue {
        skipSpace()
        switch peek {
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "n"):
            guard input[position...].starts(with: "null".utf8) else { throw error("a value was expected") }
            position += 4
            return .null
        case .some(UInt8(ascii: "0")...UInt8(ascii: "9")): return .number(try number())
        default: throw error("a string, a whole number or null was expected")
        }
    }

    private mutating func number() throws(SyntaxError) -> UInt64 {
        var number: UInt64 = 0
        while let digit = peek, digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") {
            let (tens, overflow) = number.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tens.addingReportingOverflow(UInt64(digit - UInt8(ascii: "0")))
            guard !overflow, !carry else { throw error("the number is too large") }
            number = sum
            position += 1
        }
        return number
    }

    private mutating func string() throws(SyntaxError) -> String {
        try expect("\"")
        var bytes: [UInt8] = []
        while let byte = peek {
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: bytes, as: UTF8.self) else {
                    throw error("the string is not UTF-8")
                }
                return text
            case UInt8(ascii: "\\"): try escape(into: &bytes)
            case 0..<0x20: throw error("a control character in a string")
            default: bytes.append(byte)
            }
        }
        throw error("the string does not end")
    }

    private mutating func escape(into bytes: inout [UInt8]) throws(SyntaxError) {
        guard let kind = peek else { throw error("the string does not end") }
        position += 1
        switch kind {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): bytes.append(kind)
        case UInt8(ascii: "n"): bytes.append(0x0A)
        case UInt8(ascii: "r"): bytes.append(0x0D)
        case UInt8(ascii: "t"): bytes.append(0x09)
        case UInt8(ascii: "b"): bytes.append(0x08)
        case UInt8(ascii: "f"): bytes.append(0x0C)
        case UInt8(ascii: "u"): bytes.append(contentsOf: Array(String(try escapedScalar()).utf8))
        default: throw error("an unknown escape")
        }
    }

    private mutating func escapedScalar() throws(SyntaxError) -> Unicode.Scalar {
        let unit = try hexadecimalUnit()
        if let scalar = Unicode.Scalar(unit) { return scalar }
        guard unit < 0xDC00, position + 2 <= input.count, input[position] == UInt8(ascii: "\\"),
            input[position + 1] == UInt8(ascii: "u")
        else { throw error("half a surrogate pair") }
        position += 2
        let low = try hexadecimalUnit()
        guard low >= 0xDC00, low < 0xE000,
            let scalar = Unicode.Scalar(0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00))
        else { throw error("half a surrogate pair") }
        return scalar
    }

    private mutating func hexadecimalUnit() throws(SyntaxError) -> UInt32 {
        guard position + 4 <= input.count else { throw error("four hexadecimal digits were expected") }
        var unit: UInt32 = 0
        for byte in input[position..<position + 4] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else {
                throw error("four hexadecimal digits were expected")
            }
            unit = unit << 4 | UInt32(digit)
        }
        position += 4
        return unit
    }

    private var peek: UInt8? { position < input.count ? input[position] : nil }

    private mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || byte == 0x09 || byte == 0x0D { position += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard peek == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func expect(_ character: Unicode.Scalar) throws(SyntaxError) {
        guard take(character) else { throw error("\(character) was expected") }
    }

    private func error(_ problem: String) -> SyntaxError { SyntaxError(problem: problem, byte: position) }
}
