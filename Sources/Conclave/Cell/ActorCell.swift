// An actor as the runtime sees it: the owner of the hot part, and what is seldom needed.

internal import Dispatch
public import Synchronization

/// The reference-counted part of an actor. References hold it, and so does the parent's child table until the actor has
/// terminated and its last drain is over; that is why scheduling a live actor never counts a reference.
@usableFromInline
final class ActorCell: @unchecked Sendable {
    // SAFETY: `header` is constant and what it points to is guarded by the scheduling right. The variables below belong to the
    // holder of the scheduling right too, except the `sibling` links, `number` and `ownsName`, which belong to the
    // parent's child table and its lock.

    /// The address of the last node in the mailbox, or `idle`. The exchange that enqueues a message also tells whether the
    /// mailbox was idle: a separate count could be wrong between link and count, and one actor would run on two threads.
    ///
    /// The first word behind the count of references: who sends mostly counts one, too, and needs this cache line anyway.
    @usableFromInline let tail: Atomic<UInt>
    @usableFromInline let header: CellPointer
    /// Where messages and signals wait if the mailbox is bounded. Beside `header`: senders read both.
    @usableFromInline let lane: BoundedLane?
    /// Neither bounded nor instrumented, as most, and not ended: a message goes straight into the lock-free mailbox.
    @usableFromInline let isPlain: Atomic<Bool>
    /// From now on whoever sends while the mailbox is drained makes the dead letter: however many send on, the drain comes to its end.
    let hasEnded = Atomic<Bool>(false)
    /// `started` has not returned. For whoever looks from outside.
    let isStarting = Atomic<Bool>(true)
    let restart: RestartType
    let isSignificant: Bool
    let onRestart: OnRestart
    /// The parent's child table holds this actor's name.
    var ownsName = false
    /// The parent ordered the end of the actor: there is no other incarnation.
    private var isEndFinal = false
    /// The parent ordered the end of the incarnation: there is nothing to decide for it.
    private var isEndOrdered = false
    /// The parent waits for the next start.
    private var isStartAnswered = false
    /// The behaviour exists: it does from a successful start to the end of the incarnation.
    private var hasBehavior = false
    /// The parent has been told that it need not wait any longer.
    private var isGone = false
    /// The incarnation stopped itself in `started`, as one whose `init` returns `ignore` in OTP: its end is none of a running child.
    private(set) var isIgnored = false
    /// Not counted: all actors of a system would count on one word. Each holds its parent, and the root holds the system.
    let owningSystem: Unmanaged<ActorSystem>
    /// Retained, and released by `deinit`. Nil for the root of a system.
    private var parentReference: Unmanaged<ActorCell>?
    /// Makes the behaviour of a later incarnation; nil if there will be none.
    private(set) var factory: AnyObject?

    var previousSibling: Unmanaged<ActorCell>?
    var nextSibling: Unmanaged<ActorCell>?
    /// The place among the parent's children; 0 before it has one.
    var number = ChildNumber(0)
    /// Children, monitors and timers, once there are any.
    var relations: CellRelations?
    /// The address of the child table of `relations`, for children that come and go on other threads, where its reference is not
    /// counted, and for snapshots.
    let childTableAddress = Atomic<UInt>(0)
    /// Why the current incarnation is to end, once that is known.
    var endReason: ExitReason?
    /// What was given for this actor and differs from the defaults.
    private let particulars: Particulars?
    /// Counts the starts, failed ones too: answers to the questions of an earlier incarnation are not received.
    private(set) var incarnation = 0
    /// How the actor ended, once it has.
    private(set) var exitReason: ExitReason?

