// Messages that an actor puts aside until it is ready for them.

internal import Synchronization

extension Context {
    /// Puts a message aside, to be received again after `unstash`.
    ///
    /// What is still put aside when the incarnation ends goes back to the front of the mailbox: the next incarnation receives it
    /// first, or it becomes a dead letter with the rest.
    ///
    /// - Parameters:
    ///   - message: what this actor has received, or any message that it takes.
    ///   - limit: the most messages put aside at a time, this one among them.
    /// - Throws: `StashFull`. The message is dropped then: a handler that lets the error pass fails over it, as over any other.
    public func stash(_ message: consuming Message, limit: Int = 1000) throws(StashFull) {
        let object = cell.pointee.object
        let stash = object.require().stash ?? NodeChain()
        guard stash.count < limit else { throw StashFull(limit: limit) }
        let thread = ThreadState.current
        let node =
            cell.pointee.isInstrumented
            ? ActorRef<Message>.makeNode(message, thread, mark: InstrumentProbe.noMark)
            : ActorRef<Message>.makeNode(message, thread)
        object.require().stash = stash.appending(node)
    }

    /// Receives everything that was put aside, in the order it was put there, before anything else that waits.
    public func unstash() { cell.pointee.object.unstash() }

    /// Messages that are put aside.
    public var stashCount: Int { cell.pointee.object.relations?.stash?.count ?? 0 }
}

/// More messages were put aside than the stash may hold.
public struct StashFull: Error, Hashable {
    /// The most it may hold.
    public let limit: Int

    /// For tests of code that deals with it.
    public init(limit: Int) { self.limit = limit }
}

extension StashFull: CustomStringConvertible {
    /// For people to read.
    public var description: String { "a message was to be put aside while \(limit) were already, the most allowed" }
}

/// Nodes linked in the order they are to be received.
struct NodeChain {
    private(set) var first: NodePointer?
    private(set) var last: NodePointer?
    private(set) var count = 0

    // Relaxed: only the holder of the actor's scheduling right sees the links before the chain is in the mailbox, and there it is
    // in front of what others link.

    func appending(_ node: NodePointer) -> NodeChain {
        var chain = self
        if let last { last.pointee.next.store(node.address, ordering: .relaxed) } else { chain.first = node }
        chain.last = node
        chain.count += 1
        return chain
    }
}

extension ActorCell {
    /// Before the next message: the mailbox belongs to the loop that runs the handler which is calling.
    fileprivate func unstash() {
        guard relations?.stash != nil else { return }
        require().unstashes = true
        header.pointee.needsAttention = true
    }

    /// Puts what was put aside in front of the mailbox. By the holder of the scheduling right, outside of the mailbox loop.
    func restoreStash() {
        guard let relations else { return }
        relations.unstashes = false
        guard let stash = relations.stash, let first = stash.first, let last = stash.last else { return }
        relations.stash = nil
        last.pointee.next.store(header.pointee.head.unsafelyUnwrapped.address, ordering: .relaxed)
        header.pointee.head = first
    }
}
