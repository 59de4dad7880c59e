import Conclave
import Dispatch
import Testing

@Suite struct ActorTests {
    @Test("an actor answers what it was told, in the order it was told")
    func answers() async throws {
        let system = ActorSystem("bank")
        let account = try system.spawn("alice") { Account() }
        account.send(.deposit(10))
        account.send(.deposit(5))
        let total = try await account.ask(timeout: .seconds(1)) { .balance($0) }
        #expect(total == 15)
        await system.shutdown()
    }

    @Test("an actor that stops itself in started has ended when spawn returns, after its stopping hook")
    func stopsInStarted() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let actor = try world.system.spawn("it") {
            Puppet(starting: { $0.stop() }, stopping: { reason, _ in journal.note("stopping \(reason)") })
        }
        #expect(journal.entries == ["stopping normal"])
        #expect(throws: Never.self) { try world.system.spawn("it") { Puppet() } }
        actor.send(.note("late"))
        #expect(world.system.deadLetterCount == 1)
        await world.shutdown()
    }

    @Test("the last reference to the lowest of many nested actors lets go of all of them, without a stack for each")
    func deepTree() async throws {
        let system = ActorSystem("deep")
        let depth = 10_000
        let (refs, lowest) = AsyncStream.makeStream(of: ActorRef<Nested.Message>.self)
        try system.spawn { Nested(below: depth, lowest: lowest) }.send(.grow)
        let last = Guarded<ActorRef<Nested.Message>?>(nil)
        for await ref in refs { last.withLock { $0 = ref } }
        await system.shutdown()
        #expect(system.liveCellCount == depth + 2)
        DispatchQueue(label: "release").sync { last.withLock { $0 = nil } }
        #expect(system.liveCellCount == 0)
    }
}

/// Has one child, which has one child, and so on.
private struct Nested: Behavior {
    enum Message { case grow }
    let below: Int
    let lowest: AsyncStream<ActorRef<Message>>.Continuation

    mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) throws {
        let (below, lowest) = (below, lowest)
        if below > 0 {
            try context.spawn { Nested(below: below - 1, lowest: lowest) }.send(.grow)
        } else {
            lowest.yield(context.myself)
            lowest.finish()
        }
    }
}

struct Account: Behavior {
    enum Message {
        case deposit(Int)
        case balance(Reply<Int>)
    }
    var total = 0

    mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) throws {
        switch consume message {
        case .deposit(let amount): total += amount
        case .balance(let reply): reply(total)
        }
    }
}
