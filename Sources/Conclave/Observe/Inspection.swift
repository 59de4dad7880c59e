// How a snapshot is gathered: every actor is asked at once, and answers in a turn of its own.

extension ActorSystem {
    /// What the actors of this system are doing.
    ///
    /// Nothing is stopped, and no message is delayed by more than the actor's own count of its mailbox. An actor that does not
    /// answer within `patience`, because its handler runs or because it has not got a worker, is described from outside.
    ///
    /// - Parameters:
    ///   - patience: how long to wait for actors that are busy.
    ///   - maximumActors: the most actors to look at.
    /// - Returns: the tree. Empty but for its root when the system has ended.
    public func snapshot(
        patience: Duration = .milliseconds(100),
        maximumActors: Int = 10_000
    ) async -> SystemSnapshot {
        let (cells, parents, isTruncated) = findActors(maximumActors)
        let inspection = Inspection(count: cells.count, startedAt: timers.now)
        for (index, cell) in cells.enumerated() { inquiries.ask(cell, for: inspection, index) }
        await inspection.complete(within: patience, timers)
        let running = inspection.isComplete ? [] : Set(scheduler.runningCells().map(\.cell))
        let now = timers.now
        // Children come after their parents: from the end, each is whole before it joins its parent.
        var children: [[ActorSnapshot]] = Array(repeating: [], count: cells.count)
        var root: ActorSnapshot?
        for index in cells.indices.reversed() {
            var actor: ActorSnapshot
            switch inspection.answer(index) {
            case .ended: continue
            case .some(.alive(let found)): actor = found
            case nil:
                let cell = cells[index]
                let isRunning = cell.header.pointee.runsOnOwnThread || running.contains(cell.header)
                actor = cell.describeFromOutside(isRunning: isRunning, since: now &- inspection.askedAt(index))
            }
            actor.children = children[index].reversed()
            if let parent = parents[index] { children[parent].append(actor) } else { root = actor }
        }
        return SystemSnapshot(
            name: name,
            root: root ?? .nothing,
            deadLetterCount: deadLetterCount,
            lateReplyCount: lateReplyCount,
            isTruncated: isTruncated
        )
    }

    /// The tree, level by level, and the position of each one's parent.
    private func findActors(_ limit: Int) -> (cells: [ActorCell], parents: [Int?], isTruncated: Bool) {
        guard let root else { return ([], [], false) }
        var cells = [root]
        var parents: [Int?] = [nil]
        var next = 0
        while next < cells.count {
            guard let table = cells[next].childTable?.takeUnretainedValue() else {
                next += 1
                continue
            }
            let room = limit - cells.count
            let found = table.oldest(room + 1)
            cells += found.prefix(room)
            parents += Array(repeating: next, count: min(found.count, room))
            if found.count > room { return (cells, parents, true) }
            next += 1
        }
        return (cells, parents, false)
    }
}

/// One snapshot in the making.
final class Inspection: Sendable {
    enum Answer {
        case alive(ActorSnapshot)
        case ended
    }
    private struct State {
        var answers: [Answer?]
        /// When each was asked; earlier than this inspection if an earlier question is still open.
        var askedAt: [UInt64]
        var missing: Int
        var continuation: CheckedContinuation<Void, Never>?
        var isOver = false
    }
    private let state: Guarded<State>

    init(count: Int, startedAt: UInt64) {
        state = Guarded(
            State(
                answers: Array(repeating: nil, count: count),
                askedAt: Array(repeating: startedAt, count: count),
                missing: count
            )
        )
    }

    func answer(_ index: Int) -> Answer? { state.withLock { $0.answers[index] } }
    func askedAt(_ index: Int) -> UInt64 { state.withLock { $0.askedAt[index] } }
    /// Nobody waits for answers any more.
    var isOver: Bool { state.withLock { $0.isOver } }
    var isComplete: Bool { state.withLock { $0.missing == 0 } }

    func note(_ index: Int, _ answer: Answer) {
        let continuation: CheckedContinuation<Void, Never>? = state.withLock { state in
            guard state.answers[index] == nil else { return nil }
            state.answers[index] = answer
            state.missing -= 1
            return state.missing == 0 ? state.continuation.take() : nil
        }
        continuation?.resume()
    }

    func note(_ index: Int, askedAt: UInt64) { state.withLock { $0.askedAt[index] = askedAt } }

    func complete(within patience: Duration, _ timers: TimerService) async {
        let entry = TimerCallback { [self] _ in end()?.resume() }
        timers.add(entry, deadline: timers.deadline(after: patience))
        await withCheckedContinuation { continuation in
            let waits = state.withLock { state in
                let waits = state.missing > 0 && !state.isOver
                if waits { state.continuation = continuation }
                return waits
            }
            if !waits { continuation.resume() }
        }
        timers.cancel(entry)
        _ = end()
    }

    private func end() -> CheckedContinuation<Void, Never>? {
        state.withLock { state in
            state.isOver = true
            return state.continuation.take()
        }
    }
}

/// A system's open questions to its actors, at most one to each: a busy actor that is looked at often does not gather mail.
final class Inquiries: Sendable {
    private let open = Guarded<[ObjectIdentifier: Inquiry]>([:])

    func ask(_ cell: ActorCell, for inspection: Inspection, _ index: Int) {
        let now = cell.system.timers.now
        let asked: Inquiry? = open.withLock { open in
            if let inquiry = open[ObjectIdentifier(cell)] {
                inquiry.serve(inspection, index)
                inspection.note(index, askedAt: inquiry.askedAt)
                return nil
            }
            let inquiry = Inquiry(cell, askedAt: now)
            inquiry.serve(inspection, index)
            open[ObjectIdentifier(cell)] = inquiry
            return inquiry
        }
        if let asked { cell.header.post(.inspect(asked)) }
    }

    /// Questions that have not been answered.
    var count: Int { open.withLock { $0.count } }

    /// The actor has come to the question.
    func close(_ inquiry: Inquiry) {
        open.withLock { _ = $0.removeValue(forKey: ObjectIdentifier(inquiry.cell)) }
    }
}

/// A question to one actor, for all snapshots that wait for it.
final class Inquiry: Sendable {
    let cell: ActorCell
    let askedAt: UInt64
    private let served = Guarded<[(inspection: Inspection, index: Int)]>([])

    init(_ cell: ActorCell, askedAt: UInt64) {
        self.cell = cell
        self.askedAt = askedAt
    }

    /// Forgets the snapshots that wait no longer.
    func serve(_ inspection: Inspection, _ index: Int) {
        served.withLock { served in
            served.removeAll { $0.inspection.isOver }
            served.append((inspection, index))
        }
    }

    func answer(_ answer: Inspection.Answer) {
        for (inspection, index) in served.withLock({ $0 }) { inspection.note(index, answer) }
    }
}
