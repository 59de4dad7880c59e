// The log's content as a value that batches are applied to.

import RaftCore

/// The log's content as the batches build it up: a pure value.
struct Replay {
    var hardState = HardState()
    var entries: [Entry] = []
    /// The sequence the next batch must have.
    var nextSequence: UInt64 = 1
    /// The checksum the next batch must name.
    var previousChecksum: UInt32 = 0

    var lastIndex: LogIndex { entries.last?.index ?? .zero }

    /// Whether this header is that of the batch that comes next.
    func expects(_ header: FrameHeader) -> Bool {
        header.sequence == nextSequence && header.previousChecksum == previousChecksum
    }

    /// Applies a verified frame; false when it contradicts what is before it, which no crash can bring about.
    mutating func apply(_ header: FrameHeader, _ frame: UnsafeRawBufferPointer) -> Bool {
        if let next = header.hardState(in: frame) {
            guard next.term >= hardState.term else { return false }
            hardState = next
        }
        if header.entryCount > 0 {
            guard header.firstIndex <= lastIndex.next else { return false }
            entries.removeLast(lastIndex.next - header.firstIndex)
            header.appendEntries(in: frame, to: &entries)
        }
        nextSequence += 1
        previousChecksum = header.checksum
        return true
    }
}
