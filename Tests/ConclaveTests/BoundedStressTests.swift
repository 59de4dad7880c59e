import Conclave
import Foundation
import Testing

/// Bounded mailboxes under everything at once; the variables of `StressTests` say for how long, and what the threads do.
@Suite(.timeLimit(.minutes(30))) struct BoundedStressTests {
    @Test(
        "what is sent to bounded mailboxes is received, returned, or a dead letter, in order, while actors stop and restart"
    )
    func everything() async throws {
        let seconds = ProcessInfo.processInfo.environment["CONCLAVE_STRESS_SECONDS"].flatMap { Double($0) } ?? 2
        var random = TestRandom.seeded("CONCLAVE_STRESS_SEED")
        let count = BoundedTally()
        let system = ActorSystem("bounded", workers: 4, restartIntensity: RestartIntensity(.max, per: .nanoseconds(1)))
        let end = ContinuousClock.now + .seconds(seconds)
        let field = try BoundedField(system, count)
        // Asks that wait for room may end without a word: their actors have a count of their own.
        let asked = ActorSystem("asked", workers: 4, restartIntensity: RestartIntensity(.max, per: .nanoseconds(1)))
        let askedField = try BoundedField(asked, BoundedTally(payloads: count.payloads))
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<8 {
                let random = TestRandom(seed: random.next())
                group.addTask {
                    await onOwnThread {
                        var sender = BoundedSender(number: number, field: field, asked: askedField, random: random)
                        while ContinuousClock.now < end { sender.act() }
                    }
                }
                group.addTask {
                    while ContinuousClock.now < end { _ = await system.snapshot(patience: .milliseconds(5)) }
                }
            }
        }
        #expect(await count.tasks.settled())
        field.letGo()
        askedField.letGo()
        await system.shutdown()
        await asked.shutdown()
        print(
            "bounded stress: \(count.sent.value) messages, \(count.received.value) received, "
                + "\(count.returned.value) returned, \(system.deadLetterCount) dead"
        )
        #expect(count.sent.value == count.received.value + count.returned.value + system.deadLetterCount)
        #expect(count.outOfOrder.value == 0)
        #expect(count.payloads.value == 0)
        for system in [system, asked] {
            #expect(system.liveTimerCount == 0)
            #expect(system.liveCellCount == 0)
            #expect(system.openInquiryCount == 0)
        }
    }
}

private final class BoundedTally: Sendable {
    /// Messages that were sent, and not taken back by their sender.
    let sent = Counter()
    let received = Counter()
    let returned = Counter()
    let outOfOrder = Counter()
    /// Alive at this moment.
    let payloads: Counter
    let tasks = OpenTasks()

    init(payloads: Counter = Counter()) { self.payloads = payloads }
}

private struct BoundedTarget: Behavior {
    enum Message: Sendable {
        case number(sender: Int, Int, Payload)
        case fail(Payload)
        case answer(Reply<Int>, Payload)
        case putAside(Payload)
        case takeUp(Payload)
        case tick
    }
    let count: BoundedTally
    var last = [Int](repeating: -1, count: 8)

    mutating func started(_ context: borrowing Context<Message>) throws {
        context.every(.milliseconds(1)) { .tick }
        context.receiveTimeout(after: .milliseconds(2)) { .tick }
    }

    mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) throws {
        switch consume message {
        case .tick: return
        case .number(let sender, let number, _):
            if number <= last[sender] { count.outOfOrder.up() }
            last[sender] = number
        case .fail:
            count.received.up()
            throw Planned()
        case .answer(let reply, _): reply(1)
        case .putAside(let payload):
            // Put aside again and again: it is never received, but a dead letter in the end.
            if context.stashCount < 20 { return try context.stash(.putAside(payload), limit: 20) }
        case .takeUp: context.unstash()
        }
        count.received.up()
    }
}

private final class BoundedField: Sendable {
    let system: ActorSystem
    let count: BoundedTally
    private let targets: Guarded<[ActorRef<BoundedTarget.Message>]>
    private static let overflows: [Mailbox.Overflow] = [.rejectNewest, .dropOldest, .dropNewest, .suspendSender, .fail]

    init(_ system: ActorSystem, _ count: BoundedTally) throws {
        self.system = system
        self.count = count
        targets = Guarded([])
        for kind in 0..<10 {
            let target = try spawn(kind)
            targets.withLock { $0.append(target) }
        }
    }

    private func spawn(_ kind: Int) throws -> ActorRef<BoundedTarget.Message> {
        let count = count
        let options = SpawnOptions(
            restart: kind % 3 == 0 ? .temporary : .permanent,
            mailbox: .bounded(1 + kind * 3, overflow: Self.overflows[kind % Self.overflows.count])
        )
        return try system.spawn(options: options) { BoundedTarget(count: count) }
    }

    func target(_ place: Int) -> ActorRef<BoundedTarget.Message> { targets.withLock { $0[place] } }

    func replace(_ place: Int) {
        guard let made = try? spawn(place) else { return }
        let old = targets.withLock { targets in
            defer { targets[place] = made }
            return targets[place]
        }
        old.stop()
    }

    func letGo() { targets.withLock { $0 = [] } }
}

private struct BoundedSender {
    let number: Int
    let field: BoundedField
    let asked: BoundedField
    var random: TestRandom
    private var step = 0

    init(number: Int, field: BoundedField, asked: BoundedField, random: TestRandom) {
        self.number = number
        self.field = field
        self.asked = asked
        self.random = random
    }

    mutating func act() {
        step += 1
        let count = field.count
        let place = Int.random(in: 0..<10, using: &random)
        let target = field.target(place)
        let payload = Payload(count.payloads)
        switch Int.random(in: 0..<1000, using: &random) {
        case 0..<600:
            count.sent.up()
            target.send(.number(sender: number, step, payload))
        case 600..<850:
            count.sent.up()
            if target.offer(.number(sender: number, step, payload)) != nil { count.returned.up() }
        case 850..<880: send(payload, to: target, cancels: Bool.random(using: &random))
        case 880..<960:
            ask(asked.target(place), payload)
            for _ in 0..<5 { asked.target(place).send(.number(sender: number, step, payload)) }
            if step % 500 == 0 { asked.replace(place) }
        case 960..<970:
            count.sent.up()
            target.send(.putAside(payload))
        case 970..<980:
            count.sent.up()
            target.send(.takeUp(payload))
        case 980..<990:
            count.sent.up()
            target.send(.fail(payload))
        case 990..<993: target.stop()
        case 993..<995: target.kill()
        default: field.replace(place)
        }
    }

    /// A task that waits for room. What it is told says what became of the message.
    private func send(_ payload: Payload, to target: ActorRef<BoundedTarget.Message>, cancels: Bool) {
        let count = field.count
        count.tasks.begin()
        count.sent.up()
        let task = Task {
            do {
                try await target.sendWhenRoom(.takeUp(payload))
            } catch is CancellationError {
                count.returned.up()
            } catch {}  // it has ended: a dead letter
            count.tasks.end()
        }
        if cancels { task.cancel() }
    }

    private mutating func ask(_ target: ActorRef<BoundedTarget.Message>, _ payload: Payload) {
        let count = field.count
        let timeout = Duration.microseconds([0, 50, 5_000, 5_000_000][Int.random(in: 0..<4, using: &random)])
        let cancels = Int.random(in: 0..<4, using: &random) == 0
        count.tasks.begin()
        let task = Task {
            _ = try? await target.ask(timeout: timeout) { reply in .answer(reply, payload) }
            count.tasks.end()
        }
        if cancels { task.cancel() }
    }
}
