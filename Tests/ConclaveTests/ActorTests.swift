import Conclave
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
