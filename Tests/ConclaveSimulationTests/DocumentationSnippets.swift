import Conclave
import ConclaveRaft
import ConclaveSimulation
import RaftCore
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

    /// Adds up the bytes of its commands.
    private struct Tally: StateMachine {
        var sum = 0

        mutating func apply(_ command: ArraySlice<UInt8>, wantsResponse: Bool) throws -> Int {
            sum += command.reduce(0) { $0 + Int($1) }
            return sum
        }
        func answer(_ query: Void) -> Int { sum }

        static func encode(_ response: Int) -> [UInt8] { Array("\(response)".utf8) }
        static func decode(response: [UInt8]) throws -> Int { Int(String(decoding: response, as: UTF8.self)) ?? 0 }
        func writeSnapshot(_ write: (UnsafeRawBufferPointer) throws -> Void) throws {
            try Self.encode(sum).withUnsafeBytes(write)
        }
        mutating func restoreSnapshot(_ read: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void) throws {
            var bytes: [UInt8] = []
            try read { bytes += $0 }
            sum = try Self.decode(response: bytes)
        }
    }

    private func tally(seed: UInt64) throws -> Int {
        let simulation = Simulation(seed: seed)
        let cluster = try SimulatedCluster(simulation, nodes: 3) { _ in Tally() }
        let sum = try simulation.run {
            var acknowledged = 0
            for number in 0..<20 {
                if number == 10 { cluster.cutPower(cluster.nodes[0]) }
                do {
                    _ = try await cluster.submit([1], to: cluster.nodes[number % 3])
                    acknowledged += 1
                } catch is NotDone, is OutcomeUnknown {}
                await simulation.sleep(for: .milliseconds(100))
            }
            try cluster.restart(cluster.nodes[0])
            await simulation.sleep(for: .seconds(5))
            let sum = try await cluster.query((), at: cluster.nodes[0])
            if sum < acknowledged { simulation.fail("\(acknowledged) were acknowledged, and \(sum) are there") }
            return sum
        }
        return sum
    }

    @Test("the example of \"Simulating a cluster\" runs: a state machine of one's own, over a power cut")
    func simulatingACluster() throws {
        for seed in 0..<10 as Range<UInt64> { #expect(try tally(seed: seed) >= 5) }
    }

    @Test("a cluster of one's own stands what its network and machines do, and elects another leader")
    func simulatedClusterFaults() throws {
        for seed in 0..<5 as Range<UInt64> {
            let simulation = Simulation(seed: seed)
            let cluster = try SimulatedCluster(simulation, nodes: 3) { _ in Tally() }
            var faults = NetworkFaults()
            faults.dropsPerMille = 50
            faults.duplicatesPerMille = 50
            cluster.setNetworkFaults(faults)
            try simulation.advance(by: .seconds(3))
            let leader = try #require(cluster.nodes.first { cluster.status(of: $0)?.role == .leader })
            cluster.isolate(leader)
            cluster.machine(of: leader).setClockRate(partsPerMillion: -20_000)
            try simulation.advance(by: .seconds(3))
            let others = cluster.nodes.filter { $0 != leader }
            #expect(others.contains { cluster.status(of: $0)?.role == .leader })
            cluster.heal()
            cluster.kill(others[0])
            #expect(cluster.status(of: others[0]) == nil)
            try simulation.advance(by: .seconds(3))
            try cluster.restart(others[0])
            try simulation.advance(by: .seconds(3))
            #expect(Set(cluster.nodes.map { cluster.status(of: $0)?.leader }).count == 1)
        }
    }
}
