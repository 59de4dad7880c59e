// Handing committed entries over to the state machine, no faster than it takes them.

extension RaftCore {
    /// The state machine has applied all up to here, or was restored from a snapshot there. Older news change nothing.
    package mutating func applied(_ index: LogIndex) {
        guard index > appliedIndex else { return }
        precondition(index <= handedToApply, "\(index) was applied, and only \(handedToApply) handed over")
        unappliedBytes -= log.payloadBytes(behind: appliedIndex, upTo: index)
        appliedIndex = index
    }

    /// Whether more than half of what may be handed over is not known to be applied: the owner should report soon what is.
    package var isHalfUnapplied: Bool {
        2 * (handedToApply - appliedIndex) > limits.unappliedEntries || 2 * unappliedBytes > limits.unappliedBytes
    }

    /// Whether the state machine takes more for now; otherwise the rest waits in the log.
    private var hasRoomToApply: Bool {
        handedToApply - appliedIndex < limits.unappliedEntries && unappliedBytes < limits.unappliedBytes
    }

    /// Whether `takeCommitted` would give anything.
    var mayApply: Bool { handedToApply < commitIndex && hasRoomToApply }

    /// Whether committed entries have to wait for the state machine.
    var isApplyingLate: Bool { handedToApply < commitIndex && !hasRoomToApply }

    /// The next committed entries, as many as there is room for.
    mutating func takeCommitted() -> [Entry] {
        guard mayApply else { return [] }
        let room = limits.unappliedEntries - (handedToApply - appliedIndex)
        let batch = log.batch(
            from: handedToApply.next,
            count: min(commitIndex - handedToApply, room, limits.committedPerOutput),
            bytes: limits.unappliedBytes - unappliedBytes
        )
        handedToApply = handedToApply + batch.entries.count
        unappliedBytes += batch.bytes
        return batch.entries
    }

    /// A snapshot takes the place of the state and of all that was handed over.
    mutating func beginApplying(behind index: LogIndex) {
        handedToApply = index
        appliedIndex = index
        unappliedBytes = 0
    }
}
