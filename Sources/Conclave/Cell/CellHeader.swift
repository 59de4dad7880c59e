// The part of an actor that messages pass through: raw memory, so that no reference is counted on the way.

public import Synchronization

/// An actor's hot words, followed in the same allocation by its behaviour.
///
/// **Scheduling right.** At any moment at most one party may run the actor: the worker that runs it, the queue it waits in, or
/// the sender that found its mailbox idle and is about to schedule it. Everything not atomic here belongs to the holder of that
/// right, and is handed over by the release and acquire of the queue or of `tail`.
///
/// Senders who find the actor busy do not come here: what they write to, `tail`, is in `ActorCell` beside the count of references, which is
/// theirs, too. So on two processors a message moves that line, and this one moves with the right.
@usableFromInline
struct CellHeader: ~Copyable {
    /// Where the behaviour's specialised code is called through: a metatype, so that the call counts no reference.
    @usableFromInline let runtime: any BehaviorRuntime.Type
    /// Which scheduler runs this actor; workers of another one must not take it into their own queues.
    @usableFromInline let schedulerID: ObjectIdentifier
    /// What is seldom needed. Not retained: it owns this memory.
    @usableFromInline let owner: Unmanaged<ActorCell>
    /// The system lane: 0 when empty, `parked` when empty and waiting for mail of its own, else the newest `SystemMessage`.
    @usableFromInline let systemLane: Atomic<UInt>
    /// The first node in the mailbox. Invariant: not null while the right is held by anybody but an enqueuing sender.
    @usableFromInline var head: NodePointer?
    /// Set once, by the holder of the right, before the last drain. Stable for a sender that found the mailbox idle.
    @usableFromInline let isTerminated: Atomic<Bool>
    /// The system has an instrument: messages carry a mark, and the loop tells of each.
    @usableFromInline let isInstrumented: Bool
    /// Runs on a thread of its own, because its handlers may block.
    @usableFromInline let runsOnOwnThread: Bool

    @usableFromInline var phase: CellPhase
    /// The handler asked to stop, failed or dropped a reply; looked at after each message.
    @usableFromInline var needsAttention: Bool
    /// A batch was interrupted after it had received messages: the next one owes their `batchEnded`.
    @usableFromInline var owesBatchEnd: Bool
    /// There is an idle timer, to be told when messages were received.
    @usableFromInline var notesActivity: Bool
    /// At the last look at the clock the batch had taken too long: the next one is timed from its first message on.
    @usableFromInline var isSlow = false
    /// An asynchronous handler is under way: the user lane waits for it.
    @usableFromInline var isAwaiting: Bool

    @usableFromInline var object: ActorCell { owner.takeUnretainedValue() }

    /// How a header and the behaviour behind it are laid out.
    static func layout(
        with runtime: any BehaviorRuntime.Type
    ) -> (byteCount: Int, alignment: Int) {
        let (size, alignment) = runtime.behaviorLayout
        return (behaviorOffset(alignment) + size, max(alignment, MemoryLayout<CellHeader>.alignment))
    }

    /// Where a behaviour with this alignment begins.
    @inlinable
    static func behaviorOffset(_ alignment: Int) -> Int {
        (MemoryLayout<CellHeader>.size + alignment - 1) / alignment * alignment
    }

    /// `tail` of a mailbox that is empty and whose actor nobody is running.
    @inlinable static var idle: UInt { 1 }
    /// `systemLane` of an actor whose user lane waits; the sender that replaces it must schedule the actor.
    @inlinable static var parked: UInt { 1 }
}

@usableFromInline typealias CellPointer = UnsafeMutablePointer<CellHeader>

/// Where an actor is in its life. Changed only by the holder of the scheduling right.
@usableFromInline
enum CellPhase: UInt8 {
    /// `started` has not returned yet.
    case starting
    /// Messages are received.
    case running
    /// An incarnation is ending: its children are stopping.
    case ending
    /// An incarnation has ended and the parent has not decided yet whether another follows. The mailbox is kept.
    case suspended
    /// The end: what arrives is a dead letter.
    case terminated
}

/// A running actor as the runtime passes it around. Opaque: there is nothing here for users.
public struct RunnableCell: @unchecked Sendable {
    // SAFETY: the memory is guarded by the scheduling right described at `CellHeader`.
    @usableFromInline let cell: CellPointer
    @inlinable init(_ cell: CellPointer) { self.cell = cell }
}

extension UnsafeMutablePointer where Pointee == CellHeader {
    /// Where the behaviour is, at the end of the header's allocation. Initialised exactly while `phase` says so.
    @inlinable
    func behavior<Held: ActorBehavior>(_ type: Held.Type) -> UnsafeMutablePointer<Held> {
        (UnsafeMutableRawPointer(self) + CellHeader.behaviorOffset(MemoryLayout<Held>.alignment))
            .assumingMemoryBound(to: Held.self)
    }

    /// Gives the scheduling right away if `last` is the last node in the mailbox; it is the caller's then, and the actor is not. False:
    /// there is more, or will be in a moment.
    @inlinable
    func becomeIdle(after last: NodePointer) -> Bool {
        // Releasing: the next holder of the right sees all that this one wrote. Not retained: it is alive as long as we have the right, and
        // then nothing of it is touched.
        pointee.owner._withUnsafeGuaranteedRef {
            $0.tail.compareExchange(
                expected: last.address,
                desired: CellHeader.idle,
                successOrdering: .releasing,
                failureOrdering: .relaxed
            ).exchanged
        }
    }

    /// After how many messages a batch looks at the clock that is to be timed from its beginning, and when that is.
    @usableFromInline @inline(never)
    func timeFromFirstMessage(_ thread: ThreadPointer) -> (firstCheck: Int, start: UInt64) {
        // A simulation's batches do not depend on the time that they take.
        return thread.pointee.yieldsAtCheck ? (thread.pointee.messagesToFirstCheck, 0) : (1, MonotonicClock.now)
    }

    /// Schedules an actor whose mailbox was idle a moment ago; the caller holds the scheduling right.
    @inlinable
    func scheduleFirst(_ thread: ThreadPointer) {
        // Relaxed: only a holder of the right sets it, and the exchange on `tail` gave us what the last one wrote.
        if pointee.isTerminated.load(ordering: .relaxed) || pointee.runsOnOwnThread {
            scheduleElsewhere(thread)
        } else if let worker = thread.pointee.worker, worker.pointee.schedulerID == pointee.schedulerID {
            worker.wakeNext(self)
        } else {
            scheduleElsewhere(thread)
        }
    }
}

extension ActorCell {
    /// Puts a node at the mailbox's end and schedules the actor if it was idle. The caller keeps the actor alive.
    @inlinable
    func enqueue(_ node: NodePointer, _ thread: ThreadPointer) {
        if link(node) { header.scheduleFirst(thread) }
    }

    /// Puts a node at the mailbox's end. True: the mailbox was idle, and the caller has the scheduling right.
    @inlinable
    func link(_ node: NodePointer) -> Bool {
        // Releasing: the payload is written before the node is reachable. Acquiring: the scheduler's right passes to us, with
        // everything its last holder wrote, if the mailbox was idle.
        let previous = tail.exchange(node.address, ordering: .acquiringAndReleasing)
        if previous == CellHeader.idle {
            header.pointee.head = node
            return true
        }
        NodePointer.at(previous).pointee.next.store(node.address, ordering: .releasing)
        return false
    }
}
