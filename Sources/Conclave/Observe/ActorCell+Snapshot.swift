// What an actor tells of itself, and what can be told without it.

internal import Synchronization

extension ActorCell {
    /// Lets others find the children. Called once, when the table is made; it lives as long as this object.
    func show(_ table: ChildTable) {
        // Releasing: the table is whole before it is found.
        childTableAddress.store(UInt(bitPattern: Unmanaged.passUnretained(table).toOpaque()), ordering: .releasing)
    }

    /// The child table, for whoever keeps this actor alive.
    var childTable: Unmanaged<ChildTable>? {
        UnsafeRawPointer(bitPattern: childTableAddress.load(ordering: .acquiring)).map { .fromOpaque($0) }
    }

    /// Answers a snapshot's question. By the holder of the scheduling right, outside of the mailbox loop.
    func answer(_ inquiry: Inquiry) {
        system.inquiries.close(inquiry)
        let state: ActorSnapshot.State
        switch header.pointee.phase {
        case .starting, .running: state = .receiving
        case .ending: state = .ending
        case .suspended: state = .suspended
        case .terminated: return inquiry.answer(.ended)
        }
        let details = ActorSnapshot.Details(
            restartCount: relations?.restartCount ?? 0,
            stashDepth: relations?.stash?.count ?? 0,
            timerCount: relations?.timers.count ?? 0,
            watcherCount: relations?.watches.count ?? 0,
            monitoring: relations?.monitoring.map(\.target.path) ?? [],
            links: linkedActors.map(\.path)
        )
        inquiry.answer(.alive(describe(state, nil, depth: lane?.counts.waiting ?? countMailbox(), details)))
    }

    /// What is constant or has a lock of its own, for an actor that did not come to the question in time.
    func describeFromOutside(isRunning: Bool, since age: UInt64) -> ActorSnapshot {
        // Relaxed: orders nothing.
        if isStarting.load(ordering: .relaxed) { return describe(.starting, nil, depth: lane?.counts.waiting, nil) }
        let age = Duration.nanoseconds(Int64(clamping: age))
        let current = ActorSnapshot.CurrentMessage(type: header.pointee.runtime.messageType, age: age)
        if isRunning { return describe(.handling, current, depth: lane?.counts.waiting, nil) }
        return describe(.waitingForWorker, nil, depth: lane?.counts.waiting, nil)
    }

    private func describe(
        _ state: ActorSnapshot.State,
        _ current: ActorSnapshot.CurrentMessage?,
        depth: Int?,
        _ details: ActorSnapshot.Details?
    ) -> ActorSnapshot {
        ActorSnapshot(
            path: path,
            label: name ?? "\(header.pointee.runtime)",
            messageType: header.pointee.runtime.messageType,
            state: state,
            current: current,
            mailboxDepth: depth,
            mailboxCapacity: lane?.capacity,
            overflowCount: lane?.counts.overflows ?? 0,
            details: details,
            children: []
        )
    }

    /// Each once: two actors that linked at the same moment have two edges.
    private var linkedActors: [ActorCell] {
        var linked: [ActorCell] = []
        for link in relations?.links ?? [] where link.isActive {
            let other = link.other(than: self)
            if !linked.contains(where: { $0 === other }) { linked.append(other) }
        }
        return linked
    }

    /// Walks along the mailbox: no count is kept for this on the way of a message.
    private func countMailbox() -> Int {
        var count = 0
        var next = header.pointee.head.map(\.address) ?? 0
        while next != 0, count < ActorSnapshot.countLimit {
            let node = NodePointer.at(next)
            if node.pointee.kind != .hollow { count += 1 }
            // Acquiring: the kind was written before the node was linked.
            next = node.pointee.next.load(ordering: .acquiring)
        }
        return count
    }
}

extension ActorSnapshot {
    /// The root of a system that has ended.
    static let nothing = ActorSnapshot(
        path: "/",
        label: "/",
        messageType: Never.self,
        state: .ending,
        current: nil,
        mailboxDepth: 0,
        mailboxCapacity: nil,
        overflowCount: 0,
        details: nil,
        children: []
    )
}
