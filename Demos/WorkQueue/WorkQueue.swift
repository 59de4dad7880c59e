// Workers that pull their work, against work that is dealt out in turns.

import Conclave
import DemoSupport
import Foundation

/// A job that takes a while, as one that waits for a disk or another server does.
struct Job: Sendable {
    let number: Int
    let milliseconds: Int
}

/// Does jobs by waiting; crashes over job 13 the first time it sees it.
struct Clerk: PoolWorker {
    struct Unlucky: Error {}
    let attempts: Agent<Int>

    mutating func perform(_ job: Job) throws -> Int {
        Thread.sleep(forTimeInterval: Double(job.milliseconds) / 1_000)
        if job.number == 13, attempts.snapshot == 0 {
            attempts.send { $0 += 1 }
            throw Unlucky()
        }
        return job.number
    }
}

/// The same work for an actor that is dealt its jobs.
struct DealtClerk: Behavior {
    enum Message { case perform(Job, Reply<Int>) }

    mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
        switch consume message {
        case .perform(let job, let reply):
            Thread.sleep(forTimeInterval: Double(job.milliseconds) / 1_000)
            reply(job.number)
        }
    }
}

@main
struct WorkQueueDemo {
    static let workers = 4

    static func main() async throws {
        let demo = Demo(
            "work-queue",
            about: """
                WorkQueue: \(workers) workers, and jobs of which every eighth takes 200 ms and the others 5 ms. Dealt out in turns, short
                jobs wait behind long ones although other workers are idle. Workers that pull take the next job when they are free.
                """,
            options: ["jobs": 32]
        )
        let jobs = (0..<demo.numbers["jobs", default: 32]).map { number in
            Job(number: number, milliseconds: number % 8 == 0 ? 200 : 5)
        }
        let system = ActorSystem("work-queue")

        demo.part("Dealt out in turns")
        let clerks = try (0..<workers).map { _ in
            try system.spawn(options: SpawnOptions(runsOn: .ownThread)) { DealtClerk() }
        }
        let dealt = try await measure(jobs) { job in
            try await clerks[job.number % workers].ask(timeout: .seconds(60)) { .perform(job, $0) }
        }

        demo.part("Pulled from one queue; one worker crashes on purpose, and its job is tried again")
        let attempts = Agent(0, in: system)
        let pool = try WorkerPool(workers: workers, in: system, options: PoolOptions(retries: 1, runsOn: .ownThread)) {
            Clerk(attempts: attempts)
        }
        let pulled = try await measure(jobs) { try await pool.submit($0, timeout: .seconds(60)) }
        let crashes = system.counts.restarts
        demo.expect(
            jobs.count <= 13 || crashes == 1,
            "\(crashes) worker was restarted, and its job was done by the next one that asked"
        )
        demo.expect(jobs.count < 32 || pulled < dealt, "pulling was faster: \(pulled.text) instead of \(dealt.text)")

        demo.part("A pool is drained before it ends")
        await pool.drain()
        demo.expect((try? await pool.submit(jobs[0])) == nil, "no job is taken after that")
        await system.shutdown()
    }

    /// Gives all jobs at once and says how long they took, together and each.
    static func measure(
        _ jobs: [Job],
        _ perform: @escaping @Sendable (Job) async throws -> Int
    ) async throws -> Duration {
        let clock = ContinuousClock()
        let begin = clock.now
        let times = try await withThrowingTaskGroup(of: (Job, Duration).self) { group in
            for job in jobs {
                group.addTask {
                    let answer = try await perform(job)
                    precondition(answer == job.number, "another job's answer")
                    return (job, clock.now - begin)
                }
            }
            return try await group.reduce(into: [(Job, Duration)]()) { $0.append($1) }
        }
        let total = clock.now - begin
        let short = times.filter { $0.0.milliseconds < 200 }.map(\.1).sorted()
        let median = short.isEmpty ? total : short[short.count / 2]
        print("   all done after \(total.text); half of the short jobs were done after \(median.text)")
        return total
    }
}
