// An actor's children in the order of their start.

/// A linked list of the live children, with their names. The one strong reference to a child is held here.
///
/// Has a lock of its own since actors below the root are added, and all are removed, from other threads than their parent's.
final class ChildTable: @unchecked Sendable {
    // SAFETY: everything below, and the children's `sibling` links and `ownsName`, is only touched under `lock`.
    private let lock = SpinLock()
    private var first: Unmanaged<ActorCell>?
    private var newest: Unmanaged<ActorCell>?
    private var names: Set<String> = []
    private var isClosed = false

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

    func insert(_ child: ActorCell) throws(SpawnError) {
        lock.lock()
        defer { lock.unlock() }
        if isClosed { throw .parentStopping }
        if let name = child.name, !names.insert(name).inserted { throw .nameTaken(name) }
        child.ownsName = child.name != nil
        let entry = Unmanaged.passRetained(child)
        child.previousSibling = newest
        newest?._withUnsafeGuaranteedRef { $0.nextSibling = entry }
        newest = entry
        if first == nil { first = entry }
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

    /// Lets go of a child after its last drain. True: the parent is ending and waits for this.
    func remove(_ child: ActorCell) -> Bool {
        lock.lock()
        let entry = Unmanaged.passUnretained(child)
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
        let parentWaits = isClosed
        lock.unlock()
        entry.release()
        return parentWaits
    }

    /// From now on no child is added.
    func close() { lock.withLock { isClosed = true } }

    func reopen() { lock.withLock { isClosed = false } }
}
