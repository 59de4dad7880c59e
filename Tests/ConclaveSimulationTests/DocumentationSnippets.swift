import Conclave
import ConclaveSimulation
import Testing

/// The example of "Testing your actors" that needs a simulation, compiled and run; DocumentationTests hold the article against it.
@Suite struct DocumentationSnippets {
    /// Puts a little aside every minute.
    private struct Saver: Behavior {
        enum Message { case minute, total(Reply<Int>) }
        var saved = 0

        mutating func started(_ context: borrowing Context<Message>) throws {
            try context.register("saver")
            context.every(.seconds(60)) { .minute }
        }
        mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
            switch consume message {
            case .minute: saved += 1
            case .total(let reply): reply(saved)
            }
        }
    }

    @Test("the example of \"Testing your actors\" runs: an hour of virtual time")
    func testingYourActors() throws {
        let simulation = Simulation(seed: 42)
        let machine = try simulation.machine("bank") { try $0.system.spawn("saver") { Saver() } }
        try simulation.advance(by: .seconds(3600))
        let total = try simulation.run {
            let saver = machine.system.registry.lookup("saver", of: Saver.Message.self)
            return try await saver?.ask { .total($0) }
        }
        #expect(total == 60)
    }

    /// Keeps coins.
    private struct Till: Behavior {
        enum Message { case put(Int), total(Reply<Int>) }
        var total = 0

        mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
            switch consume message {
            case .put(let coins): total += coins
            case .total(let reply): reply(total)
            }
        }
    }

    private func run(seed: UInt64) throws -> Simulation {
        let simulation = Simulation(seed: seed)
        let till = try simulation.machine("till") { machine in
            let till = try machine.system.spawn("till") { Till() }
            try machine.system.registry.register("till", till)
        }
        let total = try simulation.run {
            let ref = till.system.registry.lookup("till", of: Till.Message.self)
            ref?.send(.put(5))
            await simulation.sleep(for: .seconds(3600))
            return try await ref?.ask { .total($0) }
        }
        if total != 5 { simulation.fail("the till has \(total ?? 0)") }
        till.pause(for: .seconds(2))
        till.setClockRate(partsPerMillion: 50_000)
        till.crash()
        try till.restart()
        try simulation.settle()
        return simulation
    }

    @Test("the examples of \"Simulating your actors\" run")
    func simulatingYourActors() throws {
        let first = try run(seed: 7)
        let second = try run(seed: 7)
        #expect(first.signature == second.signature)

        func fails(_ coins: [Int]) -> Bool { coins.reduce(0, +) > 100 }
        let coins = [5, 60, 1, 2, 50, 7]
        var shrinker = StepShrinker<Int>(budget: 100) { coins in fails(coins) }
        let few = shrinker.shrink(coins)
        #expect(few == [60, 50])
    }
}
