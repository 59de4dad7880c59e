// Tells a worker that stands still from one that is busy: a decision as a value.

/// Sees each worker's count of batches at regular looks, five within the time that a handler may hold its worker.
///
/// A count that has not moved from one look to the fifth after it means that one handler has held the worker for four periods at
/// least and for five at most. While others are stuck already, one period, then half as long, is enough: a wave of blocking handlers
/// would otherwise delay everybody by the full time again for each set of workers that it takes.
package struct StallDetector {
    /// Looks within the time a handler may hold its worker.
    package static let looksPerPatience: UInt64 = 5
    private static let looksInAWave: UInt64 = 2

    private struct Sighting {
        var batches: UInt32
        /// With this count, since the worker was last found stuck. The first is included.
        var looks: UInt64
    }
    private var sightings: [Int: Sighting] = [:]

    package init() {}

    /// One look at a worker that is running something. True: it is stuck. Said again after as many further looks, for a caller that
    /// could do nothing about it.
    package mutating func isStuck(_ worker: Int, batches: UInt32, othersAreStuck: Bool) -> Bool {
        guard var sighting = sightings[worker], sighting.batches == batches else {
            sightings[worker] = Sighting(batches: batches, looks: 1)
            return false
        }
        sighting.looks += 1
        let isStuck = sighting.looks >= (othersAreStuck ? Self.looksInAWave : Self.looksPerPatience)
        if isStuck { sighting.looks = 1 }
        sightings[worker] = sighting
        return isStuck
    }

    /// The worker is not running anything.
    package mutating func forget(_ worker: Int) { sightings[worker] = nil }
}
