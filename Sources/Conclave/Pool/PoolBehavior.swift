// The actor that holds a pool's queue and supervises its workers.

/// A job with the way back to whoever submitted it.
struct PooledJob<Job: Sendable, Output: Sendable>: Sendable {
    let job: Job
    let reply: Reply<Result<Output, PoolError>>
    /// How often it has been tried.
    var crashes = 0
}

enum PoolMessage<Job: Sendable, Output: Sendable>: Sendable {
    case submit(PooledJob<Job, Output>)
    /// A worker has started, for the first time or after it crashed.
    case started(worker: Int)
    /// A worker has done its job and wants another, or is about to crash over it.
    case done(worker: Int, Result<Output, any Error>)
    case drain
}

struct PoolBehavior<Worker: PoolWorker>: Behavior {
    typealias Message = PoolMessage<Worker.Job, Worker.Output>
    private typealias Job = PooledJob<Worker.Job, Worker.Output>

    private let options: PoolOptions
    private let makeWorker: @Sendable () throws -> Worker
    private let workerCount: Int
    private var queue: PoolQueue<Job>
    private var workers: [ActorRef<Worker.Job>] = []

    init(workers: Int, options: PoolOptions, makeWorker: @escaping @Sendable () throws -> Worker) {
        self.options = options
        self.makeWorker = makeWorker
        workerCount = workers
        queue = PoolQueue(workers: workers, limit: options.queueLimit)
    }

    mutating func started(_ context: borrowing Context<Message>) throws {
        let pool = context.myself
        let makeWorker = makeWorker
        let workerOptions = SpawnOptions(restart: .permanent, runsOn: options.runsOn)
        for number in 0..<workerCount {
            let worker = try context.spawn("worker-\(number)", options: workerOptions) {
                PoolWorkerBehavior(number: number, pool: pool, worker: try makeWorker())
            }
            workers.append(worker)
        }
    }

    mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
        switch consume message {
        case .submit(let job):
            switch queue.submit(job) {
            case .run(let worker): workers[worker].send(job.job)
            case .queued: break
            case .full: job.reply(.failure(.queueFull))
            case .draining: job.reply(.failure(.draining))
            }
        case .started(let worker):
            // A job that is still open here was lost without a word.
            if let job = queue.finish(worker) { crashed(job, .workerEnded) }
            giveWork(to: worker)
        case .done(let worker, .success(let output)):
            queue.finish(worker)?.reply(.success(output))
            giveWork(to: worker)
        case .done(let worker, .failure(let error)):
            if let job = queue.finish(worker) { crashed(job, .workerFailed(error)) }
        case .drain: queue.drain()
        }
        if queue.isDrained { context.stop() }
    }

    private mutating func giveWork(to worker: Int) {
        if let job = queue.pull(worker, isWanted: \.reply.isAwaited) { workers[worker].send(job.job) }
    }

    private mutating func crashed(_ job: Job, _ error: PoolError) {
        guard job.crashes < options.retries, job.reply.isAwaited else { return job.reply(.failure(error)) }
        var job = job
        job.crashes += 1
        if let worker = queue.retry(job) { workers[worker].send(job.job) }
    }
}

/// One worker of a pool.
struct PoolWorkerBehavior<Worker: PoolWorker>: Behavior {
    let number: Int
    let pool: ActorRef<PoolMessage<Worker.Job, Worker.Output>>
    var worker: Worker

    mutating func started(_ context: borrowing Context<Worker.Job>) { pool.send(.started(worker: number)) }

    mutating func receive(_ job: consuming Worker.Job, _ context: borrowing Context<Worker.Job>) throws {
        do {
            let output = try worker.perform(job)
            pool.send(.done(worker: number, .success(output)))
        } catch {
            pool.send(.done(worker: number, .failure(error)))
            throw error
        }
    }
}
