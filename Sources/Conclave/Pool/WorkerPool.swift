// Many workers behind one bounded queue.

/// What a pool's workers do. Each worker keeps one value of this, made when it is started and again after it crashed.
public protocol PoolWorker: SendableMetatype {
    associatedtype Job: Sendable
    associatedtype Output: Sendable

    /// Does one job. An error thrown is a crash: the job fails, or is tried again, and a fresh worker takes over.
    mutating func perform(_ job: Job) throws -> Output
}

/// A fixed number of supervised workers that pull their jobs from one bounded queue.
///
/// A job is given to a worker when that worker asks for one, so that no job waits behind a long one while another worker is idle.
/// Jobs are begun in the order of their submission. The pool is an actor below the system's root, its workers are its children; a
/// worker that fails is restarted, as often as `PoolOptions.intensity` allows; beyond that the pool ends.
public struct WorkerPool<Job: Sendable, Output: Sendable>: Sendable {
    let ref: ActorRef<PoolMessage<Job, Output>>

    /// Starts a pool whose workers are made by `make`.
    ///
    /// - Throws: `SpawnError`, or what `make` throws; then nothing is left behind.
    public init<Worker: PoolWorker>(
        workers: Int = ActorSystem.processorCount,
        in system: ActorSystem,
        name: String? = nil,
        options: PoolOptions = PoolOptions(),
        _ make: @escaping @Sendable () throws -> Worker
    ) throws where Worker.Job == Job, Worker.Output == Output {
        precondition(workers > 0, "a pool needs at least one worker")
        ref = try system.spawn(name, options: SpawnOptions(shutdown: .infinite, intensity: options.intensity)) {
            PoolBehavior(workers: workers, options: options, makeWorker: make)
        }
    }

    /// Starts a pool whose workers call `perform`.
    ///
    /// - Throws: `SpawnError`.
    public init(
        workers: Int = ActorSystem.processorCount,
        in system: ActorSystem,
        name: String? = nil,
        options: PoolOptions = PoolOptions(),
        perform: @escaping @Sendable (Job) throws -> Output
    ) throws {
        try self.init(workers: workers, in: system, name: name, options: options) { FunctionWorker(function: perform) }
    }

    /// Gives the pool a job and waits for its result.
    ///
    /// - Parameters:
    ///   - job: what a worker is to do.
    ///   - timeout: for waiting and working together. A job that is still waiting then is never begun.
    /// - Throws: `PoolError`; `AskError`, for example when the pool has ended; `CancellationError` when the task is cancelled.
    public func submit(_ job: Job, timeout: Duration = .seconds(5)) async throws -> Output {
        try await ref.ask(timeout: timeout) { .submit(PooledJob(job: job, reply: $0)) }.get()
    }

    /// Accepts no more jobs, does those that were accepted, then ends the pool and returns.
    public func drain() async {
        ref.send(.drain)
        _ = await ref.terminated()
    }

    /// Ends the pool once its workers have done what they are at. Jobs that wait fail with `AskError.stopped`.
    public func stop() { ref.stop() }

    /// Waits until the pool has ended and says why.
    public func terminated() async -> ExitReason { await ref.terminated() }
}

extension Context {
    /// Gives a pool a job; its result comes back as a message made by `message`. Never blocks.
    ///
    /// The failures are those of `WorkerPool.submit`.
    public func submit<Job, Output>(
        _ job: Job,
        to pool: WorkerPool<Job, Output>,
        timeout: Duration = .seconds(5),
        _ message: @escaping (Result<Output, any Error>) -> Message
    ) {
        ask(pool.ref, timeout: timeout) {
            .submit(PooledJob(job: job, reply: $0))
        } _: { answer in
            message(answer.flatMap { result in result.mapError { $0 } })
        }
    }
}

/// How a pool treats its jobs and workers.
public struct PoolOptions: Sendable {
    /// Jobs that wait for a worker at most; more are refused with `PoolError.queueFull`.
    public var queueLimit: Int
    /// How often a job whose worker crashed is tried again, by the next worker that asks. Only for jobs that may be done twice.
    public var retries: Int
    /// Where the workers run; `.ownThread` for jobs that block.
    public var runsOn: ActorThreads
    /// How often workers may be restarted.
    public var intensity: RestartIntensity

    /// The options given, and the defaults for the others.
    public init(
        queueLimit: Int = 1024,
        retries: Int = 0,
        runsOn: ActorThreads = .workers,
        intensity: RestartIntensity = RestartIntensity(100, per: .seconds(1))
    ) {
        precondition(queueLimit >= 0, "a pool's queue cannot have a negative limit")
        precondition(retries >= 0, "a job cannot be retried less than never")
        self.queueLimit = queueLimit
        self.retries = retries
        self.runsOn = runsOn
        self.intensity = intensity
    }
}

/// Why a job has no result.
public enum PoolError: Error {
    /// As many jobs wait as may.
    case queueFull
    /// The worker threw this error over the job, and so did each that tried again.
    case workerFailed(any Error)
    /// The worker ended in the middle of the job.
    case workerEnded
    /// The pool is doing its last jobs and takes no more.
    case draining
}

extension PoolError: CustomStringConvertible {
    /// For people to read.
    public var description: String {
        switch self {
        case .queueFull: "the pool's queue is full"
        case .workerFailed(let error): "the worker failed over the job: \(error)"
        case .workerEnded: "the worker ended in the middle of the job"
        case .draining: "the pool takes no more jobs"
        }
    }
}

/// A worker without a state of its own.
private struct FunctionWorker<Job: Sendable, Output: Sendable>: PoolWorker {
    let function: @Sendable (Job) throws -> Output
    mutating func perform(_ job: Job) throws -> Output { try function(job) }
}
