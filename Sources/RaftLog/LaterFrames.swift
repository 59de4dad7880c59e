// The batches behind a bad place of a segment, wherever the disk has put them.

/// Sound headers in the order in which they were written. That is nearly always the order of their places; but a batch that a disk wrote
/// in the wrong place, over earlier ones, must hide neither those that are left of these nor the ones that came later.
struct LaterFrames {
    typealias Frame = (offset: Int, header: FrameHeader)

    /// Ascending. Invariant: the last one written lies behind all others: the log goes on over what lies behind it, as far as that was not
    /// reached before.
    private let frames: [Frame]
    /// How many of them are behind us.
    private var passed = 0
    private var isAnyMissed = false

    /// - Parameter found: in the order of their places.
    init(_ found: [Frame]) {
        guard let last = found.max(by: { $0.header.sequence < $1.header.sequence }) else {
            frames = []
            return
        }
        frames = found.filter { $0.offset <= last.offset }.sorted {
            ($0.header.sequence, $0.offset) < ($1.header.sequence, $1.offset)
        }
    }

    /// Whether one is there that was written later than this one.
    func reach(behind sequence: UInt64) -> Bool { frames.last.map { $0.header.sequence > sequence } ?? false }

    /// The batch that is to go on with, where the one that comes next is not at `offset`: the first one later than that. Each is given once.
    ///
    /// The one that comes next itself only where it must have been written elsewhere, or the one before it was: a batch that a crash cut
    /// short may have left anything behind `offset`.
    mutating func next(for replay: Replay, at offset: Int) -> Frame? {
        while passed < frames.count {
            let frame = frames[passed]
            passed += 1
            let isNext = (isAnyMissed || frame.offset < offset) && replay.expects(frame.header)
            guard isNext || frame.header.sequence > replay.nextSequence else { continue }
            isAnyMissed = true
            return frame
        }
        return nil
    }
}
