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
}
