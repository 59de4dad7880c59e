#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// How far something is, on standard error: on a terminal one line, written anew at most five times a second; elsewhere a line every ten
/// seconds.
struct ProgressLine {
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private var shownAt = ContinuousClock.now

    mutating func show(_ text: @autoclosure () -> String) {
        let now = ContinuousClock.now
        guard now - shownAt >= .milliseconds(isTerminal ? 200 : 10_000) else { return }
        shownAt = now
        StandardStreams.writeError(isTerminal ? "\r\u{1B}[K" + text() : text() + "\n")
    }

    /// Makes room for what is to stay.
    func clear() { if isTerminal { StandardStreams.writeError("\r\u{1B}[K") } }
}
