import Conclave
import Dispatch
import Foundation
import Synchronization
import Testing

/// Everything at once. `CONCLAVE_STRESS_SECONDS` says for how long (half a second by default), `CONCLAVE_STRESS_SEED` what the threads
/// do.
@Suite(.timeLimit(.minutes(30))) struct StressTests {
    @Test("every message is received once or becomes a dead letter, in order, while actors stop and restart under load")
    func everything() async throws {
        let environment = ProcessInfo.processInfo.environment
        let seconds = environment["CONCLAVE_STRESS_SECONDS"].flatMap { Double($0) } ?? 0.5
        var random = TestRandom.seeded("CONCLAVE_STRESS_SEED")
        let tally = Tally()
        let system = ActorSystem("stress", workers: 4, restartIntensity: RestartIntensity(.max, per: .nanoseconds(1)))
        let field = try Field(system, tally)
        let threads = (0..<8).map { number in Attacker(number, field, TestRandom(seed: random.next())) }
        await withTaskGroup(of: Void.self) { group in
            for thread in threads {
                group.addTask { await thread.run(for: .seconds(seconds)) }
            }
        }
        #expect(await tally.asks.settled())
        field.letGo()
        await system.shutdown()
        // These are tasks, which run when they get a thread and hold their actor until then.
        #expect(await tally.watches.settled())
        let end = ContinuousClock.now + .seconds(60)
        while system.liveCellCount > 0, ContinuousClock.now < end { await Task.yield() }

        let sent = tally.sent.value
        let received = tally.received.value
        print(
            "stress: \(sent) messages, \(received) received, \(system.deadLetterCount) dead, \(tally.starts.value) starts"
        )
        #expect(sent == received + system.deadLetterCount)
        #expect(tally.outOfOrder.value == 0)
        #expect(tally.starts.value == tally.ends.value)
        #expect(system.liveTimerCount == 0)
        #expect(system.threadCount == 0)
        #expect(system.liveCellCount == 0)
    }
}

/// What the threads and actors of one run count.
private final class Tally: Sendable {
    let sent = Counter()
    let received = Counter()
    let outOfOrder = Counter()
    let starts = Counter()
    let ends = Counter()
    let watches = OpenTasks()
    let asks = OpenTasks()
}

private struct Target: Behavior {
    enum Message {
        case number(sender: Int, Int)
        case fail
        case quit
        case answer(Reply<Int>)
        case drop(Reply<Int>)
        case keep(Reply<Int>)
        /// Asks the other one, which may be gone by now.
        case forward(ActorRef<Message>, Reply<Int>)
        case forwarded(Reply<Int>, Result<Int, any Error>)
        case child
        case tick
    }
    let tally: Tally
    var last = [Int](repeating: -1, count: 8)
    var kept: [Reply<Int>] = []
    private var life: Life?

    init(_ tally: Tally) { self.tally = tally }

    mutating func started(_ context: borrowing Context<Message>) throws {
        if Int.random(in: 0..<20) == 0 { throw Planned() }
        tally.starts.up()
        life = Life(tally.ends)
        if Int.random(in: 0..<4) == 0 { context.every(.microseconds(200)) { .tick } }
    }

    mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) throws {
        switch consume message {
        case .tick: return
        case .forwarded(let reply, let result):
            if case .success(let value) = result { reply(value) }
            return
        case .number(let sender, let number):
            if number <= last[sender] { tally.outOfOrder.up() }
            last[sender] = number
        case .fail:
            tally.received.up()
            throw Planned()
        case .quit: context.stop()
        case .answer(let reply): reply(1)
        case .drop: break
        case .keep(let reply): kept.append(reply)
        case .forward(let other, let reply):
            tally.sent.up()
            context.ask(other, timeout: .milliseconds(1), { .answer($0) }, { .forwarded(reply, $0) })
            if other == context.myself { tally.sent.up(by: -1) }
        case .child:
            let tally = tally
            _ = try? context.spawn(options: .transient) { Target(tally) }
        }
        tally.received.up()
    }

}

