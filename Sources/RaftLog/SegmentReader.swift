// Reads a segment through a window of bounded size.

/// A file seen through one reusable window.
///
/// Memory is bounded by the larger of the window and the longest range asked for; callers ask only for lengths that a
/// checksum has vouched for.
struct SegmentReader {
    /// How much is read at once.
    static let windowSizeBytes = 1 << 20

    let disk: any Disk
    let file: DiskFile
    let sizeBytes: Int
    private let storage: RawStorage
    private let windowSizeBytes: Int
    private var windowOffset = 0
    private var windowCount = 0

    init(
        disk: any Disk,
        file: DiskFile,
        storage: RawStorage,
        windowSizeBytes: Int = SegmentReader.windowSizeBytes
    ) throws(LogError) {
        self.disk = disk
        self.file = file
        self.storage = storage
        self.windowSizeBytes = windowSizeBytes
        do { sizeBytes = try disk.size(of: file) } catch { throw .io(error) }
    }

    /// The bytes from `offset`; nil when the file ends before them. Valid until the next call.
    mutating func bytes(at offset: Int, count: Int) throws(LogError) -> UnsafeRawBufferPointer? {
        guard offset + count <= sizeBytes else { return nil }
        if offset < windowOffset || offset + count > windowOffset + windowCount {
            let wanted = min(max(count, windowSizeBytes), sizeBytes - offset)
            storage.require(wanted)
            windowOffset = offset
            windowCount = 0
            let window = UnsafeMutableRawBufferPointer(rebasing: storage.bytes[..<wanted])
            do { windowCount = try disk.read(file, at: offset, into: window) } catch { throw .io(error) }
            guard windowCount >= count else { return nil }
        }
        return UnsafeRawBufferPointer(storage.bytes).part(offset - windowOffset, count)
    }
}
