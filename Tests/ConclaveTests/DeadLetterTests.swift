import Conclave
import Testing

@Suite(.timeLimit(.minutes(1))) struct DeadLetterTests {
    private func letters(in world: SteppedWorld) -> Journal<DeadLetter> {
        let journal = Journal<DeadLetter>()
        world.system.onEvent { if case .deadLetter(let letter) = $0 { journal.note(letter) } }
        return journal
    }

    @Test("a dead letter names the message's type, the recipient, the sender and how the recipient ended")
    func contents() async throws {
        let world = SteppedWorld()
        let letters = letters(in: world)
        let dead = try world.system.spawn("dead") { Puppet() }
        dead.act { _ in throw Planned() }
        world.settle()
        let sender = try world.system.spawn("sender") { Puppet() }
        sender.act { _ in dead.send(.note("late")) }
        world.settle()
        let letter = try #require(letters.entries.first)
        #expect(letters.entries.count == 1)
        #expect(ObjectIdentifier(letter.messageType) == ObjectIdentifier(Puppet.Message.self))
        #expect(letter.recipient == "/dead")
        #expect(letter.sender == "/sender")
        #expect("\(letter.reason)" == "ended(failed(Planned()))")
        await world.shutdown()
    }

    @Test("who sends while a long mailbox is made into dead letters, in pieces, sees to the next one")
    func sentMeanwhile() async throws {
        let world = SteppedWorld()
        let dead = try world.system.spawn { Puppet() }
        let made = Counter()
        world.system.onEvent { if case .deadLetter = $0 { made.up() } }
        let counts = Journal<Int>()
        for number in 0..<2000 {
            let words = LastWords {
                guard number == 4 else { return }
                dead.send(.note("late"))
                counts.note(made.value)
            }
            dead.send(.act { _ in withExtendedLifetime(words) {} })
        }
        dead.stop()
        var steps = 0
        while world.scheduler.step() { steps += 1 }
        #expect(counts.entries == [5])
        #expect(made.value == 2001)
        #expect(steps > 2000 / 256)
        await world.shutdown()
    }

    @Test("a message from outside of all actors has no sender")
    func outsideSender() async throws {
        let world = SteppedWorld()
        let letters = letters(in: world)
        let dead = try world.system.spawn { Puppet() }
        dead.stop()
        world.settle()
        dead.send(.note("late"))
        #expect(letters.entries.map(\.sender) == [nil])
        await world.shutdown()
    }

    @Test("what waits in the mailbox of an actor that ends has no known sender")
    func waiting() async throws {
        let world = SteppedWorld()
        let letters = letters(in: world)
        let failing = Journal<ActorRef<Puppet.Message>>()
        let parent = try world.system.spawn { Puppet() }
        parent.act { context in
            _ = try? context.spawn {
                Puppet(starting: { context in
                    failing.note(context.myself)
                    context.myself.send(.note("to itself"))
                    throw Planned()
                })
            }
        }
        world.settle()
        #expect(letters.entries.map(\.sender) == [nil])
        await world.shutdown()
    }

    @Test("a message is destroyed exactly once, received or not")
    func destroyed() async throws {
        final class Tracked: Sendable {
            let journal: Journal<Int>
            init(_ journal: Journal<Int>) { self.journal = journal }
            deinit { journal.note(1) }
        }
        struct Taker: Behavior {
            mutating func receive(_ message: consuming Tracked, _ context: borrowing Context<Tracked>) {}
        }
        let world = SteppedWorld()
        let journal = Journal<Int>()
        let taker = try world.system.spawn { Taker() }
        for _ in 0..<10 { taker.send(Tracked(journal)) }
        world.settle()
        #expect(journal.entries.count == 10)
        for _ in 0..<10 { taker.send(Tracked(journal)) }
        taker.stop()
        for _ in 0..<10 { taker.send(Tracked(journal)) }
        world.settle()
        for _ in 0..<10 { taker.send(Tracked(journal)) }
        #expect(journal.entries.count == 40)
        #expect(world.system.deadLetterCount == 30)
        await world.shutdown()
    }

    @Test("a handler of dead letters may send to the dead")
    func reentrant() async throws {
        let world = SteppedWorld()
        let dead = try world.system.spawn { Puppet() }
        dead.stop()
        world.settle()
        let journal = Journal<Int>()
        world.system.onEvent { event in
            guard case .deadLetter = event else { return }
            journal.note(1)
            if journal.entries.count < 5 { dead.send(.note("again")) }
        }
        dead.send(.note("late"))
        #expect(journal.entries.count == 5)
        await world.shutdown()
    }
}

/// Does something at its end.
private final class LastWords: Sendable {
    private let speak: @Sendable () -> Void
    init(_ speak: @escaping @Sendable () -> Void) { self.speak = speak }
    deinit { speak() }
}
