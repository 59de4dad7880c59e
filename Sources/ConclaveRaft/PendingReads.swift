// The queries that this server's clients wait for: a pure value.

import RaftCore

/// Queries on their way to a read index. All that arrive together wait for one and the same.
struct PendingReads<Completion> {
    struct Batch {
        let id: ReadID
        let completions: [Completion]
        /// When their clients stop waiting, in ticks.
        let deadline: UInt64
    }

    /// Those that have no number yet.
    private var arrived: [Completion] = []
    /// Invariant: in ascending order of id and so of deadline.
    private var started: [Batch] = []
    private var lastID: UInt64 = 0
    /// Queries that wait.
    private(set) var count = 0

    var hasArrivals: Bool { !arrived.isEmpty }

    mutating func add(_ completion: Completion) {
        count += 1
        arrived.append(completion)
    }

    /// The number under which all that have arrived wait from now on.
    mutating func start(deadline: UInt64) -> ReadID {
        lastID += 1
        let id = ReadID(lastID)
        started.append(Batch(id: id, completions: arrived, deadline: deadline))
        arrived = []
        return id
    }

    /// The queries of `id`, unless their time has passed.
    mutating func take(_ id: ReadID) -> Batch? {
        guard let place = started.firstIndex(where: { $0.id == id }) else { return nil }
        count -= started[place].completions.count
        return started.remove(at: place)
    }

    /// Takes out those whose clients have waited long enough.
    mutating func expire(at now: UInt64) -> [Completion] {
        let expired = started.prefix { $0.deadline <= now }.flatMap(\.completions)
        started.removeAll { $0.deadline <= now }
        count -= expired.count
        return expired
    }

    mutating func takeAll() -> [Completion] {
        let all = started.flatMap(\.completions) + arrived
        self = PendingReads()
        return all
    }
}
