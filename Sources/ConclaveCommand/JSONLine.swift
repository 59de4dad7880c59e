import RaftCore

/// Writes one flat JSON object on one line, its members in the order given.
///
/// `JSONEncoder` promises no order, and a line that people also read should begin with the event's name.
struct JSONLine {
    private var members: [String] = []

    mutating func add(_ name: String, _ value: String) { members.append("\"\(name)\":\(Self.quoted(value))") }
    mutating func add(_ name: String, _ value: some FixedWidthInteger) { members.append("\"\(name)\":\(value)") }
    mutating func add(_ name: String, _ value: Bool) { members.append("\"\(name)\":\(value)") }
    /// Seconds with at most millisecond resolution; JSON has no NaN, and a Duration has none either.
    mutating func add(_ name: String, seconds value: Duration) { members.append("\"\(name)\":\(value.secondsText)") }

    /// The members that lines about servers have in common, in this order.
    mutating func begin(_ event: String, of id: NodeID) {
        add("event", event)
        add("id", id.rawValue)
    }

    mutating func addPorts(client: UInt16, peer: UInt16) {
        add("clientPort", client)
        add("peerPort", peer)
    }

    mutating func addEntries(_ entries: ClosedRange<LogIndex>) {
        add("firstEntry", entries.lowerBound.rawValue)
        add("lastEntry", entries.upperBound.rawValue)
    }

    var text: String { "{" + members.joined(separator: ",") + "}" }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20:
                let hex = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

extension Duration {
    /// Seconds as a decimal number, rounded down to milliseconds, without trailing zeros: `0.4`, `5`.
    var secondsText: String {
        let milliseconds = components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
        let (whole, fraction) = milliseconds.quotientAndRemainder(dividingBy: 1000)
        guard fraction != 0 else { return String(whole) }
        var digits = String(fraction)
        digits = String(repeating: "0", count: 3 - digits.count) + digits
        while digits.hasSuffix("0") { digits.removeLast() }
        return "\(whole).\(digits)"
    }
}