    init(
        runtime: any BehaviorRuntime.Type,
        system: Unmanaged<ActorSystem>,
        parent: Unmanaged<ActorCell>?,
        name: String?,
        options: SpawnOptions,
        factory: AnyObject?
    ) {
        let thread = ThreadState.current
        owningSystem = system
        parentReference = parent?.retain()
        self.factory = factory
        lane = BoundedLane.make(options.mailbox)
        let isInstrumented = system._withUnsafeGuaranteedRef { $0.instrument != nil }
        isPlain = Atomic(lane == nil && !isInstrumented)
        restart = options.restart
        isSignificant = options.isSignificant
        onRestart = options.onRestart
        let shutdown = options.shutdown
        particulars = name == nil && shutdown == nil ? nil : Particulars(name: name, shutdown: shutdown)
        let layout = CellHeader.layout(with: runtime)
        let memory = NodePool.allocateMemory(layout.byteCount, alignment: layout.alignment, thread)
        header = memory.bindMemory(to: CellHeader.self, capacity: 1)
        // The right belongs to the spawning thread until the start is over: the mailbox is not idle but holds a hollow node.
        let first = NodePool.allocate(0, thread)
        first.pointee.kind = .hollow
        tail = Atomic(first.address)
        header.initialize(
            to: CellHeader(
                runtime: runtime,
                schedulerID: parent?._withUnsafeGuaranteedRef { $0.header.pointee.schedulerID }
                    ?? system._withUnsafeGuaranteedRef { ObjectIdentifier($0.scheduler) },
                owner: Unmanaged.passUnretained(self),
                systemLane: Atomic(0),
                head: first,
                isTerminated: Atomic(false),
                isInstrumented: isInstrumented,
                runsOnOwnThread: options.runsOn == .ownThread,
                phase: .starting,
                needsAttention: false,
                owesBatchEnd: false,
                notesActivity: false,
                isAwaiting: false
            )
        )
        if options.intensity != .default { require().intensity = options.intensity }
        if let backoff = options.backoff { require().backoff = BackoffHistory(backoff) }
        if options.runsOn == .ownThread {
            require().ownQueue = DispatchQueue(label: "conclave.\(name ?? "actor")")
        }
        system._withUnsafeGuaranteedRef { $0.cellCount.add(1, thread) }
    }

    deinit {
        let thread = ThreadState.current
        owningSystem._withUnsafeGuaranteedRef { $0.cellCount.add(-1, thread) }
        let layout = CellHeader.layout(with: header.pointee.runtime)
        header.deinitialize(count: 1)
        let memory = UnsafeMutableRawPointer(header)
        NodePool.freeMemory(memory, layout.byteCount, alignment: layout.alignment, thread)
        // Not by recursion: the last reference to a chain of actors that have all ended may be the lowest one's.
        var link = parentReference
        while let reference = link {
            var above = reference.takeRetainedValue()
            link = nil
            if isKnownUniquelyReferenced(&above) { swap(&link, &above.parentReference) }
        }
    }

    /// Nil for the root of a system.
    var parent: ActorCell? { parentReference?.takeUnretainedValue() }

    var system: ActorSystem { owningSystem.takeUnretainedValue() }

    /// Unique among the children of one parent, if given.
    var name: String? { particulars?.name }

    /// How the parent stops this actor.
    var shutdown: Shutdown {
        particulars?.shutdown ?? (header.pointee.runtime.isSupervisor ? .infinite : .default)
    }

    /// The relations, made at their first use.
    func require() -> CellRelations {
        if let relations { return relations }
        let made = CellRelations()
        relations = made
        return made
    }

    var ownQueue: DispatchQueue {
        guard let queue = relations?.ownQueue else { preconditionFailure("\(path) has no thread of its own") }
        return queue
    }

    /// Where the actor is in the tree, as `/parent/child`; an actor without a name appears as its type.
    var path: String {
        guard let parent else { return "/" }
        let own = name ?? "\(header.pointee.runtime)"
        return parent.parent == nil ? "/\(own)" : "\(parent.path)/\(own)"
    }

    // MARK: Starting

