#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Writes to standard output and standard error without buffering: whoever reads a pipe sees each line at once.
enum StandardStreams {
    /// - Returns: false when nobody can read it any more.
    @discardableResult
    static func writeOutput(_ text: String) -> Bool { write(text, to: STDOUT_FILENO) }

    @discardableResult
    static func writeError(_ text: String) -> Bool { write(text, to: STDERR_FILENO) }

    private static func write(_ text: String, to descriptor: Int32) -> Bool {
        var text = text
        return text.withUTF8 { writeFully($0.baseAddress, count: $0.count, to: descriptor) }
    }
}

/// Writes all bytes, going on after interruptions and short writes.
/// - Returns: false with `errno` set when the descriptor takes no more.
func writeFully(_ bytes: UnsafeRawPointer?, count: Int, to descriptor: Int32) -> Bool {
    var written = 0
    while let bytes, written < count {
        let result = write(descriptor, bytes + written, count - written)
        if result < 0 && errno == EINTR { continue }
        guard result > 0 else { return false }
        written += result
    }
    return true
}

/// The system's text for an error number.
func errorText(_ number: Int32) -> String { String(cString: strerror(number)) }
