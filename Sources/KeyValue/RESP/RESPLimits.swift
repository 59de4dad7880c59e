/// The bounds a RESP parser keeps. Each is checked on the announced length, before any memory is taken for it.
package struct RESPLimits: Hashable, Sendable {
    /// The longest bulk string, in bytes.
    package var bulkSizeBytes = 16 << 20
    /// The most elements one array (one command) may announce.
    package var arrayCount = 1_048_576
    /// The longest line: an inline command, or a simple string or error in a reply. In bytes, without its end.
    package var lineSizeBytes = 64 << 10
    /// The longest command or reply as a whole, in bytes on the wire. Below 4 GiB.
    package var totalSizeBytes = 64 << 20
    /// How deep arrays of a reply may nest.
    package var depth = 32

    package init() {}
}