    /// Runs the first start on the calling thread. After a throw nothing is left behind but children on their way out.
    ///
    /// - Parameter make: a `FirstStart` that makes the behaviour; nil if the factory is to.
    @usableFromInline
    func startFirst(_ make: UnsafeRawPointer?) throws {
        let thread = ThreadState.current
        let running = thread.pointee.running.load(ordering: .relaxed)
        var frame = StartFrame(cell: header, outer: thread.pointee.starting, running: running)
        // What this actor sends is not the agent's whose action may be spawning it.
        let held = thread.pointee.heldSends
        thread.pointee.heldSends = nil
        defer { thread.pointee.heldSends = held }
        do {
            try withUnsafeMutablePointer(to: &frame) { frame in
                thread.pointee.starting = frame
                defer { thread.pointee.starting = frame.pointee.outer }
                thread.pointee.firstStart = make
                try start()
            }
        } catch {
            endReason = .failed(error)
            isEndFinal = true
            // At once, so that the caller may try again, although children may take a while to stop.
            releaseName()
            withdrawReservedNames()
            beginEnding()
            if attendInPassing() {
                precondition(header.pointee.phase == .terminated, "\(path) failed to start and yet is running")
                header.schedule(thread)  // for the rest of its mailbox
            }
            throw error
        }
        // One that stopped itself already ends here: it would only be scheduled to find that out, and meanwhile its parent,
        // which may be next to stop, would have to ask it to.
        if header.pointee.needsAttention {
            guard attendInPassing() else { return }
            if header.pointee.phase == .terminated { return header.schedule(thread) }
        }
        let first = header.pointee.head.unsafelyUnwrapped
        let isIdle = !header.pointee.needsAttention && header.becomeIdle(after: first)
        if isIdle { NodePool.free(first, thread) } else { header.schedule(thread) }
    }

    /// Attends on the thread that spawns, in the middle of whatever that runs.
    private func attendInPassing() -> Bool {
        let thread = ThreadState.current
        let running = thread.pointee.running.load(ordering: .relaxed)
        var frame = StartFrame(cell: header, outer: thread.pointee.starting, running: running)
        defer { thread.pointee.running.store(running, ordering: .relaxed) }
        return withUnsafeMutablePointer(to: &frame) { frame in
            thread.pointee.starting = frame
            defer { thread.pointee.starting = frame.pointee.outer }
            return attend()
        }
    }

    /// The thread begins to run a hook of this actor. In passing it runs whoever spawns, too: should the hook trap, both have failed.
    private func enterHook(_ thread: ThreadPointer) {
        if let frame = thread.pointee.starting, frame.pointee.cell == header {
            thread.pointee.running.store(frame.pointee.running, ordering: .relaxed)
        } else {
            thread.enter(header)
        }
    }

    /// Undoes the initialiser for an actor that was refused before its start.
    func abandon() {
        NodePool.free(header.pointee.head.unsafelyUnwrapped, ThreadState.current)
    }

    private func start() throws {
        let thread = ThreadState.current
        let before = thread.pointee.current
        thread.pointee.current = header
        // Relaxed: orders nothing.
        isStarting.store(true, ordering: .relaxed)
        defer {
            isStarting.store(false, ordering: .relaxed)
            thread.pointee.current = before
        }
        incarnation += 1
        isIgnored = false
        if let backoff = relations?.backoff { backoff.noteStart(at: system.timers.now) }
        header.pointee.owesBatchEnd = false
        try header.pointee.runtime.startIncarnation(RunnableCell(header))
        hasBehavior = true
        isIgnored = endReason != nil
        header.pointee.phase = .running
        showReservedNames()
        if header.pointee.isInstrumented { instrument?.pointee.actorStarted(ActorInfo(self), incarnation: incarnation) }
        if restart == .temporary { factory = nil }
    }

    // MARK: Attention

    /// The handler that runs now is the incarnation's last. A failure outweighs a wish to stop.
    func requestEnd(_ reason: ExitReason) {
        // We cancelled it.
        if case .failed(let error) = reason, error is CancellationError, header.pointee.phase == .ending { return }
        if endReason == nil || !reason.isNormal { endReason = reason }
        header.pointee.needsAttention = true
    }

