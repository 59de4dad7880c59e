import Dispatch
import Testing

@testable import Conclave

@Suite struct PoolQueueTests {
    @Test("a job goes to a worker that has asked, and waits as long as all are busy")
    func pull() {
        var queue = PoolQueue<String>(workers: 2, limit: 2)
        #expect(queue.submit("a") == .queued)
        #expect(queue.pull(0) { _ in true } == "a")
        #expect(queue.pull(1) { _ in true } == nil)
        #expect(queue.submit("b") == .run(worker: 1))
        #expect(queue.submit("c") == .queued)
        #expect(queue.submit("d") == .queued)
        #expect(queue.submit("e") == .full)
        #expect(queue.finish(1) == "b")
        #expect(queue.pull(1) { _ in true } == "c")
        #expect(queue.finish(0) == "a")
        #expect(queue.pull(0) { $0 != "d" } == nil)
        #expect(queue.waitingCount == 0)
    }

    @Test("a job that is tried again goes first, and needs no room")
    func retry() {
        var queue = PoolQueue<String>(workers: 1, limit: 1)
        #expect(queue.submit("a") == .queued)
        #expect(queue.pull(0) { _ in true } == "a")
        #expect(queue.submit("b") == .queued)
        #expect(queue.finish(0) == "a")
        #expect(queue.retry("a") == nil)
        #expect(queue.pull(0) { _ in true } == "a")
        #expect(queue.finish(0) == "a")
        #expect(queue.pull(0) { _ in true } == "b")
        #expect(queue.finish(0) == "b")
        #expect(queue.pull(0) { _ in true } == nil)
        #expect(queue.retry("c") == 0)
    }

    @Test("a pool that drains takes no more jobs, and is drained when the last one is done")
    func drain() {
        var queue = PoolQueue<String>(workers: 1, limit: 1)
        _ = queue.submit("a")
        _ = queue.pull(0) { _ in true }
        _ = queue.submit("b")
        queue.drain()
        #expect(queue.submit("c") == .draining)
        #expect(queue.finish(0) == "a")
        #expect(!queue.isDrained)
        #expect(queue.pull(0) { _ in true } == "b")
        #expect(!queue.isDrained)
        #expect(queue.finish(0) == "b")
        #expect(queue.isDrained)
    }
}

private func text(_ result: Result<Int, any Error>) -> String {
    switch result {
    case .success(let value): "\(value)"
    case .failure(let error): "\(error)"
    }
}

