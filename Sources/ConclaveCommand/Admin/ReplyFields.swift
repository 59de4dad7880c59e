// Reading the maps that servers answer operators with.

import KeyValue

extension Reply {
    /// A map's value of this name.
    func field(_ name: String) -> Reply? {
        guard case .map(let pairs) = self else { return nil }
        return pairs.first { $0.key == .bulk(text: name) }?.value
    }

    /// A text, or a number as text; nil for anything else.
    var plainText: String? {
        switch self {
        case .simple(let text): text
        case .bulk(let bytes): bytes.text
        case .integer(let number): String(number)
        case .boolean(let flag): flag ? "true" : "false"
        default: nil
        }
    }

    var number: Int64? { if case .integer(let number) = self { number } else { nil } }

    var elements: [Reply] { if case .array(let elements) = self { elements } else { [] } }
}