    /// A handler of this actor dropped a token: what the asker is told depends on whether the handler is about to fail.
    func noteDropped(_ ask: Answer) {
        require().droppedAsks.append(ask)
        header.pointee.needsAttention = true
    }

    /// Tells those whose tokens were dropped: the handler is over, or awaits or blocks, which may take long.
    func failDroppedAsks() {
        guard let relations, !relations.droppedAsks.isEmpty else { return }
        let failure: AskError =
            if let exitReason {
                .stopped(exitReason)  // a handler that a kill left behind
            } else if let endReason {
                willRestart(after: endReason) ? .restarted : .stopped(endReason)
            } else {
                .unanswered
            }
        for ask in relations.takeDroppedAsks() { ask.fail(failure) }
    }

    /// Deals with everything that is not a message. True: the caller still holds the right and is to schedule the actor again.
    ///
    /// No handler is running: a token that is dropped in here fails its asker at once, and the last reference to this actor
    /// may go away.
    func attend() -> Bool {
        let thread = ThreadState.current
        thread.leave()
        let before = thread.pointee.current
        thread.pointee.current = nil
        defer { thread.pointee.current = before }
        return withExtendedLifetime(self) {
            while true {
                if isHandlerOver { attendToHandler() }
                for mail in header.takeSystemMail() { handle(mail) }
                if isHandlerOver { continue }  // a restart's `started` wants something
                switch header.pointee.phase {
                case .starting: preconditionFailure("\(path) was scheduled before its start was over")
                case .running:
                    // A handler that awaits: its next piece is system mail. If it is there already, others go first.
                    return !(header.pointee.isAwaiting && header.park())
                case .ending:
                    let isAlone = isLastChildGone  // children stop while a handler is waited for
                    if mustWaitForHandler { return !header.park() }
                    if isAlone { endIncarnation() } else if header.park() { return false }
                case .suspended:
                    if header.park() { return false }
                case .terminated:
                    // Before the drain, which gives the right away: a late order of the parent is noted by whoever drains next.
                    let (wasGone, byItself) = (isGone, !isEndFinal)
                    isGone = true
                    let end = drainTerminated(sender: nil, atMost: BatchLimit.messages)
                    if end == .interrupted {
                        isGone = wasGone
                        return true
                    }
                    if !wasGone {
                        if let parentReference {
                            parentReference._withUnsafeGuaranteedRef { $0.childIsGone(self, byItself: byItself) }
                        } else {
                            system.rootIsGone()
                        }
                        factory = nil
                    }
                    return end == .handlerGoesOn
                }
            }
        }
    }

    /// A handler has ended and wants something.
    private var isHandlerOver: Bool { header.pointee.needsAttention && !header.pointee.isAwaiting }

    private func attendToHandler() {
        header.pointee.needsAttention = false
        failDroppedAsks()
        if relations?.unstashes == true { restoreStash() }
        if endReason != nil, header.pointee.phase == .running { beginEnding() }
    }

    func handle(_ mail: SystemMail) {
        switch mail {
        case .stop: receiveExit(.shutdown)
        case .kill: receiveExit(.killed)
        case .end(let order): obey(order)
        case .endTimeOver(let entry): if relations?.endTimer === entry { killWhileEnding() }
        case .watch(let watch):
            if exitReason != nil {
                watch.deliverDown(.noProcess)
            } else if watch.comesFirst {
                require().watches.insert(watch, at: 0)
            } else {
                require().watches.append(watch)
            }
        case .unwatch(let watch): relations?.watches.removeAll { $0 === watch }
        case .link(let link): accept(link)
        case .unlink(let link): relations?.links.removeAll { $0 === link }
        case .childEnded(let child, let notBefore):
            supervise(child) { $0.childEnded(child.number, notBefore: notBefore, now: $1, children: $2) }
        case .childStopped(let child): supervise(child) { $0.childStopped(child.number, now: $1, children: $2) }
        case .childStarted(let child): supervise(child) { $0.childStarted(child.number, now: $1, children: $2) }
        case .childGone(let child, let byItself):
            supervise(nil) { $0.childGone(child.asEnded(byItself), byItself: byItself, now: $1, children: $2) }
        case .restart(let notBefore, let isAnswered): restart(notBefore: notBefore, isAnswered: isAnswered)
        case .backoffOver(let entry): if relations?.restartTimer === entry { restartIncarnation() }
        case .mailboxOverflowed: failOverOverflow()
        case .inspect(let inquiry): answer(inquiry)
        case .endBatch: break  // it is over
        case .job(let job): run(job)
        }
    }