@Suite(.timeLimit(.minutes(1))) struct WorkerPoolTests {
    /// What a test tells a worker to do.
    private enum Work: Sendable {
        case answer(Int)
        /// Blocks until somebody signals, and answers -1.
        case wait(DispatchSemaphore)
        case crash
        /// Crashes the first time.
        case crashOnce(Counter)
    }

    private struct Hand: PoolWorker {
        var done = 0
        mutating func perform(_ work: Work) throws -> Int {
            done += 1
            switch work {
            case .answer(let value): return value
            case .wait(let gate):
                gate.wait()
                return -1
            case .crash: throw Planned()
            case .crashOnce(let counter):
                counter.up()
                if counter.value == 1 { throw Planned() }
                return done
            }
        }
    }

    @Test("each job gets its own answer, whoever does it")
    func answers() async throws {
        let system = ActorSystem("pool", workers: 4)
        let pool = try WorkerPool(workers: 4, in: system, perform: { (number: Int) in number * 2 })
        let sum = try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<1000 {
                group.addTask {
                    let answer = try await pool.submit(number)
                    #expect(answer == 2 * number)
                    return answer
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(sum == 999 * 1000)
        await system.shutdown()
    }

    @Test("no job waits behind a busy worker while another one is idle")
    func busyWorker() async throws {
        let system = ActorSystem("pool")
        let pool = try WorkerPool(workers: 2, in: system, options: PoolOptions(runsOn: .ownThread)) { Hand() }
        let gate = DispatchSemaphore(value: 0)
        let long = Task { try await pool.submit(.wait(gate), timeout: .seconds(60)) }
        for number in 0..<200 { #expect(try await pool.submit(.answer(number)) == number) }
        gate.signal()
        #expect(try await long.value == -1)
        await system.shutdown()
        #expect(system.threadCount == 0)
    }

    @Test("a job that finds the queue full is refused at once")
    func full() async throws {
        let world = SteppedWorld()
        let pool = try WorkerPool(workers: 1, in: world.system, options: PoolOptions(queueLimit: 2)) { Hand() }
        let journal = Journal<String>()
        let actor = try world.system.spawn { Puppet(journal) }
        actor.act { context in
            for number in 0..<4 { context.submit(.answer(number), to: pool) { .note(text($0)) } }
        }
        world.settle()
        #expect(journal.entries == ["the pool's queue is full", "0", "1", "2"])
        await world.shutdown()
    }

    @Test("a crashed worker's job fails its asker, and a fresh worker goes on")
    func crash() async throws {
        let system = ActorSystem("pool")
        let pool = try WorkerPool(workers: 1, in: system) { Hand() }
        await #expect(throws: PoolError.self) { try await pool.submit(.crash) }
        #expect(try await pool.submit(.answer(1)) == 1)
        // The worker is a fresh one: it has done one job before this one.
        let counter = Counter()
        counter.up()
        #expect(try await pool.submit(.crashOnce(counter)) == 2)
        #expect(system.counts.restarts == 1)
        await system.shutdown()
    }

    @Test("by choice a crashed worker's job is tried again, as often as was said")
    func retry() async throws {
        let system = ActorSystem("pool")
        let pool = try WorkerPool(workers: 2, in: system, options: PoolOptions(retries: 1)) { Hand() }
        let counter = Counter()
        _ = try await pool.submit(.crashOnce(counter))
        #expect(counter.value == 2)
        await #expect(throws: PoolError.self) { try await pool.submit(.crash) }
        #expect(system.counts.failures == 3)
        await system.shutdown()
    }

    @Test("a pool whose workers crash too often ends, and so do the asks")
    func gaveUp() async throws {
        let system = ActorSystem("pool")
        let options = PoolOptions(intensity: RestartIntensity(2, per: .seconds(60)))
        let pool = try WorkerPool(workers: 1, in: system, options: options) { Hand() }
        for _ in 0..<3 { _ = try? await pool.submit(.crash) }
        _ = await pool.terminated()
        #expect(system.counts.restartLimitsExceeded == 1)
        #expect(await askFailure { try await pool.submit(.answer(1)) } == "noProcess")
        await system.shutdown()
        #expect(system.liveTimerCount == 0)
    }

    @Test("a job whose asker gave up before its turn is never begun")
    func cancelled() async throws {
        let system = ActorSystem("pool")
        let pool = try WorkerPool(workers: 1, in: system, options: PoolOptions(runsOn: .ownThread)) { Hand() }
        let gate = DispatchSemaphore(value: 0)
        let first = Task { try await pool.submit(.wait(gate), timeout: .seconds(60)) }
        let counter = Counter()
        counter.up()
        let given = Task { try await pool.submit(.crashOnce(counter)) }
        given.cancel()
        await #expect(throws: CancellationError.self) { try await given.value }
        gate.signal()
        #expect(try await first.value == -1)
        _ = try await pool.submit(.answer(1))
        #expect(counter.value <= 1)
        await system.shutdown()
    }

    @Test("a drained pool does what it accepted, takes no more, and ends")
    func drain() async throws {
        let system = ActorSystem("pool")
        let pool = try WorkerPool(workers: 2, in: system, name: "pool") { Hand() }
        let outcomes = await withTaskGroup(of: String.self) { group in
            for number in 0..<500 { group.addTask { await askFailure { try await pool.submit(.answer(number)) } } }
            group.addTask {
                await pool.drain()
                return "drained"
            }
            return await group.reduce(into: [String]()) { $0.append($1) }
        }
        // Each was answered, or refused by the pool or for its end; none was lost on the way.
        #expect(outcomes.count == 501)
        let refused = outcomes.filter { !$0.hasPrefix("answered") && $0 != "drained" }
        #expect(Set(refused).isSubset(of: ["PoolError", "noProcess"]), "\(Set(refused))")
        #expect("\(await pool.terminated())" == "noProcess")
        await system.shutdown()
    }

    @Test("an actor gives a pool a job and gets the result as a message")
    func fromActor() async throws {
        let system = ActorSystem("pool")
        let journal = Journal<String>()
        let pool = try WorkerPool(workers: 1, in: system) { Hand() }
        let actor = try system.spawn { Puppet(journal) }
        actor.act { context in
            context.submit(.answer(7), to: pool) { .note(text($0)) }
            context.submit(.crash, to: pool) { .note(text($0)) }
        }
        #expect(await journal.first(2) == ["7", "the worker failed over the job: Planned()"])
        await system.shutdown()
    }

    @Test("nothing is left of a pool after the shutdown, whatever it was doing")
    func noLeak() async throws {
        let system = ActorSystem("pool")
        func run() async throws {
            let pool = try WorkerPool(workers: 3, in: system) { Hand() }
            for number in 0..<100 {
                Task { try? await pool.submit(number % 10 == 0 ? .crash : .answer(number)) }
            }
            _ = try await pool.submit(.answer(1))
        }
        try await run()
        await system.shutdown()
        #expect(system.threadCount == 0)
        #expect(system.liveTimerCount == 0)
    }
}
