// When things are due: a binary heap whose entries know their place, so that a cancelled one leaves at once.

/// One thing that is due at a moment.
@usableFromInline
class TimerEntry: @unchecked Sendable {
    // SAFETY: `deadline` and `position` are only touched by the heap that holds the entry, under its owner's lock.
    fileprivate(set) final var deadline: UInt64 = 0
    fileprivate final var position: Int?

    init() {}

    /// What happens then, on the time source's thread: short, and never blocking.
    func fire() { fatalError("TimerEntry.fire is abstract") }
}

/// An entry that calls a function.
final class TimerCallback: TimerEntry, @unchecked Sendable {
    // SAFETY: constant.
    private let action: @Sendable (TimerEntry) -> Void

    init(_ action: @escaping @Sendable (TimerEntry) -> Void) { self.action = action }

    override func fire() { action(self) }
}

/// A binary min-heap of timer entries by deadline. A pure value: nobody reads a clock here.
struct TimerHeap {
    private var entries: [TimerEntry] = []

    var count: Int { entries.count }
    /// The earliest deadline.
    var nextDeadline: UInt64? { entries.first?.deadline }

    mutating func insert(_ entry: TimerEntry, deadline: UInt64) {
        precondition(entry.position == nil, "a timer entry was inserted twice")
        entry.deadline = deadline
        entry.position = entries.count
        entries.append(entry)
        siftUp(entries.count - 1)
    }

    /// False: it is not in the heap, because it fired or was removed before.
    @discardableResult
    mutating func remove(_ entry: TimerEntry) -> Bool {
        guard let position = entry.position else { return false }
        entry.position = nil
        let last = entries.removeLast()
        if last !== entry {
            place(last, at: position)
            siftUp(position)
            siftDown(last.position.unsafelyUnwrapped)
        }
        return true
    }

    /// The earliest entry, if it is due.
    mutating func popDue(at now: UInt64) -> TimerEntry? {
        guard let first = entries.first, first.deadline <= now else { return nil }
        remove(first)
        return first
    }

    /// Takes out everything.
    mutating func removeAll() {
        for entry in entries { entry.position = nil }
        entries = []
    }

    private mutating func place(_ entry: TimerEntry, at position: Int) {
        entries[position] = entry
        entry.position = position
    }

    private mutating func siftUp(_ start: Int) {
        var position = start
        let entry = entries[position]
        while position > 0 {
            let parent = (position - 1) / 2
            if entries[parent].deadline <= entry.deadline { break }
            place(entries[parent], at: position)
            position = parent
        }
        place(entry, at: position)
    }

    private mutating func siftDown(_ start: Int) {
        var position = start
        let entry = entries[position]
        while true {
            var child = 2 * position + 1
            if child >= entries.count { break }
            if child + 1 < entries.count, entries[child + 1].deadline < entries[child].deadline { child += 1 }
            if entry.deadline <= entries[child].deadline { break }
            place(entries[child], at: position)
            position = child
        }
        place(entry, at: position)
    }
}