    /// An exit signal from outside. Whether another incarnation follows is up to the restart type.
    private func receiveExit(_ reason: ExitReason) {
        switch header.pointee.phase {
        case .starting, .running:
            endReason = reason
            beginEnding()
        case .ending: if case .killed = reason { killWhileEnding() }
        // There is no incarnation to end; the signal only tells whether there will be one.
        case .suspended: if !restartsByType(after: reason) { terminate(reason) }
        case .terminated: break
        }
    }

    /// An order of the parent.
    private func obey(_ order: EndOrder) {
        if order.isFinal { isEndFinal = true }
        isEndOrdered = true
        switch header.pointee.phase {
        case .starting, .running:
            endReason = order.reason
            beginEnding()
            startEndTimer(order.deadline)
        case .ending: if order.kills { killWhileEnding() } else { startEndTimer(order.deadline) }
        case .suspended:
            relations?.clearTimers(system.timers)
            if order.isFinal { terminate(endReason ?? order.reason) } else { parent?.header.post(.childStopped(self)) }
        case .terminated: break
        }
    }

    /// An actor that waits for its children, or for a handler that awaits, when it ends must not take longer than this.
    private func startEndTimer(_ deadline: UInt64?) {
        guard let deadline, let relations, relations.children?.last != nil || header.pointee.isAwaiting else { return }
        // The entry is dropped at the end of the incarnation. No weak references: an object that has ever had one counts its
        // references in a table of its own, several times slower, for the rest of its life.
        let entry = TimerCallback { entry in self.header.post(.endTimeOver(entry)) }
        if let earlier = relations.endTimer { system.timers.cancel(earlier) }
        relations.endTimer = entry
        system.timers.add(entry, deadline: deadline)
    }

    private func killWhileEnding() {
        guard header.pointee.phase == .ending else { return }
        endReason = .killed
        guard let children = relations?.children else { return }
        for child in children.stopTogether ? children.all : [children.stoppingChild].compactMap({ $0 }) {
            child.orderEnd(isFinal: true, kills: true)
        }
    }

    // MARK: Traps

    /// A handler, or a hook, has trapped; its frames keep what they hold. The caller has the scheduling right, which it gives away.
    func failByTrap(_ signal: TrapSignal, isFirstStart: Bool) {
        hasBehavior = false  // the frames may be in the middle of changing it
        header.pointee.isAwaiting = false
        relations?.handler = nil
        let reason = ExitReason.failed(ActorTrap.trapped(signal))
        switch header.pointee.phase {
        case .starting:
            isStarting.store(false, ordering: .relaxed)
            endReason = reason
            if isFirstStart {
                isEndFinal = true
                releaseName()
                withdrawReservedNames()
            }
            beginEnding()
        case .running: requestEnd(reason)
        case .ending: endReason = reason
        case .suspended: break
        case .terminated: header.pointee.isTerminated.store(true, ordering: .relaxed)  // a handler that was left behind
        }
        // From the caller's thread, which is none of ours.
        header.schedule(ThreadState.current)
    }

    /// The thread of an actor that has one of its own will never come back.
    func renewOwnQueue() { relations?.ownQueue = DispatchQueue(label: "conclave.\(name ?? "actor")") }

    // MARK: Asynchronous handlers

