// A timer that fires when an actor has received no message for a while.

extension Context {
    /// Sends this actor a message when it has received none for `delay`. The next one it receives starts the wait again.
    ///
    /// Only what was sent to the actor counts: neither timers nor answers, DOWNs or the message sent here keep it from being idle.
    /// One at a time: a call replaces an earlier one. It ends with the incarnation. A message received costs nothing but a look at the
    /// clock when the mailbox runs dry: the timer is not moved but looks, when it fires, how long the actor has been idle.
    public func receiveTimeout(after delay: Duration, send message: @escaping () -> Message) {
        let object = cell.pointee.object
        object.relations?.idleTimer?.cancel()
        let timer = IdleTimer(target: object, delay: delay, makeMessage: message)
        object.require().idleTimer = timer
        cell.pointee.notesActivity = true
        timer.noteActivity()
    }

    /// Ends the wait that `receiveTimeout` began: its message is not received any more, even if it waits already.
    public func cancelReceiveTimeout() { cell.pointee.object.relations?.idleTimer?.cancel() }
}

/// What does not depend on the message type.
class AnyIdleTimer: @unchecked Sendable {
    // SAFETY: touched by the owning actor only, but for `entry`, constant, which the timer service guards.
    fileprivate let target: ActorCell
    private let delay: UInt64
    private var lastActivity: UInt64 = 0
    /// In the heap, or its signal in the mailbox.
    private var isArmed = false
    fileprivate private(set) var isCancelled = false
    private var entry: TimerEntry?

    fileprivate init(target: ActorCell, delay: Duration) {
        self.target = target
        self.delay = max(1, delay.nanoseconds)
    }

    /// Tells the actor that time is up; it looks for itself whether it has been idle.
    func fire() { fatalError("AnyIdleTimer.fire is abstract") }

    /// The actor has received a message.
    func noteActivity() {
        lastActivity = target.system.timers.now
        if !isArmed { arm() }
    }

    func cancel() {
        isCancelled = true
        if let entry { target.system.timers.cancel(entry) }
        entry = nil
        if target.relations?.idleTimer === self {
            target.relations?.idleTimer = nil
            target.header.pointee.notesActivity = false
        }
    }

    /// Whether the actor has been idle for long enough, now that the timer has fired; if not, the timer is set again.
    fileprivate func isDue() -> Bool {
        guard !isCancelled else { return false }
        isArmed = false
        entry = nil
        if target.system.timers.now >= deadline { return true }
        arm()
        return false
    }

    private var deadline: UInt64 {
        let (deadline, overflow) = lastActivity.addingReportingOverflow(delay)
        return overflow ? .max : deadline
    }

    private func arm() {
        isArmed = true
        let entry = TimerCallback { [self] _ in fire() }
        self.entry = entry
        target.system.timers.add(entry, deadline: deadline)
    }
}

private final class IdleTimer<Message>: AnyIdleTimer, @unchecked Sendable {
    // SAFETY: constant, and only called by the owning actor.
    let makeMessage: () -> Message

    init(target: ActorCell, delay: Duration, makeMessage: @escaping () -> Message) {
        self.makeMessage = makeMessage
        super.init(target: target, delay: delay)
    }

    override func fire() { target.header.deliver(IdleSignal(timer: self)) }
}

private final class IdleSignal<Message>: Signal {
    private let timer: IdleTimer<Message>

    init(timer: IdleTimer<Message>) { self.timer = timer }

    override func makeMessage(at destination: UnsafeMutableRawPointer) -> Bool {
        guard timer.isDue() else { return false }
        destination.bindMemory(to: Message.self, capacity: 1).initialize(to: timer.makeMessage())
        return true
    }
}

extension CellPointer {
    /// Tells the idle timer, if there is one, of messages received since it was last told.
    @inlinable @inline(__always)
    func noteActivity(_ messages: inout Int) {
        if pointee.notesActivity, messages > 0 {
            messages = 0
            tellIdleTimer()
        }
    }

    @usableFromInline @inline(never)
    func tellIdleTimer() { pointee.object.relations?.idleTimer?.noteActivity() }
}
