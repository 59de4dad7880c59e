// How much room a server's disk has, for anybody to see at any moment.

import Synchronization

/// What the log writer says of its disk. Written by the writer alone, read from anywhere.
package final class DiskGauge: Sendable {
    /// How much more fits.
    package enum Space: Int, Sendable, AtomicRepresentable {
        /// Another segment is set aside.
        case ample
        /// No further segment fits. There is room in the present one: for deletions, which make space.
        case low
        /// The log does not fit any more. What was handed to the writer waits for space, unacknowledged.
        case none
    }

    // Relaxed: the word stands for itself, and whoever reads it acts on what was true a moment ago in any case.
    private let level = Atomic<Space>(.ample)

    package var space: Space { level.load(ordering: .relaxed) }

    func setSpace(_ space: Space) { level.store(space, ordering: .relaxed) }
}