    /// Runs a piece of the handler's task.
    private func run(_ job: UnownedJob) {
        let thread = ThreadState.current
        thread.withAskFailure(nil) {
            thread.pointee.current = header
            thread.pointee.pieceStart = 0
            thread.enter(header)
            job.runSynchronously(on: asUnownedTaskExecutor())
            thread.leave()
            thread.pointee.current = nil
        }
        failDroppedAsks()
        if header.pointee.phase == .terminated { cleanUpAfterLeftHandler() }
    }

    /// A stop waits for the handler that it has cancelled. A kill does not, unless the same actor is to go on afterwards.
    private var mustWaitForHandler: Bool {
        guard header.pointee.isAwaiting else { return false }
        if case .killed = endReason { return willRestart(after: .killed) }
        return true
    }

    /// A handler that a kill left behind has run a piece more, and is over perhaps.
    private func cleanUpAfterLeftHandler() {
        relations?.endIncarnation()
        guard !header.pointee.isAwaiting, hasBehavior else { return }
        hasBehavior = false
        ThreadState.current.withAskFailure(.stopped(.killed)) {
            header.pointee.runtime.endIncarnation(RunnableCell(header), .killed)
        }
        // Relaxed: read by holders of the scheduling right only.
        header.pointee.isTerminated.store(true, ordering: .relaxed)
    }

    /// A message found the mailbox full, and the mailbox's overflow is `fail`.
    private func failOverOverflow() {
        guard let lane else { preconditionFailure("\(path) has no bounded mailbox") }
        lane.noteFailure()
        guard header.pointee.phase == .running else { return }  // it ends anyway
        endReason = .failed(MailboxOverflow(capacity: lane.capacity))
        beginEnding()
    }

    // MARK: The end of an incarnation

    func beginEnding() {
        header.pointee.phase = .ending
        relations?.handler?.cancel()
        if let children = relations?.children {
            children.close()
            stopNextChildren()
        }
    }

    /// Children stop one by one, the youngest first, unless they are to stop together.
    private func stopNextChildren() {
        guard let children = relations?.children, let last = children.last else { return }
        children.stoppingChild = last
        var isKilled = false
        if case .killed = endReason { isKilled = true }
        for child in children.stopTogether ? children.all.reversed() : [last] {
            child.orderEnd(isFinal: true, kills: isKilled)
        }
    }

    /// Ends this child of the calling actor as its `shutdown` says, or by a kill.
    func orderEnd(isFinal: Bool, kills: Bool = false) {
        var order = EndOrder(isFinal: isFinal, kills: kills)
        switch shutdown {
        case .brutalKill: order.kills = true
        case .timeout(let time): if !kills { order.deadline = system.timers.deadline(after: time) }
        case .infinite: break
        }
        header.post(.end(order))
    }

    /// Whether no child is left; tells the next one to stop if the last one told is gone.
    private var isLastChildGone: Bool {
        guard let children = relations?.children else { return true }
        guard let last = children.last else {
            children.stoppingChild = nil
            return true
        }
        if children.stoppingChild !== last, !children.stopTogether { stopNextChildren() }
        return false
    }

    /// Whether there will be another incarnation, as far as this actor knows.
    private func willRestart(after reason: ExitReason) -> Bool {
        guard !isEndFinal, parentReference != nil else { return false }
        return isEndOrdered ? restart != .temporary : restartsByType(after: reason)
    }

    private func restartsByType(after reason: ExitReason) -> Bool {
        switch restart {
        case .permanent: parentReference != nil && !(isIgnored && reason.isNormal)
        case .transient: !reason.isNormal
        case .temporary: false
        }
    }