/// Belongs to one incarnation and counts its end, by whatever way it comes: a kill runs no hook.
private final class Life {
    private let ends: Counter
    init(_ ends: Counter) { self.ends = ends }
    deinit { ends.up() }
}

/// The targets that the threads share.
private final class Field: Sendable {
    let system: ActorSystem
    let tally: Tally
    private let targets: Guarded<[ActorRef<Target.Message>]>

    init(_ system: ActorSystem, _ tally: Tally) throws {
        self.system = system
        self.tally = tally
        targets = Guarded([])
        while targets.withLock({ $0.count }) < 16 { if let made = spawn(0) { targets.withLock { $0.append(made) } } }
    }

    func target(_ number: Int) -> ActorRef<Target.Message> { targets.withLock { $0[number % $0.count] } }

    /// Starts an actor; nil if its start failed, as it sometimes does.
    func spawn(_ kind: Int) -> ActorRef<Target.Message>? {
        let tally = tally
        let restart: RestartType = [.permanent, .transient, .temporary][kind % 3]
        return try? system.spawn(options: SpawnOptions(restart: restart, runsOn: kind % 7 == 6 ? .ownThread : .workers))
        { Target(tally) }
    }

    func replace(_ number: Int, _ kind: Int) {
        guard let made = spawn(kind) else { return }
        let old = targets.withLock { targets in
            let position = number % targets.count
            defer { targets[position] = made }
            return targets[position]
        }
        old.stop()
    }

    func letGo() { targets.withLock { $0 = [] } }
}

/// One sender thread.
private struct Attacker {
    private let number: Int
    private let field: Field
    private var random: TestRandom

    init(_ number: Int, _ field: Field, _ random: TestRandom) {
        self.number = number
        self.field = field
        self.random = random
    }

    /// Runs on a thread of its own; the time counts from when that begins.
    func run(for duration: Duration) async {
        let attacker = self
        await onOwnThread {
            var attacker = attacker
            var step = 0
            let end = ContinuousClock.now + duration
            while ContinuousClock.now < end {
                attacker.act(step)
                step += 1
            }
        }
    }

    private mutating func act(_ step: Int) {
        let choice = Int.random(in: 0..<1000, using: &random)
        let place = Int.random(in: 0..<16, using: &random)
        let target = field.target(place)
        switch choice {
        case 0..<900: send(target, .number(sender: number, step))
        case 900..<910: send(target, .fail)
        case 910..<915: send(target, .quit)
        case 915..<920: target.stop()
        case 920..<922: target.kill()
        case 922..<940: field.replace(place, Int.random(in: 0..<100, using: &random))
        case 940..<950: send(target, .child)
        case 950..<960: ask(target) { .keep($0) }
        case 960..<970: ask(target) { .drop($0) }
        case 970..<980:
            let other = field.target(place + 1)
            ask(target) { .forward(other, $0) }
        case 980..<985: watch(target)
        default: ask(target) { .answer($0) }
        }
    }

    private func send(_ target: ActorRef<Target.Message>, _ message: sending Target.Message) {
        field.tally.sent.up()
        target.send(message)
    }

    private func ask(_ target: ActorRef<Target.Message>, _ request: @escaping @Sendable (Reply<Int>) -> Target.Message)
    {
        let tally = field.tally
        let timeout = Duration.microseconds([0, 50, 5_000, 5_000_000][Int.random(in: 0..<4)])
        let cancels = Int.random(in: 0..<4) == 0
        tally.asks.begin()
        let task = Task {
            _ = try? await target.ask(timeout: timeout) { reply in
                tally.sent.up()
                return request(reply)
            }
            tally.asks.end()
        }
        if cancels { task.cancel() }
    }

    private func watch(_ target: ActorRef<Target.Message>) {
        let tally = field.tally
        tally.watches.begin()
        Task {
            _ = await target.terminated()
            tally.watches.end()
        }
    }
}
