// What a channel does, as a pure value: no lock, no task, no clock.

/// The state of a channel: what waits in it, who waits for room, and who waits for values.
///
/// `Sender` and `Receiver` stand for those who wait; the shell resumes them as the returned action says, after it has let go of
/// its lock.
///
/// Invariant: receivers wait only while there is neither a value nor a waiting sender; senders wait only while the buffer is full.
struct ChannelState<Element, Sender, Receiver> {
    /// How many values the channel holds while nobody takes them. With zero, a sender hands its value to a receiver.
    let capacity: Int
    private var buffer: Ring<Element> = Ring()
    private var senders: WaitingLine<(value: Element, sender: Sender)> = WaitingLine()
    private var receivers: WaitingLine<Receiver> = WaitingLine()
    /// Nothing is sent any more; what was sent before can still be received.
    private(set) var isClosed = false

    typealias Ticket = UInt64

    init(capacity: Int) { self.capacity = capacity }

    /// Values that were sent and not received; those of waiting senders do not count.
    var count: Int { buffer.count }
    var waitingSenders: Int { senders.count }
    var waitingReceivers: Int { receivers.count }

    // MARK: Sending

    enum SendAction {
        /// The value is in the channel.
        case stored
        /// The value goes to the receiver that has waited longest.
        case hand(Element, to: Receiver)
        /// No room: the value is still the sender's.
        case full(Element)
        /// The channel is closed: the value is still the sender's.
        case closed(Element)
    }

    mutating func send(_ value: Element) -> SendAction {
        if isClosed { return .closed(value) }
        if let receiver = receivers.popFirst() { return .hand(value, to: receiver) }
        if buffer.count < capacity {
            buffer.append(value)
            return .stored
        }
        return .full(value)
    }

    /// The sender waits for room: after `send` said `full`, with nothing in between.
    mutating func wait(_ sender: Sender, with value: Element) -> Ticket { senders.join((value, sender)) }

    /// A sender gives up. Nil: its value has been taken, or the channel has been closed.
    mutating func cancelSend(_ ticket: Ticket) -> (value: Element, sender: Sender)? { senders.leave(ticket) }

    // MARK: Receiving

    enum ReceiveAction {
        /// A value; if a sender is named, its value has taken the room, or was taken itself.
        case take(Element, resume: Sender?)
        /// Nothing is there.
        case empty
        /// Nothing is there, and nothing will come.
        case finished
    }

    mutating func receive() -> ReceiveAction {
        if let value = buffer.popFirst() {
            guard let waiting = senders.popFirst() else { return .take(value, resume: nil) }
            buffer.append(waiting.value)
            return .take(value, resume: waiting.sender)
        }
        if let waiting = senders.popFirst() { return .take(waiting.value, resume: waiting.sender) }
        return isClosed ? .finished : .empty
    }

    /// The receiver waits for a value: after `receive` said `empty`, with nothing in between.
    mutating func wait(_ receiver: Receiver) -> Ticket { receivers.join(receiver) }

    /// A receiver gives up. Nil: it has been served.
    mutating func cancelReceive(_ ticket: Ticket) -> Receiver? { receivers.leave(ticket) }

    // MARK: Closing

    /// Refuses values from now on. Those who wait are to be told: the senders that their values were not taken, with their values,
    /// and the receivers that nothing comes.
    mutating func close() -> (senders: [(value: Element, sender: Sender)], receivers: [Receiver]) {
        isClosed = true
        var refused: [(value: Element, sender: Sender)] = []
        while let waiting = senders.popFirst() { refused.append(waiting) }
        var left: [Receiver] = []
        while let receiver = receivers.popFirst() { left.append(receiver) }
        return (refused, left)
    }
}
