// What happened in a run, one line an event, and a number that stands for all of it.

/// The events of a run in the order in which they happened.
///
/// The columns: the step, the virtual time in milliseconds since the start, the machine, the event, whom it is about. Events: `run`
/// (an actor received messages and its mailbox is dry), `run+` (it has more to do), `job` (a piece of a task ran), `timer`
/// (the machine's alarm went off), `boot`, `crash`, `pause`, `resume`, `clock` and `disk`
/// (they were made wrong or slow), `note` (`Simulation.note`).
public struct SimulationTrace: Sendable, CustomStringConvertible {
    /// One event.
    struct Event: Sendable {
        var step: Int
        var nanoseconds: UInt64
        var machine: String
        var kind: Kind
        var detail: String
    }

    enum Kind: String, Sendable {
        case run, runAndYield = "run+", job, timer, boot, crash, pause, resume, clock, disk, note
    }

    /// The last so many events are kept.
    let capacity: Int
    private var events: [Event] = []
    /// The last notes, as many as events, among those that are older.
    private var olderNotes: [Event] = []
    /// Where the oldest is, once `events` is full.
    private var oldest = 0
    /// Stands for the order of all events, kept or not: two runs with the same number took the same steps.
    private(set) var signature: UInt64 = 0xCBF2_9CE4_8422_2325

    init(capacity: Int) { self.capacity = capacity }

    /// Makes the signature depend on a number.
    mutating func sign(_ number: UInt64) {
        signature = (signature ^ number) &* 0x100_0000_01B3
        signature ^= signature >> 29
    }

    mutating func sign(_ text: String) { for byte in text.utf8 { sign(UInt64(byte)) } }

    mutating func add(_ event: @autoclosure () -> Event) {
        guard capacity > 0 else { return }
        if events.count < capacity { return events.append(event()) }
        if events[oldest].kind == .note {
            if olderNotes.count == capacity { olderNotes.removeFirst() }
            olderNotes.append(events[oldest])
        }
        events[oldest] = event()
        oldest = (oldest + 1) % capacity
    }

    private static let legend = "    step          ms  machine   event   actor or detail\n"

    /// The kept events as text, after a legend.
    public var description: String { Self.legend + lines(events[oldest...] + events[..<oldest]) }

    /// The same, behind the notes of what was before.
    var withOlderNotes: String {
        guard !olderNotes.isEmpty else { return description }
        return "Of what was long before the end, notes only:\n" + Self.legend + lines(olderNotes[...])
            + "\nThe end:\n" + description
    }

    private func lines(_ events: ArraySlice<Event>) -> String {
        var text = ""
        for event in events {
            let milliseconds = event.nanoseconds / 1_000_000
            let fraction = "\(event.nanoseconds / 1_000 % 1_000)"
            let time = "\(milliseconds)." + String(repeating: "0", count: 3 - fraction.count) + fraction
            text += Self.right("\(event.step)", 8) + Self.right(time, 12) + "  " + Self.left(event.machine, 8) + "  "
            text += Self.left(event.kind.rawValue, 6) + "  " + event.detail + "\n"
        }
        return text
    }

    private static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }

    private static func left(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
