import Conclave
import Testing

@Suite(.timeLimit(.minutes(1))) struct OpenBehaviorTests {
    private struct Account: OpenBehavior {
        enum Message { case deposit(Int), total(Reply<Int>) }
        var total = 0

        mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
            switch consume message {
            case .deposit(let amount): total += amount
            case .total(let reply): reply(total)
            }
        }
    }

    @Test("a closed actor that is open gets closures over its behaviour, each one message, in order with the others")
    func order() async throws {
        let system = ActorSystem("open")
        let account = try system.spawn { Account() }
        for _ in 0..<1000 {
            account.send(.deposit(1))
            account.run { (account: inout Account, _) in account.total *= 2 }
            account.send(.deposit(-3))
            account.run { (account: inout Account, _) in account.total = (account.total + 3) / 2 }
        }
        #expect(try await account.ask { .total($0) } == 1000)
        await system.shutdown()
    }

    @Test("the closure has the actor's context: it can spawn, stop and send")
    func context() async throws {
        let system = ActorSystem("open")
        let journal = Journal<String>()
        let account = try system.spawn("account") { Account() }
        account.run { (account: inout Account, context) in
            context.myself.send(.deposit(5))
            try context.spawn("child") { Puppet() }
            journal.note("\(context.children)")
        }
        account.run { (account: inout Account, context) in
            journal.note("\(account.total)")
            context.stop()
        }
        account.run { (_: inout Account, _) in journal.note("never") }
        _ = await account.terminated()
        // The deposit came after the second closure was sent, or before it ran.
        #expect(journal.entries.count == 2)
        #expect(journal.entries.first == "[\"/account/child\"]")
        await system.shutdown()
    }

    @Test("a closure that throws fails the actor, and the next incarnation gets the next one")
    func failure() async throws {
        let system = ActorSystem("open")
        let account = try system.spawn(options: .permanent) { Account() }
        account.send(.deposit(5))
        account.run { (_: inout Account, _) in throw Planned() }
        account.run { (account: inout Account, _) in account.total += 1 }
        #expect(try await account.ask { .total($0) } == 1)
        await system.shutdown()
    }

    @Test("code for an actor that has ended, or that ends before, is a dead letter and is destroyed")
    func deadLetters() async throws {
        final class Captured: Sendable {}
        weak var captured: Captured?
        let system = ActorSystem("open")
        let account = try system.spawn { Account() }
        func send() {
            let value = Captured()
            captured = value
            account.run { (_: inout Account, _) in withExtendedLifetime(value) {} }
        }
        account.run { (_: inout Account, context) in context.stop() }
        _ = await account.terminated()
        send()
        await system.shutdown()
        #expect(system.deadLetterCount == 1)
        #expect(captured == nil)
    }

    @Test("code reaches an open actor with a bounded mailbox in order as well")
    func bounded() async throws {
        let world = SteppedWorld()
        let journal = Journal<Int>()
        let account = try world.system.spawn(options: SpawnOptions(mailbox: .bounded(1, overflow: .dropNewest))) {
            Account()
        }
        account.send(.deposit(1))
        account.run { (account: inout Account, _) in journal.note(account.total) }
        world.settle()
        account.send(.deposit(1))
        account.run { (account: inout Account, _) in journal.note(account.total) }
        world.settle()
        #expect(journal.entries == [1, 2])
        await world.shutdown()
    }
}
