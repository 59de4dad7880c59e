// An actor as the runtime sees it: the owner of the hot part, and what is seldom needed.

internal import Dispatch
internal import Synchronization

/// The reference-counted part of an actor. References hold it, and so does the parent's child table until the actor has
/// terminated and its last drain is over; that is why scheduling a live actor never counts a reference.
@usableFromInline
final class ActorCell: @unchecked Sendable {
    // SAFETY: `header` is constant and what it points to is guarded by the scheduling right. The variables below belong to the
    // holder of the scheduling right too, except the `sibling` links and `ownsName`, which belong to the parent's child
    // table and its lock.

    @usableFromInline let header: CellPointer
    /// Where messages and signals wait if the mailbox is bounded. Beside `header`: senders read both.
    @usableFromInline let lane: BoundedLane?
    /// Neither bounded nor instrumented, as most: a message goes straight into the lock-free mailbox.
    @usableFromInline let isPlain: Bool
    let restart: RestartType
    /// The parent's child table holds this actor's name.
    var ownsName = false
    /// The end was ordered: there is no other incarnation.
    private var isEndFinal = false
    /// The behaviour exists: it does from a successful start to the end of the incarnation.
    private var hasBehavior = false
    /// Not counted: all actors of a system would count on one word. Each holds its parent, and the root holds the system.
    let owningSystem: Unmanaged<ActorSystem>
    /// Retained, and released by `deinit`. Nil for the root of a system.
    private var parentReference: Unmanaged<ActorCell>?
    /// Makes the behaviour of a later incarnation; nil if there will be none.
    private(set) var factory: AnyObject?

