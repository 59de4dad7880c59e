// An actor's children in the order of their start.

/// A linked list of the live children, with their names. The one strong reference to a child is held here.
///
/// Has a lock of its own since actors below the root are added, and all are removed, from other threads than their parent's.
final class ChildTable: @unchecked Sendable {
    // SAFETY: everything below `lock`, and the children's `sibling` links, `number` and `ownsName`, is only touched under `lock`;
    // what is above belongs to the holder of the parent's scheduling right.

    /// What happens when children end.
    var supervision: SupervisionState
    /// The children do not depend on each other: at the parent's end they stop all at once.
    var stopTogether = false
    /// The child that was told to stop last.
    var stoppingChild: ActorCell?

    private let lock = SpinLock()
    private var first: Unmanaged<ActorCell>?
    private var newest: Unmanaged<ActorCell>?
    private var names: Set<String> = []
    private var isClosed = false
    private var isGroup = false
    private var lastNumber: UInt64 = 0
    private var liveCount = 0
    private var gone = GoneChildren()
    /// Children of a group that ended normally and are not restarted for that, oldest first: a group restart starts them again.
    private var endedChildren: [EndedChild] = []

    init(_ intensity: RestartIntensity) { supervision = SupervisionState(SupervisionRules(intensity: intensity)) }

    /// The child started last.
    var last: ActorCell? { lock.withLock { newest?.takeUnretainedValue() } }

    /// The children, oldest first.
    var all: [ActorCell] {
        lock.withLock {
            var cells: [ActorCell] = []
            var next = first
            while let child = next?.takeUnretainedValue() {
                cells.append(child)
                next = child.nextSibling
            }
            return cells
        }
    }

    /// The children that were started first, at most `limit`.
    func oldest(_ limit: Int) -> [ActorCell] {
        lock.withLock {
            var cells: [ActorCell] = []
            var next = first
            while cells.count < limit, let child = next?.takeUnretainedValue() {
                cells.append(child)
                next = child.nextSibling
            }
            return cells
        }
    }

    func insert(_ child: ActorCell) throws(SpawnError) {
        lock.lock()
        let freed = gone.takeFew()
        var unwanted: [EndedChild] = []
        defer {
            lock.unlock()
            freed.release()
            // Not under the lock: what a factory holds may be anything.
            withExtendedLifetime(unwanted) {}
        }
        if isClosed { throw .parentStopping }
        if let name = child.name {
            guard names.insert(name).inserted else { throw .nameTaken(name) }
            child.ownsName = true
            // Who starts a namesake does not want the old one back.
            if let place = endedChildren.firstIndex(where: { $0.name == name }) {
                unwanted.append(endedChildren.remove(at: place))
            }
        }
        lastNumber += 1
        liveCount += 1
        child.number = ChildNumber(lastNumber)
        let entry = Unmanaged.passRetained(child)
        child.previousSibling = newest
        newest?._withUnsafeGuaranteedRef { $0.nextSibling = entry }
        newest = entry
        if first == nil { first = entry }
    }

    /// Gives a child that was started again the place of its first start.
    func move(_ child: ActorCell, to number: ChildNumber) {
        lock.lock()
        defer { lock.unlock() }
        let isListed = child.nextSibling != nil || newest?.toOpaque() == Unmanaged.passUnretained(child).toOpaque()
        if isListed {
            unlink(child)
        } else if let place = endedChildren.firstIndex(where: { $0.number == child.number }) {
            var ended = endedChildren.remove(at: place)
            ended.number = number
            insert(ended)
        }
        child.number = number
        guard isListed else { return }  // it has ended already
        var elder = newest?.takeUnretainedValue()
        while let next = elder, next.number > number { elder = next.previousSibling?.takeUnretainedValue() }
        let entry = Unmanaged.passUnretained(child)
        child.previousSibling = elder.map { .passUnretained($0) }
        child.nextSibling = elder == nil ? first : elder?.nextSibling
        if let elder { elder.nextSibling = entry } else { first = entry }
        if let younger = child.nextSibling?.takeUnretainedValue() {
            younger.previousSibling = entry
        } else {
            newest = entry
        }
    }

    /// Lets the name be used again, before anybody hears that the child ended. Only the first call has an effect: by the time
    /// of a second one another child may have the name.
    func releaseName(of child: ActorCell) {
        guard let name = child.name else { return }
        lock.lock()
        defer { lock.unlock() }
        guard child.ownsName else { return }
        child.ownsName = false
        names.remove(name)
    }

