// Supervised accounts: one crashes on purpose, its supervisor starts it again, the others do not notice.

import Conclave
import DemoSupport

/// An account is a closed actor: it takes these messages and nothing else.
struct Account: Behavior {
    enum Message {
        case deposit(Int)
        case withdraw(Int, Reply<Bool>)
        case balance(Reply<Int>)
        /// Somebody sends nonsense.
        case corrupt
    }
    struct CorruptMessage: Error {}

    var balance: Int

    mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) throws {
        switch consume message {
        case .deposit(let amount): balance += amount
        case .withdraw(let amount, let reply):
            let isCovered = amount <= balance
            if isCovered { balance -= amount }
            reply(isCovered)
        case .balance(let reply): reply(balance)
        case .corrupt: throw CorruptMessage()
        }
    }
}

/// The bank supervises its accounts. They are found by their names in the system's registry.
let openingBalance = 100
let customers = ["alice", "bob"]

func bank() -> Supervisor {
    Supervisor { context in
        for customer in customers {
            let account = try context.spawn(customer, options: .permanent) { Account(balance: openingBalance) }
            try context.system.registry.register(customer, account)
        }
    }
}

@main
struct BankDemo {
    static func main() async throws {
        let demo = Demo(
            "bank",
            about: """
                Bank: accounts are actors below a supervisor. A handler that throws fails its actor; the supervisor starts it
                again, with the same reference and mailbox, and nobody else notices.
                """
        )
        let system = ActorSystem("bank")
        let events = system.events.events()
        let supervisor = try system.spawn(
            "bank",
            options: SpawnOptions(intensity: RestartIntensity(3, per: .seconds(5)))
        ) { bank() }
        guard let alice = system.registry.lookup("alice", of: Account.Message.self),
            let bob = system.registry.lookup("bob", of: Account.Message.self)
        else { fatalError("the accounts are registered once the bank has started") }

        demo.part("A transfer: one message each way, in order")
        let isCovered = try await alice.ask { .withdraw(30, $0) }
        if isCovered { bob.send(.deposit(30)) }
        demo.expect(try await alice.ask { .balance($0) } == 70, "alice has 70")
        demo.expect(try await bob.ask { .balance($0) } == 130, "bob has 130")

        demo.part("A crash on purpose: a corrupt message, with a deposit right behind it")
        alice.send(.corrupt)
        alice.send(.deposit(5))
        let balance = try await alice.ask { .balance($0) }
        print(
            "   alice's account was started again with its opening balance of \(openingBalance); the deposit had waited for it"
        )
        demo.expect(
            balance == openingBalance + 5,
            "alice has \(balance): what must survive a crash has to be kept elsewhere"
        )
        demo.expect(try await bob.ask { .balance($0) } == 130, "bob still has 130: his account did not notice")
        demo.expect(system.counts.restarts == 1, "the system counts one restart")

        demo.part("Too many crashes: four in five seconds are more than the bank's restart intensity allows")
        for _ in 0..<3 { alice.send(.corrupt) }
        _ = await supervisor.terminated()
        demo.expect(
            system.counts.restartLimitsExceeded == 1,
            "the supervisor gave up instead of restarting for ever, and the bank has ended"
        )
        demo.expect(system.registry.names.isEmpty, "the names are free again")
        bob.send(.deposit(1))
        demo.expect(system.counts.deadLetters > 0, "a deposit sent now is a dead letter, not lost without a trace")

        await system.shutdown()
        demo.part("What the system told about itself")
        for await event in events {
            switch event {
            case .actorFailed(let path, let error): print("   \(path) failed: \(error)")
            case .actorRestarted(let path, let restarts): print("   \(path) was started again (\(restarts))")
            case .actorStopped(let path, let reason): print("   \(path) ended: \(reason)")
            case .deadLetter(let letter): print("   dead letter for \(letter.recipient)")
            default: break
            }
        }
    }
}
