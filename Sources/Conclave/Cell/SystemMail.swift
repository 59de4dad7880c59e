// What reaches an actor beside its messages and overtakes them: orders and news of the runtime itself.

internal import ConclavePlatform
internal import Synchronization

/// One piece of system mail.
enum SystemMail {
    /// An exit signal from outside: stop after the current message. What follows is the parent's decision.
    case stop
    /// The same without the `stopping` hook.
    case kill
    /// The parent's order.
    case end(EndOrder)
    /// The time to stop in is over.
    case endTimeOver(TimerEntry)
    /// Somebody wants to know when this actor ends.
    case watch(Watch)
    case unwatch(Watch)
    /// Another actor linked itself to this one, or took that back.
    case link(Link)
    case unlink(Link)
    /// A child's incarnation ended by itself; the child is suspended until this actor decides. Its backoff ends at that moment.
    case childEnded(ActorCell, notBefore: UInt64)
    /// A child's incarnation ended as this actor had ordered; the child is suspended.
    case childStopped(ActorCell)
    /// A fresh incarnation of a child started as this actor had ordered.
    case childStarted(ActorCell)
    /// A child has ended for good; `byItself` if this actor had not ordered it.
    case childGone(ActorCell, byItself: Bool)
    /// The parent's decision about a suspended actor: a fresh incarnation, not before that moment.
    case restart(notBefore: UInt64, isAnswered: Bool)
    /// The backoff is over.
    case backoffOver(TimerEntry)
    /// Somebody takes a snapshot.
    case inspect(Inquiry)
    /// The actor's handler was found to block, and others do its worker's work: the batch ends with this message.
    case endBatch
    /// A message found the mailbox full, and this actor is to fail over it.
    case mailboxOverflowed
    /// The next piece of the task that runs an asynchronous handler.
    case job(UnownedJob)
}

/// How a parent ends a child.
struct EndOrder {
    /// No other incarnation follows. If false, the child stays suspended, unless it is temporary.
    var isFinal: Bool
    /// Without the `stopping` hook.
    var kills: Bool
    /// When the child is killed if it has not ended.
    var deadline: UInt64?

    var reason: ExitReason { kills ? .killed : .shutdown }
}

/// A link of the system lane: a stack that its consumer takes whole and reverses.
final class SystemMessage {
    let mail: SystemMail
    var next: UInt = 0

    init(_ mail: SystemMail) { self.mail = mail }
}

extension UnsafeMutablePointer where Pointee == CellHeader {
    /// Adds to the system lane and makes sure that the actor looks at it. From any thread; the caller keeps the actor alive.
    func post(_ mail: SystemMail) {
        if pointee.object.dealsAfterEnd(with: mail) { return }
        // Should the stack overflow before the actor is woken, nobody would wake it for this.
        conclave_enter_section()
        defer { conclave_leave_section() }
        let message = SystemMessage(mail)
        let address = UInt(bitPattern: Unmanaged.passRetained(message).toOpaque())
        var newest = pointee.systemLane.load(ordering: .relaxed)
        while true {
            message.next = newest == CellHeader.parked ? 0 : newest
            // Releasing: the consumer sees the message. Acquiring: a parked actor's right passes to us.
            let (done, now) = pointee.systemLane.compareExchange(
                expected: newest,
                desired: address,
                successOrdering: .acquiringAndReleasing,
                failureOrdering: .relaxed
            )
            if done { break }
            newest = now
        }
        let thread = ThreadState.current
        if newest == CellHeader.parked {
            schedule(thread)
        } else {
            let wake = NodePool.allocate(0, thread)
            wake.pointee.kind = .hollow
            pointee.object.enqueue(wake, thread)
        }
    }

    /// Everything in the system lane, oldest first.
    func takeSystemMail() -> [SystemMail] {
        // Relaxed: a hint, the exchange below decides.
        guard pointee.systemLane.load(ordering: .relaxed) != 0 else { return [] }
        var address = pointee.systemLane.exchange(0, ordering: .acquiring)
        var mail: [SystemMail] = []
        while address != 0 {
            let opaque = UnsafeRawPointer(bitPattern: address).unsafelyUnwrapped
            let message = Unmanaged<SystemMessage>.fromOpaque(opaque).takeRetainedValue()
            mail.append(message.mail)
            address = message.next
        }
        mail.reverse()
        return mail
    }

    /// Gives the scheduling right away until system mail arrives. False: there is some already.
    func park() -> Bool {
        // Releasing: whoever schedules us next sees what we wrote.
        pointee.systemLane.compareExchange(
            expected: 0,
            desired: CellHeader.parked,
            successOrdering: .releasing,
            failureOrdering: .relaxed
        ).exchanged
    }

    /// Hands the scheduling right, which the caller holds, to whoever will run the actor.
    func schedule(_ thread: ThreadPointer) {
        if !pointee.runsOnOwnThread, let worker = thread.pointee.worker,
            worker.pointee.schedulerID == pointee.schedulerID
        {
            worker.wakeNext(self)
        } else {
            handOver()
        }
    }

    /// The way of `scheduleFirst` that is not short: dead letters, threads outside the executor, actors with their own thread.
    @usableFromInline @inline(never)
    func scheduleElsewhere(_ thread: ThreadPointer) {
        if pointee.isTerminated.load(ordering: .relaxed) {
            pointee.object.drainTerminated(sender: thread.pointee.current)
        } else {
            handOver()
        }
    }

    private func handOver() {
        // Should the stack overflow in here, nobody else would ever schedule the actor.
        conclave_enter_section()
        defer { conclave_leave_section() }
        let scheduler = pointee.object.system.scheduler
        if pointee.runsOnOwnThread {
            scheduler.scheduleOnOwnThread(RunnableCell(self))
        } else {
            scheduler.schedule(RunnableCell(self))
        }
    }

    /// The actor's code threw: it fails after this message.
    @usableFromInline @inline(never)
    func noteFailure(_ error: any Error) {
        pointee.object.requestEnd(.failed(error))
    }

    @usableFromInline
    func factory<Made: ActorBehavior>(of type: Made.Type) -> BehaviorFactory<Made> {
        guard let factory = pointee.object.factory else { preconditionFailure("a start after the last one") }
        return unsafeDowncast(factory, to: BehaviorFactory<Made>.self)
    }
}