    private func endIncarnation() {
        let reason = endReason ?? .shutdown
        let isSuspended = willRestart(after: reason)
        let thread = ThreadState.current
        thread.withAskFailure(isSuspended ? .restarted : .stopped(reason)) {
            if hasBehavior, !header.pointee.isAwaiting {
                hasBehavior = false
                enterHook(thread)
                header.pointee.runtime.endIncarnation(RunnableCell(header), reason)
                thread.leave()
            }
            // After the `stopping` hook, which may have started timers and monitors.
            relations?.endIncarnation()
            restoreStash()
            relations?.clearTimers(system.timers)
        }
        header.pointee.needsAttention = false
        if case .failed(let error) = reason { system.publishFailure(path: path, error) }
        if isSuspended, let parent {
            header.pointee.phase = .suspended
            relations?.endLinks(of: self, reason)
            if isEndOrdered {
                parent.header.post(.childStopped(self))
            } else {
                parent.header.post(.childEnded(self, notBefore: endOfBackoff()))
            }
        } else {
            terminate(reason)
        }
    }

    /// When the next incarnation may start.
    private func endOfBackoff() -> UInt64 {
        guard let backoff = relations?.backoff else { return 0 }
        let now = system.timers.now
        return now + backoff.delay(at: now, random: system.random())
    }

    private func restart(notBefore: UInt64, isAnswered: Bool) {
        guard header.pointee.phase == .suspended else { return }
        isStartAnswered = isAnswered
        let now = system.timers.now
        guard notBefore > now else { return restartIncarnation() }
        let entry = TimerCallback { entry in self.header.post(.backoffOver(entry)) }
        require().restartTimer = entry
        publish(.restartDelayed(path: path, by: .nanoseconds(Int64(clamping: notBefore - now))))
        system.timers.add(entry, deadline: notBefore)
    }

    private func restartIncarnation() {
        guard header.pointee.phase == .suspended else { return }
        if onRestart == .discardMailbox { discardMessages() }
        endReason = nil
        isEndOrdered = false
        header.pointee.phase = .starting
        if let relations {
            relations.restartTimer = nil
            relations.children?.reopen(relations.intensity)
        }
        let thread = ThreadState.current
        enterHook(thread)
        defer { thread.leave() }
        do {
            try start()
            let relations = require()
            relations.restartCount += 1
            system.counters.restarts.add(1, ordering: .relaxed)
            publish(.actorRestarted(path: path, restarts: relations.restartCount))
            if isStartAnswered { parent?.header.post(.childStarted(self)) }
        } catch {
            endReason = .failed(error)
            beginEnding()
        }
    }

    // MARK: Links

    /// Another actor has linked itself to this one.
    func accept(_ link: Link) {
        if exitReason != nil {
            if link.end() { link.deliverExit(.noProcess, to: link.other(than: self)) }
        } else {
            // Even if it is over by now: its exit, or the news that it was taken back, comes after this.
            require().links.append(link)
        }
    }

    // MARK: The parent's table

    /// Lets a sibling have this actor's name, if it has one.
    private func releaseName() {
        guard ownsName else { return }  // only ever set before the start
        parent?.relations?.children?.releaseName(of: self)
    }

    func publish(_ event: @autoclosure () -> SystemEvent) {
        owningSystem._withUnsafeGuaranteedRef { $0.publish(event()) }
    }

    // MARK: Termination

    private func terminate(_ reason: ExitReason) {
        exitReason = reason
        header.pointee.phase = .terminated
        // Relaxed: read by holders of the scheduling right only. A handler that was left behind still runs here, so that it does
        // not meet anybody who drains the mailbox.
        if !header.pointee.isAwaiting { header.pointee.isTerminated.store(true, ordering: .relaxed) }
        lane?.close(reason)
        releaseName()
        if parent == nil { system.rootHasEnded(reason) }
        publish(.actorStopped(path: path, reason: reason))
        if header.pointee.isInstrumented { instrument?.pointee.actorEnded(ActorInfo(self), reason: reason) }
        if let relations {
            let watches = relations.watches
            relations.watches = []
            for watch in watches { watch.deliverDown(reason) }
            relations.endLinks(of: self, reason)
            relations.clearTimers(system.timers)
        }
        // Releasing: whoever sees it sees the reason.
        hasEnded.store(true, ordering: .releasing)
        // Relaxed: a hint; who misses it sends into the mailbox, which is drained.
        isPlain.store(false, ordering: .relaxed)
    }
}
