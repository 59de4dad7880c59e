// An actor as a parent: what its supervision decides, carried out.

internal import Synchronization

extension ActorCell {
    /// The child table, made at its first use.
    var children: ChildTable {
        let relations = require()
        if let children = relations.children { return children }
        let made = ChildTable(relations.intensity)
        if header.pointee.phase != .starting && header.pointee.phase != .running { made.close() }
        relations.children = made
        show(made)
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

    /// Refuses what could never have the effect that it asks for.
    func checkSignificant(_ options: SpawnOptions) throws(SpawnError) {
        if options.restart == .permanent { throw .significantAndPermanent }
        // The root of a system never shuts down automatically, and is asked from any thread.
        guard parent != nil, children.supervision.rules.autoShutdown != .never else {
            throw .significantWithoutAutoShutdown
        }
    }

    /// A child has had its last drain. Called by the child.
    func childIsGone(_ child: ActorCell, byItself: Bool) {
        // The child that goes, or the one that is being told to, keeps us alive, and we the table.
        let isReported = childTable?._withUnsafeGuaranteedRef { $0.remove(child, byItself: byItself) }
        if isReported == true || child.isSignificant { header.post(.childGone(child, byItself: byItself)) }
    }

    /// A group restart starts this actor again although it ended by itself and normally.
    private var isStartedWithItsGroup: Bool { restart == .transient || (restart == .permanent && isIgnored) }

    /// What a group restart needs to start this actor again.
    var asEndedChild: EndedChild? {
        guard isStartedWithItsGroup, let factory else { return nil }
        var options = SpawnOptions(restart: restart, shutdown: shutdown, isSignificant: isSignificant)
        options.onRestart = onRestart
        options.runsOn = header.pointee.runsOnOwnThread ? .ownThread : .workers
        if let relations {
            options.intensity = relations.intensity
            options.backoff = relations.backoff?.backoff
        }
        if let lane { options.mailbox = .bounded(lane.capacity, overflow: lane.overflow) }
        return EndedChild(
            number: number,
            name: name,
            options: options,
            runtime: header.pointee.runtime,
            factory: factory
        )
    }

    /// This actor, which is gone, as its parent's supervision sees it.
    func asEnded(_ byItself: Bool) -> SupervisionState.Child {
        SupervisionState.Child(
            number: number,
            restart: restart,
            isSignificant: isSignificant && !isIgnored,
            hasEnded: byItself && isStartedWithItsGroup
        )
    }

    // MARK: Supervision

    /// Asks the supervision about the news of a child, and does what it says; an actor that ends stops all of them anyway.
    func supervise(
        _ child: ActorCell?,
        _ event: (inout SupervisionState, UInt64, () -> [SupervisionState.Child]) -> SupervisionState.Action?
    ) {
        guard header.pointee.phase == .running, let children = relations?.children else { return }
        var action = event(&children.supervision, system.timers.now) { children.supervised }
        while let current = action { action = carryOut(current, child) }
    }

    /// The action that follows at once, if any.
    private func carryOut(_ action: SupervisionState.Action, _ child: ActorCell?) -> SupervisionState.Action? {
        switch action {
        case .restart(let number, let notBefore):
            find(number, child)?.header.post(.restart(notBefore: notBefore, isAnswered: false))
        case .stop(let number):
            guard let child = find(number, child) else { break }  // it is gone, and the news is on its way
            child.orderEnd(isFinal: false)
        case .start(let number, let notBefore):
            guard let child = find(number, child) else { return startAgain(number) }
            child.header.post(.restart(notBefore: notBefore, isAnswered: true))
        case .giveUp(let number):
            endReason = .shutdown
            if let failed = find(number, child) {
                system.counters.restartLimitsExceeded.add(1, ordering: .relaxed)
                publish(.restartIntensityExceeded(path: path, child: failed.path))
                // Nobody supervises the root of a system: whoever waits for the system's end is told.
                if parent == nil {
                    endReason = .failed(SupervisionError.restartIntensityExceeded(child: failed.path))
                }
                failed.orderEnd(isFinal: true)
            }
            beginEnding()
        case .shutDown:
            endReason = .shutdown
            beginEnding()
        }
        return nil
    }

    /// The live child with that number, most likely `child`.
    private func find(_ number: ChildNumber, _ child: ActorCell?) -> ActorCell? {
        if let child, child.number == number { return child }
        return relations?.children?.all.first { $0.number == number }
    }

    /// Starts a child that ended normally, since its group is restarted.
    private func startAgain(_ number: ChildNumber) -> SupervisionState.Action? {
        guard let children = relations?.children else { return nil }
        let now = system.timers.now
        guard let ended = children.takeEnded(number) else { return nil }  // gone, and the news is on its way
        let cell: ActorCell
        do {
            cell = try ActorCell.register(ended.runtime, under: self, ended.name, ended.options, ended.factory)
        } catch {
            let gone = SupervisionState.Child(number: number, restart: .transient)
            return children.supervision.childGone(gone, byItself: false, now: now) { children.supervised }
        }
        do {
            try cell.startFirst(nil)
            children.move(cell, to: number)
            return children.supervision.childStarted(number, now: now) { children.supervised }
        } catch {
            children.putBack(ended)
            return children.supervision.childEnded(number, now: now) { children.supervised }
        }
    }
}
