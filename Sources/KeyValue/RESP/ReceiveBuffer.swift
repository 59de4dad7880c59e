#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Received bytes that a parser has not used up yet: one contiguous array and how far it is read.
struct ReceiveBuffer: Sendable {
    /// What was received; the positions below count from its start.
    private(set) var bytes: [UInt8] = []
    /// Where the unused bytes begin: the first byte of an unfinished command.
    private(set) var start = 0
    /// The next byte to look at. Invariant: `start <= cursor <= bytes.count`.
    var cursor = 0
    /// Up to where a line end was looked for in vain.
    private var scanned = 0

    var unusedCount: Int { bytes.count - start }

    /// How many bytes lie behind the cursor.
    var availableCount: Int { bytes.count - cursor }

    /// Adds what arrived. A chunk that finds nothing unused becomes the buffer as it is, without a copy.
    mutating func append(_ chunk: [UInt8]) {
        if bytes.isEmpty {
            bytes = chunk
            return
        }
        if start > 0 {
            // What remains is part of one command, which stays at the front while it grows: each byte moves once.
            bytes.removeSubrange(0..<start)
            cursor -= start
            scanned = max(0, scanned - start)
            start = 0
        }
        bytes.append(contentsOf: chunk)
    }

    /// Marks everything before the cursor as used. Memory of which nothing is left to use is given back.
    mutating func consume() {
        assert(cursor >= start && cursor <= bytes.count, "a parser may only move forward within what it has")
        start = cursor
        if start == bytes.count {
            bytes = []
            start = 0
            cursor = 0
            scanned = 0
        }
    }

    /// Moves the cursor behind the line at it.
    ///
    /// - Parameter limit: the longest line allowed, in bytes.
    /// - Returns: where the line lies, without its end, or nil if more bytes are needed.
    mutating func takeLine(limit: Int) throws(RESPError) -> Range<Int>? {
        let from = max(cursor, scanned)
        let found: Int? = bytes.withUnsafeBytes { all in
            guard from < all.count, let base = all.baseAddress else { return nil }
            // SAFETY: the search covers `from ..< count` of the array that `all` borrows.
            return memchr(base + from, Int32(ASCII.newline), all.count - from).map { UnsafeRawPointer($0) - base }
        }
        guard let found else {
            // One more may be the carriage return of an end that is on its way.
            guard availableCount <= limit + 1 else { throw .tooBigInlineRequest }
            scanned = bytes.count
            return nil
        }
        let hasReturn = found > cursor && bytes[found - 1] == ASCII.carriageReturn
        let line = cursor..<(hasReturn ? found - 1 : found)
        guard line.count <= limit else { throw .tooBigInlineRequest }
        cursor = found + 1
        return line
    }
}
