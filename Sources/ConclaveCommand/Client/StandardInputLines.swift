#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The lines of standard input as bytes: a value on the way to a server need not be text.
struct StandardInputLines {
    private var buffer: ArraySlice<UInt8> = []
    private var isAtEnd = false

    /// The next line without its line end; nil at the end of the input. A last line without line end counts.
    mutating func next() -> ArraySlice<UInt8>? {
        var searched = buffer.startIndex
        while true {
            if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                defer { buffer = buffer[(end + 1)...] }
                return buffer[..<end]
            }
            if isAtEnd {
                defer { buffer = [] }
                return buffer.isEmpty ? nil : buffer
            }
            searched = buffer.count
            if buffer.startIndex != 0 { buffer = ArraySlice(Array(buffer)) }
            fill()
        }
    }

    private mutating func fill() {
        let chunk = [UInt8](unsafeUninitializedCapacity: 64 << 10) { target, count in
            var result = read(STDIN_FILENO, target.baseAddress, target.count)
            while result < 0 && errno == EINTR { result = read(STDIN_FILENO, target.baseAddress, target.count) }
            count = max(result, 0)
        }
        if chunk.isEmpty { isAtEnd = true } else { buffer += chunk }
    }
}
