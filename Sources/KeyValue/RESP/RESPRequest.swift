/// A command as it was received: its arguments, the first of which is the command's name.
///
/// It shares the parser's buffer, so making one copies nothing. Drop it before the parser is fed again: the parser must
/// copy its unread rest while someone holds on.
package struct RESPRequest: Sendable {
    private let storage: [UInt8]
    /// Where in `storage` the command starts; the ranges count from here.
    private let base: Int
    /// Start and end of each argument.
    private let ranges: ArgumentRanges

    init(storage: [UInt8], base: Int, ranges: ArgumentRanges) {
        self.storage = storage
        self.base = base
        self.ranges = ranges
    }

    /// A request of these arguments, as a test or a client states it.
    package init(_ arguments: [[UInt8]]) {
        precondition(!arguments.isEmpty, "a request has at least the command's name")
        var storage: [UInt8] = []
        var ranges = ArgumentRanges()
        for argument in arguments {
            ranges.append(from: storage.count, to: storage.count + argument.count)
            storage.append(contentsOf: argument)
        }
        self.init(storage: storage, base: 0, ranges: ranges)
    }

    /// How many arguments there are, the name included. At least 1.
    package var count: Int { ranges.count }

    /// The argument at `index`; index 0 is the command's name.
    package subscript(index: Int) -> Bytes {
        let (start, end) = ranges[index]
        return storage[(base + start)..<(base + end)]
    }

    /// All arguments, copied.
    package var arguments: [[UInt8]] { (0..<count).map { Array(self[$0]) } }
}

/// Where the arguments of one command lie. The first four need no memory of their own, which covers SET with an option.
struct ArgumentRanges: Sendable {
    private static let inlineCount = 4

    private(set) var count = 0
    private var inline = SIMD8<UInt32>()
    private var overflow: [SIMD2<UInt32>] = []

    @inline(__always)
    mutating func append(from start: Int, to end: Int) {
        if count < Self.inlineCount {
            inline[2 * count] = UInt32(truncatingIfNeeded: start)
            inline[2 * count + 1] = UInt32(truncatingIfNeeded: end)
        } else {
            overflow.append(SIMD2(UInt32(truncatingIfNeeded: start), UInt32(truncatingIfNeeded: end)))
        }
        count += 1
    }

    @inline(__always)
    subscript(index: Int) -> (start: Int, end: Int) {
        precondition(index >= 0 && index < count, "no such argument")
        if index < Self.inlineCount {
            return (Int(inline[2 * index]), Int(inline[2 * index + 1]))
        }
        let pair = overflow[index - Self.inlineCount]
        return (Int(pair.x), Int(pair.y))
    }
}