    var previousSibling: Unmanaged<ActorCell>?
    var nextSibling: Unmanaged<ActorCell>?
    /// Children, monitors and timers, once there are any.
    var relations: CellRelations?
    /// The child table of `relations`, for children that come and go on other threads: its reference is not counted there.
    private var childTable: Unmanaged<ChildTable>?
    /// Why the current incarnation is to end, once that is known.
    private var endReason: ExitReason?
    /// What was given for this actor and differs from the defaults.
    private let particulars: Particulars?
    /// Successful restarts so far.
    private var restartCount = 0
    /// Counts the starts, failed ones too: answers to the questions of an earlier incarnation are not received.
    private(set) var incarnation = 0
    /// How the actor ended, once it has.
    private var exitReason: ExitReason?

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
        isPlain = lane == nil && !isInstrumented
        restart = options.restart
        let shutdown = options.shutdown
        particulars = name == nil && shutdown == nil ? nil : Particulars(name: name, shutdown: shutdown)
        let layout = CellHeader.layout(with: runtime)
        let memory = NodePool.allocateMemory(layout.byteCount, alignment: layout.alignment, thread)
        header = memory.bindMemory(to: CellHeader.self, capacity: 1)
        // The right belongs to the spawning thread until the start is over: the mailbox is not idle but holds a hollow node.
        let first = NodePool.allocate(0, thread)
        first.pointee.kind = .hollow
        header.initialize(
            to: CellHeader(
                tail: Atomic(first.address),
                systemLane: Atomic(0),
                isTerminated: Atomic(false),
                head: first,
                behavior: memory + layout.behaviorOffset,
                runtime: runtime,
                phase: .starting,
                needsAttention: false,
                owesBatchEnd: false,
                notesActivity: false,
                isInstrumented: isInstrumented,
                runsOnOwnThread: options.runsOn == .ownThread,
                schedulerID: parent?._withUnsafeGuaranteedRef { $0.header.pointee.schedulerID }
                    ?? system._withUnsafeGuaranteedRef { ObjectIdentifier($0.scheduler) },
                owner: Unmanaged.passUnretained(self)
            )
        )
        if options.intensity != .default { require().intensity = options.intensity }
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
        do {
            ThreadState.current.pointee.firstStart = make
            try start()
        } catch {
            endReason = .failed(error)
            isEndFinal = true
            // At once, so that the caller may try again, although children may take a while to stop.
            releaseName()
            beginEnding()
            if attendInPassing() { preconditionFailure("\(path) failed to start and yet is running") }
            throw error
        }
        // One that stopped itself already ends here: it would only be scheduled to find that out, and meanwhile its parent,
        // which may be next to stop, would have to ask it to.
        if header.pointee.needsAttention, !attendInPassing() { return }
        // Releasing: as at the end of a batch.
        let first = header.pointee.head.unsafelyUnwrapped
        let isIdle =
            !header.pointee.needsAttention
            && header.pointee.tail.compareExchange(
                expected: first.address,
                desired: CellHeader.idle,
                successOrdering: .releasing,
                failureOrdering: .relaxed
            ).exchanged
        let thread = ThreadState.current
        if isIdle { NodePool.free(first, thread) } else { header.schedule(thread) }
    }

    /// Attends on the thread that spawns, in the middle of whatever that runs.
    private func attendInPassing() -> Bool {
        let thread = ThreadState.current
        let outer = thread.pointee.running.load(ordering: .relaxed)
        defer { thread.pointee.running.store(outer, ordering: .relaxed) }
        return attend()
    }

    /// Undoes the initialiser for an actor that was refused before its start.
    func abandon() {
        NodePool.free(header.pointee.head.unsafelyUnwrapped, ThreadState.current)
    }

    private func start() throws {
        let thread = ThreadState.current
        let before = thread.pointee.current
        thread.pointee.current = header
        defer { thread.pointee.current = before }
        incarnation += 1
        header.pointee.owesBatchEnd = false
        try header.pointee.runtime.startIncarnation(RunnableCell(header))
        hasBehavior = true
        header.pointee.phase = .running
        showReservedNames()
        if header.pointee.isInstrumented { system.instrument?.actorStarted(ActorInfo(self), incarnation: incarnation) }
        if restart == .temporary { factory = nil }
    }

    // MARK: Attention

    /// The handler that runs now is the incarnation's last. A failure outweighs a wish to stop.
    func requestEnd(_ reason: ExitReason) {
        if endReason == nil || !reason.isNormal { endReason = reason }
        header.pointee.needsAttention = true
    }

    /// A handler of this actor dropped a token: what the asker is told depends on how the handler ends.
    func noteDropped(_ ask: any PendingAnswer) {
        require().droppedAsks.append(ask)
        header.pointee.needsAttention = true
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
                if header.pointee.needsAttention { attendToHandler() }
                for mail in header.takeSystemMail() { handle(mail) }
                if header.pointee.needsAttention { continue }  // a restart's `started` wants something
                switch header.pointee.phase {
                case .starting: preconditionFailure("\(path) was scheduled before its start was over")
                case .running: return true
                case .ending:
                    if isLastChildGone { endIncarnation() } else if header.park() { return false }
                case .suspended:
                    if header.park() { return false }
                case .terminated:
                    drainTerminated(sender: nil)
                    if let parentReference {
                        parentReference._withUnsafeGuaranteedRef { $0.childIsGone(self) }
                    } else {
                        system.rootIsGone()
                    }
                    return false
                }
            }
        }
    }

    private func attendToHandler() {
        header.pointee.needsAttention = false
        let failure: AskError =
            if let endReason { willRestart(after: endReason) ? .restarted : .stopped(endReason) } else { .unanswered }
        let droppedAsks = relations?.takeDroppedAsks() ?? []
        for ask in droppedAsks { ask.fail(failure) }
        if relations?.unstashes == true { restoreStash() }
        if endReason != nil, header.pointee.phase == .running { beginEnding() }
    }

    private func handle(_ mail: SystemMail) {
        switch mail {
        case .stop: order(.shutdown)
        case .kill: order(.killed)
        case .watch(let watch):
            if exitReason != nil {
                watch.deliverDown(.noProcess)
            } else if watch.comesFirst {
                require().watches.insert(watch, at: 0)
            } else {
                require().watches.append(watch)
            }
        case .unwatch(let watch): relations?.watches.removeAll { $0 === watch }
        case .childEnded(let child, let reason): decide(child, reason)
        case .childTerminated: break  // the phase's own look at the child table follows
        case .childStopTimedOut(let child): child.header.post(.kill)
        case .restart: restartIncarnation()
        case .mailboxOverflowed: failOverOverflow()
        }
    }

    /// An end that comes from outside. It is final.
    private func order(_ reason: ExitReason) {
        isEndFinal = true
        switch header.pointee.phase {
        case .starting, .running:
            endReason = reason
            beginEnding()
        case .ending:
            guard case .killed = reason else { break }
            endReason = reason
            relations?.stoppingChild?.header.post(.kill)
        case .suspended: terminate(endReason ?? reason)
        case .terminated: break
        }
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

    private func beginEnding() {
        header.pointee.phase = .ending
        if let children = relations?.children {
            children.close()
            stopLastChild()
        }
    }

    /// Children stop one by one, the youngest first.
    private func stopLastChild() {
        guard let child = relations?.children?.last else { return }
        relations?.stoppingChild = child
        if case .killed = endReason {
            child.header.post(.kill)
        } else {
            child.header.post(child.shutdown == .brutalKill ? .kill : .stop)
        }
        guard case .timeout(let timeout) = child.shutdown else { return }
        // The entry is dropped when the child is gone. No weak references: an object that has ever had one counts its references
        // in a table of its own, several times slower, for the rest of its life.
        let entry = TimerEntry { _ in self.header.post(.childStopTimedOut(child)) }
        relations?.stopTimer = entry
        system.timers.add(entry, deadline: system.timers.deadline(after: timeout))
    }

    /// Whether no child is left; tells the next one to stop if the last one told is gone.
    private var isLastChildGone: Bool {
        guard let relations, let children = relations.children else { return true }
        guard let last = children.last else {
            relations.clearStopTimer(system.timers)
            return true
        }
        if relations.stoppingChild !== last {
            relations.clearStopTimer(system.timers)
            stopLastChild()
        }
        return false
    }

    private func willRestart(after reason: ExitReason) -> Bool {
        guard !isEndFinal, parentReference != nil else { return false }
        return switch restart {
        case .permanent: true
        case .transient: !reason.isNormal
        case .temporary: false
        }
    }

    private func endIncarnation() {
        let reason = endReason ?? .shutdown
        let asksParent = willRestart(after: reason)
        let thread = ThreadState.current
        let before = thread.pointee.askFailure
        thread.pointee.askFailure = asksParent ? .restarted : .stopped(reason)
        if hasBehavior {
            hasBehavior = false
            thread.enter(header)
            header.pointee.runtime.endIncarnation(RunnableCell(header), reason)
            thread.leave()
        }
        // After the `stopping` hook, which may have started timers and monitors.
        relations?.endIncarnation()
        restoreStash()
        if !asksParent { factory = nil }
        thread.pointee.askFailure = before
        header.pointee.needsAttention = false
        if case .failed(let error) = reason { system.publishFailure(path: path, error) }
        if asksParent, let parent {
            header.pointee.phase = .suspended
            parent.header.post(.childEnded(self, reason))
        } else {
            terminate(reason)
        }
    }

    private func restartIncarnation() {
        guard header.pointee.phase == .suspended else { return }
        endReason = nil
        header.pointee.phase = .starting
        relations?.children?.reopen()
        let thread = ThreadState.current
        thread.enter(header)
        defer { thread.leave() }
        do {
            try start()
            restartCount += 1
            system.counters.restarts.add(1, ordering: .relaxed)
            publish(.actorRestarted(path: path, restarts: restartCount))
        } catch {
            endReason = .failed(error)
            beginEnding()
        }
    }

    // MARK: Children

    /// The child table, made at its first use.
    var children: ChildTable {
        let relations = require()
        if let children = relations.children { return children }
        let made = ChildTable()
        if header.pointee.phase != .starting && header.pointee.phase != .running { made.close() }
        relations.children = made
        childTable = Unmanaged.passUnretained(made)
        return made
    }

    /// Puts a child in the table, or says why not.
    func add(_ child: ActorCell) -> SpawnError? {
        let table = childTable ?? Unmanaged.passUnretained(children)
        return table._withUnsafeGuaranteedRef { table in
            do throws(SpawnError) {
                try table.insert(child)
                return nil
            } catch {
                return error
            }
        }
    }

    /// Lets a sibling have this actor's name, if it has one.
    private func releaseName() {
        guard ownsName else { return }  // only ever set before the start
        parent?.relations?.children?.releaseName(of: self)
    }

    private func publish(_ event: @autoclosure () -> SystemEvent) {
        owningSystem._withUnsafeGuaranteedRef { $0.publish(event()) }
    }

    /// What becomes of a child whose incarnation ended by itself.
    private func decide(_ child: ActorCell, _ reason: ExitReason) {
        guard header.pointee.phase == .running else { return }  // our own end will stop it
        let relations = require()
        if relations.restarts.allowsRestart(at: system.timers.now, relations.intensity) {
            child.header.post(.restart)
        } else {
            system.counters.restartLimitsExceeded.add(1, ordering: .relaxed)
            publish(.restartIntensityExceeded(path: path, child: child.path))
            child.header.post(.stop)
            endReason = .failed(SupervisionError.restartIntensityExceeded(child: child.path, lastReason: reason))
            beginEnding()
        }
    }

    /// A child has had its last drain. Called by the child.
    private func childIsGone(_ child: ActorCell) {
        // The child that goes, or the one that is being told to, keeps us alive, and we the table.
        let isAwaited = childTable?._withUnsafeGuaranteedRef { $0.remove(child) }
        if isAwaited == true { header.post(.childTerminated(child)) }
    }

    // MARK: Termination

    private func terminate(_ reason: ExitReason) {
        exitReason = reason
        header.pointee.phase = .terminated
        // Relaxed: read by holders of the scheduling right only.
        header.pointee.isTerminated.store(true, ordering: .relaxed)
        lane?.close(reason)
        releaseName()
        if parent == nil { system.rootHasEnded(reason) }
        publish(.actorStopped(path: path, reason: reason))
        if header.pointee.isInstrumented { system.instrument?.actorEnded(ActorInfo(self), reason: reason) }
        let watches = relations?.watches ?? []
        relations?.watches = []
        for watch in watches { watch.deliverDown(reason) }
    }

    /// Turns everything in the mailbox into dead letters and leaves it idle. By the holder of the scheduling right.
    ///
    /// - Parameter sender: the actor that sent the first message, if it is known.
    func drainTerminated(sender: CellPointer?) {
        let thread = ThreadState.current
        let before = thread.pointee.askFailure
        thread.pointee.askFailure = exitReason.map { .afterEnd($0) } ?? .noProcess
        defer { thread.pointee.askFailure = before }
        while let waiting = lane?.take().node {
            discard(waiting, nil)
            NodePool.free(waiting, thread)
        }
        var sender = sender
        var node = header.pointee.head.unsafelyUnwrapped
        while true {
            for mail in header.takeSystemMail() { handle(mail) }
            discard(node, sender)
            sender = nil  // what follows may come from anybody
            let next = node.pointee.next.load(ordering: .acquiring)
            if next != 0 {
                NodePool.free(node, thread)
                node = NodePointer.at(next)
                header.pointee.head = node
                continue
            }
            let isIdle = header.pointee.tail.compareExchange(
                expected: node.address,
                desired: CellHeader.idle,
                successOrdering: .releasing,
                failureOrdering: .relaxed
            ).exchanged
            if isIdle {
                NodePool.free(node, thread)
                return
            }
            SpinLock.pause()
        }
    }

    private func discard(_ node: NodePointer, _ sender: CellPointer?) {
        switch node.pointee.kind {
        case .hollow, .doorbell: return  // what the doorbell stood for has been taken
        case .signal:
            let signal = node.payload.assumingMemoryBound(to: Unmanaged<Signal>.self).move().takeRetainedValue()
            if signal.isCode { publishDeadLetter(sender: sender, .ended(exitReason ?? .noProcess)) }
        case .message:
            header.pointee.runtime.discardMessage(node.payload)
            publishDeadLetter(sender: sender, .ended(exitReason ?? .noProcess))
        }
        node.pointee.kind = .hollow
    }
}
