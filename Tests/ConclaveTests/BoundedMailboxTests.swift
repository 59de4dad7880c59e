import Conclave
import Testing

/// Each line of the contract about bounded mailboxes.
@Suite(.timeLimit(.minutes(1))) struct BoundedMailboxTests {
    /// A world, an actor of its with this mailbox, what the actor receives, and what the world tells.
    private struct Scene {
        let world: SteppedWorld
        let journal = Journal<String>()
        let letters = Journal<DeadLetter>()
        let overflows = Journal<Int>()
        let actor: ActorRef<Puppet.Message>

        init(_ mailbox: Mailbox, restart: RestartType = .temporary) throws {
            let world = SteppedWorld()
            self.world = world
            let (journal, letters, overflows) = (journal, letters, overflows)
            world.system.onEvent { event in
                switch event {
                case .deadLetter(let letter): letters.note(letter)
                case .mailboxOverflowed(_, _, let count): overflows.note(count)
                default: break
                }
            }
            actor = try world.system.spawn("full", options: SpawnOptions(restart: restart, mailbox: mailbox)) {
                Puppet(journal, stopping: { reason, _ in journal.note("\(reason)") })
            }
            world.settle()
        }

        func send(_ numbers: ClosedRange<Int>) { for number in numbers { actor.send(.note("\(number)")) } }
    }

    @Test("mailboxes are unbounded by default")
    func unbounded() async throws {
        let scene = try Scene(.unbounded)
        scene.send(1...10_000)
        #expect(scene.actor.offer(.note("last")) == nil)
        scene.world.settle()
        #expect(scene.journal.entries.count == 10_001)
        #expect(scene.letters.entries.isEmpty)
        await scene.world.shutdown()
    }

    @Test("rejectNewest returns the newest message to its sender as a value")
    func rejectNewest() async throws {
        let scene = try Scene(.bounded(3, overflow: .rejectNewest))
        scene.send(1...3)
        guard case .note("4") = scene.actor.offer(.note("4")) else {
            Issue.record("the message did not come back")
            return
        }
        #expect(scene.letters.entries.isEmpty)
        scene.world.settle()
        #expect(scene.actor.offer(.note("5")) == nil)
        scene.world.settle()
        #expect(scene.journal.entries == ["1", "2", "3", "5"])
        #expect(scene.overflows.entries == [1])
        await scene.world.shutdown()
    }

    @Test("what send cannot return to its sender is a dead letter")
    func rejectedSend() async throws {
        let scene = try Scene(.bounded(3, overflow: .rejectNewest))
        scene.send(1...5)
        scene.world.settle()
        #expect(scene.journal.entries == ["1", "2", "3"])
        #expect(scene.letters.entries.map { "\($0.reason)" } == Array(repeating: "mailboxFull(rejectNewest)", count: 2))
        await scene.world.shutdown()
    }

    @Test("dropOldest makes a dead letter of the message that waited longest, counted, on the event stream")
    func dropOldest() async throws {
        let scene = try Scene(.bounded(3, overflow: .dropOldest))
        scene.send(1...4)
        #expect(scene.actor.offer(.note("5")) == nil)
        #expect(scene.letters.entries.count == 2)
        #expect(scene.overflows.entries == [1, 2])
        #expect(scene.world.system.deadLetterCount == 2)
        scene.world.settle()
        #expect(scene.journal.entries == ["3", "4", "5"])
        await scene.world.shutdown()
    }

    @Test("dropNewest makes a dead letter of the newest message, counted, on the event stream")
    func dropNewest() async throws {
        let scene = try Scene(.bounded(3, overflow: .dropNewest))
        let sender = try scene.world.system.spawn("sender") { Puppet() }
        scene.send(1...3)
        let actor = scene.actor
        sender.act { _ in for number in 4...5 { actor.send(.note("\(number)")) } }
        scene.world.scheduler.runNewestFirst()
        #expect(scene.journal.entries == ["1", "2", "3"])
        let letter = try #require(scene.letters.entries.last)
        #expect(ObjectIdentifier(letter.messageType) == ObjectIdentifier(Puppet.Message.self))
        #expect(letter.recipient == "/full")
        #expect(letter.sender == "/sender")
        #expect("\(letter.reason)" == "mailboxFull(dropNewest)")
        #expect(scene.overflows.entries == [1, 2])
        #expect(scene.world.system.deadLetterCount == 2)
        await scene.world.shutdown()
    }

    @Test("fail fails the receiver after the message it handles, and never its sender")
    func fail() async throws {
        let scene = try Scene(.bounded(2, overflow: .fail))
        let actor = scene.actor
        let sender = try scene.world.system.spawn { Puppet(scene.journal) }
        sender.act { _ in for number in 1...4 { actor.send(.note("\(number)")) } }
        sender.send(.note("the sender goes on"))
        scene.world.settle()
        #expect(scene.journal.entries == ["the sender goes on", "failed(\(MailboxOverflow(capacity: 2)))"])
        #expect(scene.letters.entries.map { "\($0.reason)" }.prefix(2) == ["mailboxFull(fail)", "mailboxFull(fail)"])
        #expect(scene.world.system.deadLetterCount == 4)
        await scene.world.shutdown()
    }

    @Test("a receiver that failed over an overflow is restarted with its mailbox")
    func failAndRestart() async throws {
        let scene = try Scene(.bounded(2, overflow: .fail), restart: .permanent)
        scene.send(1...4)
        scene.world.settle()
        #expect(scene.journal.entries == ["failed(\(MailboxOverflow(capacity: 2)))", "1", "2"])
        await scene.world.shutdown()
    }

    @Test("a mailbox that is full of messages takes stops, monitors, exits, timers and answers")
    func systemLane() async throws {
        let scene = try Scene(.bounded(1, overflow: .rejectNewest))
        let (world, actor) = (scene.world, scene.actor)
        let mortal = try world.system.spawn { Puppet() }
        actor.act { context in
            context.monitor(mortal) { .note("down \($0)") }
            context.ask(mortal, { .count($0) }, { .note("answer \(describe($0))") })
            context.after(.seconds(1), send: .note("timer"))
        }
        world.scheduler.step()
        actor.send(.note("fills the mailbox"))
        // Nothing of this comes before the actor runs again.
        actor.act { _ in }
        #expect(scene.letters.entries.count == 1)
        mortal.act { $0.stop() }
        world.scheduler.runNewestFirst()
        world.advance(by: .seconds(1))
        #expect(scene.journal.entries == ["fills the mailbox", "answer 1", "down normal", "timer"])
        actor.send(.note("never"))
        actor.stop()
        world.settle()
        #expect(scene.journal.entries.last == "shutdown")
        await world.shutdown()
    }

    @Test("a reply arrives before the DOWN of the one that replied, in a bounded mailbox too")
    func replyBeforeDown() async throws {
        let scene = try Scene(.bounded(100, overflow: .dropNewest))
        let (world, actor) = (scene.world, scene.actor)
        let server = try world.system.spawn { Puppet() }
        actor.act { context in
            context.monitor(server) { .note("down \($0)") }
            let myself = context.myself
            server.act { context in
                for number in 1...3 { myself.send(.note("\(number)")) }
                context.stop()
            }
        }
        world.settle()
        #expect(scene.journal.entries == ["1", "2", "3", "down normal"])
        await world.shutdown()
    }

    @Test("the message that is handled does not count against the bound")
    func handledMessage() async throws {
        let scene = try Scene(.bounded(1, overflow: .dropNewest))
        let actor = scene.actor
        actor.act { _ in
            actor.send(.note("waits"))
            actor.send(.note("dropped"))
        }
        scene.world.settle()
        #expect(scene.journal.entries == ["waits"])
        await scene.world.shutdown()
    }

    @Test("memory is bounded: payloads that do not fit are destroyed at once, all others when they were received")
    func payloads() async throws {
        final class Tracked: Sendable {
            let live: Counter
            init(_ live: Counter) {
                self.live = live
                live.up()
            }
            deinit { live.up(by: -1) }
        }
        struct Taker: Behavior {
            mutating func receive(_ message: consuming Tracked, _ context: borrowing Context<Tracked>) {}
        }
        let live = Counter()
        for overflow in [Mailbox.Overflow.rejectNewest, .dropOldest, .dropNewest, .suspendSender, .fail] {
            let world = SteppedWorld()
            let taker = try world.system.spawn(options: SpawnOptions(mailbox: .bounded(10, overflow: overflow))) {
                Taker()
            }
            for _ in 0..<100 { taker.send(Tracked(live)) }
            #expect(live.value == 10)
            world.settle()
            #expect(live.value == 0)
            if overflow != .fail { for _ in 0..<100 { taker.send(Tracked(live)) } }
            taker.stop()
            world.settle()
            for _ in 0..<100 { taker.send(Tracked(live)) }
            #expect(live.value == 0)
            await world.shutdown()
        }
    }

    @Test("a batch ends when a bounded mailbox ran dry")
    func batchEnd() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let actor = try world.system.spawn(options: SpawnOptions(mailbox: .bounded(1000, overflow: .dropNewest))) {
            Puppet(journal, batchEnding: { _ in journal.note("flush") })
        }
        for number in 0..<3 { actor.send(.note("\(number)")) }
        world.settle()
        #expect(journal.entries == ["0", "1", "2", "flush"])
        for _ in 0..<1000 { actor.act { _ in } }
        world.scheduler.step()
        #expect(journal.entries.count == 5)
        world.settle()
        #expect(journal.entries.count >= 8)
        await world.shutdown()
    }

    @Test("what an ended actor is offered becomes a dead letter")
    func ended() async throws {
        let scene = try Scene(.bounded(1, overflow: .rejectNewest))
        scene.actor.stop()
        scene.world.settle()
        #expect(scene.actor.offer(.note("late")) == nil)
        scene.actor.send(.note("late"))
        #expect(scene.letters.entries.map { "\($0.reason)" } == ["ended(shutdown)", "ended(shutdown)"])
        await scene.world.shutdown()
    }
}
