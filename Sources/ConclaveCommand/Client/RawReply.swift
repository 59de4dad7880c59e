import KeyValue

private let newline = [UInt8(ascii: "\n")]

extension Reply {
    /// The reply as redis-cli writes it into a pipe: the bytes themselves, one line an element. Without a last line end.
    var rawBytes: [UInt8] {
        switch self {
        case .simple(let text): Array(text.utf8)
        case .failure(let error): Array((error.message.isEmpty ? error.code : "\(error.code) \(error.message)").utf8)
        case .integer(let value): Array("\(value)".utf8)
        case .bulk(let content): Array(content)
        case .null: []
        case .boolean(let value): Array(value ? "(true)".utf8 : "(false)".utf8)
        case .double(let value): Array("\(value)".utf8)
        case .verbatim(_, let text): Array(text)
        case .array(let elements), .set(let elements), .push(let elements):
            Array(elements.map(\.rawBytes).joined(separator: newline))
        case .map(let pairs):
            Array(
                pairs.map { $0.key.rawBytes + Array(" ".utf8) + $0.value.rawBytes }.joined(separator: newline)
            )
        }
    }
}
