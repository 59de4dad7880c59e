// Who works on what in a pool, as a pure value: no actor, no clock.

/// The jobs of a pool and its workers, by number. Workers pull: a job is given to a worker only when that worker has asked for one.
struct PoolQueue<Job> {
    /// Jobs that wait at most.
    let limit: Int
    private var waiting: Ring<Job> = Ring()
    /// Jobs whose worker crashed, to be tried again; they go first and do not count for the limit.
    private var again: Ring<Job> = Ring()
    /// Workers that asked for a job when there was none. The last to come is the first to go: its caches are warm.
    private var idle: [Int] = []
    /// What each worker works on.
    private var running: [Job?]
    /// No job is accepted any more.
    private(set) var isDraining = false

    init(workers: Int, limit: Int) {
        self.limit = limit
        running = Array(repeating: nil, count: workers)
    }

    /// Jobs that wait for a worker.
    var waitingCount: Int { waiting.count + again.count }
    /// Whether nothing is left to do, and nothing will come.
    var isDrained: Bool { isDraining && waitingCount == 0 && !running.contains { $0 != nil } }

    enum Submission: Equatable {
        /// This worker, which is idle, is to do it now.
        case run(worker: Int)
        case queued
        case full
        case draining
    }

    mutating func submit(_ job: Job) -> Submission {
        if isDraining { return .draining }
        if let worker = start(job) { return .run(worker: worker) }
        if waiting.count >= limit { return .full }
        waiting.append(job)
        return .queued
    }

    /// A job whose worker crashed is to be tried again. The worker that is to do it now, if one is idle.
    mutating func retry(_ job: Job) -> Int? {
        if let worker = start(job) { return worker }
        again.append(job)
        return nil
    }

    /// A worker asks for a job. Jobs that nobody wants any more are left out.
    ///
    /// Before, `finish` has been called for what the worker did. Nil: there is nothing to do; the worker is idle.
    mutating func pull(_ worker: Int, isWanted: (Job) -> Bool) -> Job? {
        precondition(running[worker] == nil, "a worker asked for a job and has one")
        while let job = again.popFirst() ?? waiting.popFirst() {
            guard isWanted(job) else { continue }
            running[worker] = job
            return job
        }
        if !idle.contains(worker) { idle.append(worker) }
        return nil
    }

    /// The job that a worker has done or crashed over. Nil: it had none.
    mutating func finish(_ worker: Int) -> Job? { running[worker].take() }

    mutating func drain() { isDraining = true }

    private mutating func start(_ job: Job) -> Int? {
        guard let worker = idle.popLast() else { return nil }
        running[worker] = job
        return worker
    }
}
