/// Cuts a stream of bytes into lines.
struct LineBuffer {
    /// A line with more bytes than this is dropped.
    let longestLineBytes: Int
    private var partial: [UInt8] = []
    /// The line that `partial` began is too long: its rest is dropped too.
    private var isOverlong = false

    init(longestLineBytes: Int) { self.longestLineBytes = longestLineBytes }

    /// Takes the next bytes.
    /// - Returns: the lines that they complete, without line ends.
    mutating func append(_ bytes: ArraySlice<UInt8>) -> [String] {
        var lines: [String] = []
        var rest = bytes
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            keep(rest[..<end])
            if !isOverlong { lines.append(String(decoding: partial, as: UTF8.self)) }
            partial.removeAll(keepingCapacity: true)
            isOverlong = false
            rest = rest[(end + 1)...]
        }
        keep(rest)
        return lines
    }

    private mutating func keep(_ bytes: ArraySlice<UInt8>) {
        guard !isOverlong, partial.count + bytes.count <= longestLineBytes else {
            isOverlong = true
            partial.removeAll(keepingCapacity: true)
            return
        }
        partial += bytes
    }
}
