import Conclave
import Testing

/// "Fairness: no actor holds a worker longer than its batch (count and time) while another is ready."
@Suite(.timeLimit(.minutes(1))) struct FairnessTests {
    @Test("Fairness: no actor holds a worker longer than its batch, by count", arguments: [true, false])
    func count(bounded: Bool) async throws {
        let world = SteppedWorld()
        let received = Counter()
        let mailbox: Mailbox = bounded ? .bounded(10_000, overflow: .rejectNewest) : .unbounded
        let busy = try world.system.spawn(options: SpawnOptions(mailbox: mailbox)) { Puppet() }
        for _ in 0..<10_000 { busy.act { _ in received.up() } }
        var most = 0
        while received.value < 10_000 {
            let before = received.value
            world.scheduler.step()
            most = max(most, received.value - before)
        }
        #expect(most <= 256)
        await world.shutdown()
    }

    /// Until an actor has received all of its 64 messages, of which a step may take no more than one.
    private func stepToTheEnd(_ world: SteppedWorld, _ received: Counter) {
        while received.value < 64 {
            let before = received.value
            world.scheduler.step()
            #expect(received.value <= before + 1)
        }
    }

    @Test("Fairness: no actor holds a worker longer than its batch, by time")
    func time() async throws {
        let world = SteppedWorld()
        let received = Counter()
        let slow = try world.system.spawn { Puppet() }
        let work: Puppet.Act = { _ in
            received.up()
            computeForAMillisecond()
        }
        for _ in 0..<64 { slow.act(work) }
        world.scheduler.step()
        // Half a millisecond is over with the first, but the clock is read after 2, 4, 8 messages.
        #expect(received.value <= 4)
        // It has shown that it is slow: its time counts from the first message on.
        stepToTheEnd(world, received)
        // A pause does not make it a quick one.
        world.settle()
        for _ in 0..<8 { slow.act(work) }
        world.scheduler.step()
        #expect(received.value <= 64 + 1)
        await world.shutdown()
    }

    @Test("Fairness: asynchronous handlers that never await hold a worker no longer than a batch, by time")
    func asynchronous() async throws {
        struct Slow: AsyncBehavior {
            let count: Counter
            mutating func receive(_ message: consuming Int, _ context: borrowing Context<Int>) async {
                count.up()
                computeForAMillisecond()
            }
        }
        let world = SteppedWorld()
        let received = Counter()
        let slow = try world.system.spawn { Slow(count: received) }
        for number in 0..<64 { slow.send(number) }
        stepToTheEnd(world, received)
        await world.shutdown()
    }

    @Test("Fairness: an actor that never runs dry lets another have its turn, on one worker")
    func endless() async throws {
        struct Endless: Behavior {
            let count: Counter
            mutating func receive(_ message: consuming Int, _ context: borrowing Context<Int>) {
                count.up()
                if message > 0 { context.myself.send(message) }
            }
        }
        let system = ActorSystem("fair", workers: 1)
        let (first, second) = (Counter(), Counter())
        let busy = [try system.spawn { Endless(count: first) }, try system.spawn { Endless(count: second) }]
        for actor in busy { actor.send(1) }
        let other = try system.spawn { Puppet() }
        for _ in 0..<100 { try await other.settle() }
        #expect(first.value > 0 && second.value > 0)
        await system.shutdown()
    }

    @Test("Fairness: an actor that wakes many others lets them go first, however much time its batch has left")
    func crowd() async throws {
        let (woken, seen) = (Counter(), Journal<Int>())
        let system = ActorSystem("crowd", workers: 1)
        let others = try (0..<16 * 64).map { _ in try system.spawn { Puppet() } }
        let waker = try system.spawn { Puppet() }
        // All of its messages are there before the first is handled.
        waker.act { context in
            for crowd in 0..<16 {
                context.myself.act { _ in
                    woken.up()
                    for other in others[crowd * 64..<(crowd + 1) * 64] { other.act { _ in seen.note(woken.value) } }
                }
            }
        }
        #expect(try #require(await seen.first(1).first) <= 4)
        await system.shutdown()
    }

    @Test("Fairness: asynchronous handlers that wake many others let them go first, too")
    func asynchronousCrowd() async throws {
        struct Waker: AsyncBehavior {
            let crowds: [[ActorRef<Puppet.Message>]]
            let woken: Counter
            let seen: Journal<Int>
            mutating func receive(_ message: consuming Int, _ context: borrowing Context<Int>) async {
                guard message > 0 else {
                    for crowd in 1...crowds.count { context.myself.send(crowd) }
                    return
                }
                woken.up()
                for other in crowds[message - 1] { other.act { [woken, seen] _ in seen.note(woken.value) } }
            }
        }
        let (woken, seen) = (Counter(), Journal<Int>())
        let system = ActorSystem("crowd", workers: 1)
        let crowds = try (0..<16).map { _ in try (0..<64).map { _ in try system.spawn { Puppet() } } }
        // All of its messages are there before the first is handled.
        try system.spawn { Waker(crowds: crowds, woken: woken, seen: seen) }.send(0)
        #expect(try #require(await seen.first(1).first) <= 4)
        await system.shutdown()
    }
}

/// Twice as long as a batch may last.
private func computeForAMillisecond() {
    let end = ContinuousClock.now + .milliseconds(1)
    while ContinuousClock.now < end {}
}
