// The commands that this server's clients wait for: a pure value.

import RaftCore

/// What became of a command so far, and what follows from it.
///
/// A command is proposed in one term: by the leader in its own, by a follower through a message that names the term and that the
/// leader of any other term refuses. Terms only grow along the log. So once an entry of a later term is committed, a command of
/// an earlier term that has not been seen by then will never be: it is definitely not done and may be proposed again, without
/// any risk of doing it twice.
struct PendingProposals<Completion> {
    struct Proposal {
        var payload: [UInt8]
        var completion: Completion
        /// The term it was proposed in; nil while it waits for a leader.
        var term: Term?
        /// When its client stops waiting, in ticks. Invariant: no earlier than that of the proposal before.
        var deadline: UInt64
    }

    /// By sequence number, from `firstSequence` on; nil where a command is done.
    private var slots: [Proposal?] = []
    private var firstSequence: UInt64 = 1
    /// Slots before this one are done.
    private var head = 0
    /// Commands that are not done.
    private(set) var count = 0
    /// The payloads of those.
    private(set) var payloadBytes = 0
    /// The highest term of a committed entry.
    private var committedTerm = Term.zero

    /// How many proposals take up memory, those done among them.
    var slotCount: Int { slots.count }

    /// The number of the next proposal.
    var nextSequence: UInt64 { firstSequence + UInt64(slots.count) }

    mutating func add(_ proposal: Proposal) {
        assert((slots.last ?? nil).map { $0.deadline <= proposal.deadline } ?? true, "deadlines must not go back")
        slots.append(proposal)
        count += 1
        payloadBytes += proposal.payload.count
    }

    /// A committed entry of ours. Nil if its client has stopped waiting.
    mutating func complete(_ sequence: UInt64) -> Completion? {
        guard let slot = slot(sequence), let proposal = slots[slot] else { return nil }
        release(slot, proposal)
        return proposal.completion
    }

    /// An entry of `term` was committed. The commands that can no longer be committed by what was sent so far.
    mutating func lostCommands(committed term: Term) -> [UInt64] {
        guard term > committedTerm else { return [] }
        committedTerm = term
        return sequences { $0.term.map { $0 < term } ?? false }
    }

    /// The commands that wait for a leader.
    func waiting() -> [UInt64] { sequences { $0.term == nil } }

    /// The first commands that wait for a leader: those of so many bytes together, and at least one.
    func waiting(upToBytes bound: Int) -> [UInt64] {
        var bytes = 0
        return Array(
            waiting().prefix { sequence in
                let isFirst = bytes == 0
                bytes += payload(sequence)?.count ?? 0
                return isFirst || bytes <= bound
            }
        )
    }

    func payload(_ sequence: UInt64) -> [UInt8]? { slot(sequence).flatMap { slots[$0]?.payload } }

    /// Whether a command that is not done was last proposed in this term.
    func isProposed(_ sequence: UInt64, in term: Term) -> Bool {
        slot(sequence).flatMap { slots[$0] }.map { $0.term == term } ?? false
    }

    /// Notes in which term a command was proposed; nil: it waits.
    mutating func setTerm(_ sequence: UInt64, _ term: Term?) {
        if let slot = slot(sequence) { slots[slot]?.term = term }
    }

    /// Takes out the commands whose clients have waited long enough; `mayBeDone` is true if the command
    /// may have been carried out.
    mutating func expire(at now: UInt64) -> [(completion: Completion, mayBeDone: Bool)] {
        var expired: [(Completion, Bool)] = []
        // The oldest come first; releasing moves the head to the next one.
        while head < slots.count, let proposal = slots[head], proposal.deadline <= now {
            expired.append((proposal.completion, proposal.term != nil))
            release(head, proposal)
        }
        return expired
    }

    /// Takes out the commands that were proposed: nothing more will be heard of them.
    mutating func abandonSubmitted() -> [Completion] {
        sequences { $0.term != nil }.compactMap { complete($0) }
    }

    private func sequences(where isWanted: (Proposal) -> Bool) -> [UInt64] {
        (head..<slots.count).compactMap { slot in
            slots[slot].map(isWanted) == true ? firstSequence + UInt64(slot) : nil
        }
    }

    private func slot(_ sequence: UInt64) -> Int? {
        guard sequence >= firstSequence, sequence < nextSequence else { return nil }
        return Int(sequence - firstSequence)
    }

    private mutating func release(_ slot: Int, _ proposal: Proposal) {
        slots[slot] = nil
        count -= 1
        payloadBytes -= proposal.payload.count
        while head < slots.count, slots[head] == nil { head += 1 }
        // Dropping the front costs as much as what stays: rarely enough to be cheap on average.
        if head > 1024, head * 2 > slots.count {
            slots.removeFirst(head)
            firstSequence += UInt64(head)
            head = 0
        }
    }
}