    /// Lets go of a child after its last drain. True: the parent wants to hear of it.
    ///
    /// - Parameter byItself: the parent had not ordered its end: a group restart may start it again.
    func remove(_ child: ActorCell, byItself: Bool) -> Bool {
        lock.lock()
        unlink(child)
        let parentWaits = isClosed || isGroup
        if isGroup, !isClosed, byItself, let ended = child.asEndedChild { insert(ended) }
        var freed = GoneChildren()
        liveCount -= 1
        let areFew = liveCount < GoneChildren.leastSiblings
        if isClosed || areFew || !gone.add(child) {
            if areFew { swap(&freed, &gone) }
            lock.unlock()
            Unmanaged.passUnretained(child).release()
        } else {
            lock.unlock()
        }
        freed.release()
        return parentWaits
    }

    /// Under the lock.
    private func unlink(_ child: ActorCell) {
        // Siblings may be at work on other threads: counting references to them would take their cache lines away.
        if let previous = child.previousSibling {
            previous._withUnsafeGuaranteedRef { $0.nextSibling = child.nextSibling }
        } else {
            first = child.nextSibling
        }
        if let next = child.nextSibling {
            next._withUnsafeGuaranteedRef { $0.previousSibling = child.previousSibling }
        } else {
            newest = child.previousSibling
        }
        child.previousSibling = nil
        child.nextSibling = nil
    }

    /// The parent restarts its children in groups: it wants to hear of every end.
    func becomeGroup() { lock.withLock { isGroup = true } }

    /// Those that a group restart starts again although they ended, oldest first.
    var ended: [EndedChild] { lock.withLock { endedChildren } }

    /// Takes the child out, to start it again. Nil: somebody else has its name by now.
    func takeEnded(_ number: ChildNumber) -> EndedChild? {
        lock.withLock {
            guard let place = endedChildren.firstIndex(where: { $0.number == number }) else { return nil }
            return endedChildren.remove(at: place)
        }
    }

    /// Puts back what could not be started.
    func putBack(_ ended: EndedChild) { lock.withLock { insert(ended) } }

    private func insert(_ ended: EndedChild) {
        let place = endedChildren.firstIndex { $0.number > ended.number } ?? endedChildren.endIndex
        endedChildren.insert(ended, at: place)
    }

    /// From now on no child is added.
    func close() {
        var freed = GoneChildren()
        var unwanted: [EndedChild] = []
        lock.lock()
        isClosed = true
        swap(&unwanted, &endedChildren)
        swap(&freed, &gone)
        lock.unlock()
        freed.release()
        withExtendedLifetime(unwanted) {}
    }

    /// As new, for the next incarnation.
    func reopen(_ intensity: RestartIntensity) {
        supervision = SupervisionState(SupervisionRules(intensity: intensity))
        stopTogether = false
        lock.withLock {
            isClosed = false
            isGroup = false
        }
    }
}

/// The table's references to children that are gone, a list by their `previousSibling`: without a
/// `nextSibling` they are not among the siblings. Guarded by its owner.
///
/// They are kept for the next spawns to release: memory that one thread allocates and another frees makes the two fight over the
/// allocator's lock, which costs more than an actor's whole life.
private struct GoneChildren {
    private var first: Unmanaged<ActorCell>?
    private var count = 0

    private static var limit: Int { 128 }
    /// Live siblings without which none is kept: a parent whose children come and go in numbers has more.
    static var leastSiblings: Int { 8 }

    /// False: they are too many already.
    mutating func add(_ child: ActorCell) -> Bool {
        guard count < Self.limit else { return false }
        child.previousSibling = first
        first = Unmanaged.passUnretained(child)
        count += 1
        return true
    }

    /// Two: so that they become fewer while as many are spawned as go, and an allocator's cache keeps what the next spawn needs.
    mutating func takeFew() -> GoneChildren {
        var few = GoneChildren()
        for _ in 0..<2 {
            guard let taken = first else { break }
            first = taken._withUnsafeGuaranteedRef { $0.previousSibling }
            count -= 1
            taken._withUnsafeGuaranteedRef { _ = few.add($0) }
        }
        return few
    }

    /// Lets go of them, under no lock.
    consuming func release() {
        var next = first
        while let child = next {
            next = child._withUnsafeGuaranteedRef { $0.previousSibling }
            child.release()
        }
    }
}

extension ChildTable {
    /// All children, those that ended but would be started again among them, as the supervision sees them.
    var supervised: [SupervisionState.Child] {
        var children = all.map {
            SupervisionState.Child(number: $0.number, restart: $0.restart, isSignificant: $0.isSignificant)
        }
        let ended = ended
        guard !ended.isEmpty else { return children }
        children += ended.map { SupervisionState.Child(number: $0.number, restart: .transient, hasEnded: true) }
        return children.sorted { $0.number < $1.number }
    }
}

/// What is left of a child that ended normally, and is not restarted for that, under a parent that restarts in groups.
struct EndedChild: @unchecked Sendable {
    // SAFETY: a value; the factory is `Sendable` whatever it makes.
    var number: ChildNumber
    let name: String?
    let options: SpawnOptions
    let runtime: any BehaviorRuntime.Type
    let factory: AnyObject
}
