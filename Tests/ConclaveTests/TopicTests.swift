import Conclave
import Testing

@Suite(.timeLimit(.minutes(1))) struct TopicTests {
    @Test("each subscriber gets every event it wants, in the order published")
    func order() async throws {
        let system = ActorSystem("topics")
        let topic = Topic<Int>()
        let all = Journal<String>()
        let even = Journal<String>()
        let first = try system.spawn { Noter(name: "", journal: all) }
        let second = try system.spawn { Noter(name: "", journal: even) }
        topic.subscribe(first) { "\($0)" }
        topic.subscribe(second) { $0 % 2 == 0 ? "\($0)" : nil }
        for number in 0..<100 { topic.publish(number) }
        #expect(await all.first(100) == (0..<100).map(String.init))
        #expect(await even.first(50) == stride(from: 0, to: 100, by: 2).map(String.init))
        await system.shutdown()
        #expect(topic.subscriberCount == 0)
    }

    @Test("a second subscription of an actor replaces the first, and one taken back gets nothing more")
    func replace() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let topic = Topic<Int>()
        let actor = try world.system.spawn { Noter(name: "", journal: journal) }
        topic.subscribe(actor) { "old \($0)" }
        topic.subscribe(actor) { "new \($0)" }
        #expect(topic.subscriberCount == 1)
        topic.publish(1)
        topic.unsubscribe(actor)
        topic.publish(2)
        world.settle()
        #expect(journal.entries == ["new 1"])
        await world.shutdown()
    }

    @Test("a subscriber that ends is removed, and nothing published later becomes a dead letter")
    func ended() async throws {
        let system = ActorSystem("topics")
        let topic = Topic<Int>()
        let actor = try system.spawn { Noter(name: "", journal: Journal()) }
        topic.subscribe(actor) { "\($0)" }
        actor.stop()
        _ = await actor.terminated()
        #expect(topic.subscriberCount == 0)
        topic.publish(1)
        topic.subscribe(actor) { "\($0)" }
        #expect(topic.subscriberCount == 0)
        #expect(system.deadLetterCount == 0)
        await system.shutdown()
    }

    @Test("an actor that is known to have ended is no subscriber and no member, also while its last drain is under way")
    func endedBefore() async throws {
        let system = ActorSystem("topics")
        let topic = Topic<Int>()
        let group = Group<Noter.Message>()
        for _ in 0..<2000 {
            let actor = try system.spawn { Noter(name: "", journal: Journal()) }
            actor.stop()
            _ = await actor.terminated()
            topic.subscribe(actor) { "\($0)" }
            group.join(actor)
            #expect(topic.subscriberCount == 0)
            #expect(group.members.isEmpty)
        }
        await system.shutdown()
    }

    @Test("a sequence that is made after the end ends at once")
    func sequenceAfterTheEnd() async {
        let system = ActorSystem("topics")
        await system.shutdown()
        for await _ in system.events.events() { Issue.record("an event after the end") }
    }

    @Test("a sequence holds as many events as it was made for and counts what it drops; finish ends it")
    func sequence() async throws {
        let topic = Topic<Int>()
        topic.publish(0)
        let events = topic.events(limit: 3)
        for number in 1...5 { topic.publish(number) }
        topic.finish()
        topic.publish(6)
        var seen: [Int] = []
        for await number in events { seen.append(number) }
        #expect(seen == [3, 4, 5])
        #expect(events.droppedCount == 2)
        #expect(topic.subscriberCount == 0)
    }

    @Test("a sequence that nobody iterates any more, or whose task is cancelled, is removed")
    func abandoned() async throws {
        let topic = Topic<Int>()
        do { _ = topic.events() }
        #expect(topic.subscriberCount == 0)
        let started = Journal<Int>()
        let task = Task {
            for await number in topic.events() { started.note(number) }
            return "over"
        }
        while topic.subscriberCount == 0 { await Task.yield() }
        topic.publish(1)
        _ = await started.first(1)
        task.cancel()
        #expect(await task.value == "over")
        #expect(topic.subscriberCount == 0)
    }

    @Test("nothing of a topic stays with an actor that outlives it")
    func topicGone() async throws {
        final class Captured: Sendable {}
        weak var captured: Captured?
        let world = SteppedWorld()
        let actor = try world.system.spawn { Noter(name: "", journal: Journal()) }
        func run() {
            let value = Captured()
            captured = value
            let topic = Topic<Int>()
            topic.subscribe(actor) { _ in withExtendedLifetime(value) { nil } }
        }
        run()
        #expect(captured == nil)
        world.settle()
        await world.shutdown()
    }
}

@Suite(.timeLimit(.minutes(1))) struct EventStreamTests {
    @Test("restarts, crashes, dead letters and overflow appear on the event stream, with counts")
    func counts() async throws {
        let system = ActorSystem("events")
        let journal = Journal<String>()
        let listener = try system.spawn("listener") { Noter(name: "", journal: journal) }
        system.events.subscribe(listener) { event in
            switch event {
            case .deadLetter(let letter): "dead letter for \(letter.recipient)"
            case .actorFailed(let path, _): "\(path) failed"
            case .actorRestarted(let path, let restarts): "\(path) restarted \(restarts)"
            case .mailboxOverflowed(let path, _, _): "\(path) overflowed"
            default: nil
            }
        }
        let actor = try system.spawn("actor", options: .permanent) { Puppet() }
        actor.act { _ in throw Planned() }
        try await actor.settle()
        let ended = try system.spawn("ended") { Puppet() }
        ended.stop()
        _ = await ended.terminated()
        ended.act { _ in }
        #expect(
            await journal.first(3) == ["/actor failed", "/actor restarted 1", "dead letter for /ended"]
        )
        let full = try system.spawn("full", options: SpawnOptions(mailbox: .bounded(1, overflow: .dropNewest))) {
            Puppet()
        }
        let gate = Channel<Void>(capacity: 1)
        full.act { _ in while gate.tryReceive() == nil {} }
        while system.counts.overflows == 0 { full.act { _ in } }
        try await gate.send(())
        #expect(await journal.first(4).last == "/full overflowed")
        let counts = system.counts
        #expect(counts.failures == 1)
        #expect(counts.restarts == 1)
        #expect(counts.deadLetters == 1 + counts.overflows)
        #expect(counts.restartLimitsExceeded == 0)
        await system.shutdown()
    }

    @Test("a task iterates over a system's events until the shutdown")
    func sequence() async throws {
        let system = ActorSystem("events")
        let events = system.events.events()
        let actor = try system.spawn("actor") { Puppet() }
        actor.stop()
        _ = await actor.terminated()
        await system.shutdown()
        var stopped: [String] = []
        for await event in events {
            if case .actorStopped(let path, _) = event { stopped.append(path) }
        }
        #expect(stopped == ["/actor", "/"])
    }

    @Test("a listener whose own mailbox overflows does not hear of that for ever")
    func noLoop() async throws {
        let world = SteppedWorld()
        let options = SpawnOptions(mailbox: .bounded(1, overflow: .dropNewest))
        let listener = try world.system.spawn("listener", options: options) { Noter(name: "", journal: Journal()) }
        world.system.events.subscribe(listener) { _ in "event" }
        let actor = try world.system.spawn("actor") { Puppet() }
        for _ in 0..<10 { actor.act { _ in } }
        actor.stop()
        world.settle()
        #expect(world.system.counts.overflows > 0)
        await world.shutdown()
    }
}
