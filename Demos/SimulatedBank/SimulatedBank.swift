// A bug that hides in the order of messages: found by a seed, replayed, shrunk to what it takes, and gone once it is fixed.

import Conclave
import ConclaveSimulation
import DemoSupport

/// One day of the bank in a simulated world.
struct Day {
    static let openingBalance = 100
    static let names = ["alice", "bob", "carol"]

    var seed: UInt64
    var isCareful = false
    var traceCapacity = 0

    /// The customers' orders of this seed.
    var orders: [Transfer] {
        // Other numbers than the world's, so that the world is the same with fewer orders.
        var random = SimulationRandom(seed: ~seed)
        let orders = (0..<12).map { _ in
            let from = Int.random(in: 0..<Self.names.count, using: &random)
            let to = (from + Int.random(in: 1..<Self.names.count, using: &random)) % Self.names.count
            return Transfer(
                time: .milliseconds(Int.random(in: 0...200, using: &random)),
                teller: Int.random(in: 1...2, using: &random),
                from: Self.names[from],
                to: Self.names[to],
                amount: Int.random(in: 1...8, using: &random) * 10
            )
        }
        return orders.sorted { ($0.time, $0.teller) < ($1.time, $1.teller) }
    }

    /// Runs the orders. Nobody may ever be overdrawn, and at the end no money may be missing.
    ///
    /// - Returns: the world after the run, and what went wrong in it.
    func run(_ orders: [Transfer]) -> (world: Simulation, failure: (any Error)?) {
        var configuration = Simulation.Configuration()
        configuration.traceCapacity = traceCapacity
        let world = Simulation(seed: seed, configuration)
        do { try work(orders, in: world) } catch { return (world, error) }
        return (world, nil)
    }

    private func work(_ orders: [Transfer], in world: Simulation) throws {
        let audit: @Sendable (String, Int) -> Void = { [weak world] name, balance in
            if balance < 0 { world?.fail("\(name) is overdrawn: \(balance)") }
        }
        let bank = try world.machine("bank") { [isCareful] machine in
            var accounts: [String: ActorRef<Account.Message>] = [:]
            for name in Self.names {
                accounts[name] = try machine.system.spawn(name) {
                    Account(name: name, balance: Self.openingBalance, audit: audit)
                }
            }
            for (name, account) in accounts { try machine.system.registry.register(name, account) }
            for name in ["teller-1", "teller-2"] {
                let teller =
                    if isCareful {
                        try machine.system.spawn(name) { [accounts] in CarefulTeller(accounts: accounts) }
                    } else {
                        try machine.system.spawn(name) { [accounts] in HastyTeller(accounts: accounts) }
                    }
                try machine.system.registry.register(name, teller)
            }
        }
        try world.run {
            for order in orders {
                let wait = order.time - world.time
                if wait > .zero { await world.sleep(for: wait) }
                world.note("\(order)")
                bank.system.registry.lookup("teller-\(order.teller)", of: TellerMessage.self)?.send(.transfer(order))
            }
            await world.sleep(for: .seconds(1))
            var total = 0
            for name in Self.names {
                let account = bank.system.registry.lookup(name, of: Account.Message.self)
                total += try await account?.ask { .balance($0) } ?? 0
            }
            if total != Self.openingBalance * Self.names.count { world.fail("\(total) in all accounts") }
        }
    }
}

@main
struct SimulatedBankDemo {
    static func main() {
        let demo = Demo(
            "simulated-bank",
            about: """
                SimulatedBank: a bank whose tellers look at a balance and then take the money. Now and then another teller looks in
                between. The same actors as in production run in a simulated world, seed after seed, until one finds that.
                """
        )

        demo.part("Seed after seed, each with orders and an order of messages of its own")
        var found: (day: Day, orders: [Transfer], complaint: String)?
        for seed in 0..<1_000 as Range<UInt64> where found == nil {
            let day = Day(seed: seed)
            if let failure = day.run(day.orders).failure { found = (day, day.orders, "\(failure)") }
        }
        guard let (day, orders, complaint) = found else {
            demo.expect(false, "a seed finds the bug")
            return
        }
        demo.expect(day.seed > 0, "seeds 0 to \(day.seed - 1) hold: the bug does not show every day")
        demo.expect(true, "seed \(day.seed), with \(orders.count) orders: \(complaint)")

        demo.part("The same seed again: the same steps, and the same failure")
        let (first, second) = (day.run(orders), day.run(orders))
        demo.expect(
            first.world.signature == second.world.signature && first.world.steps == second.world.steps,
            "\(first.world.steps) steps with the signature \(String(first.world.signature, radix: 16)), twice"
        )
        demo.expect("\(second.failure.map { "\($0)" } ?? "")" == complaint, "and the same complaint")

        demo.part("Fewer orders, as long as it still fails")
        var shrinker = StepShrinker<Transfer>(budget: 200) { day.run($0).failure.map { "\($0)" } != nil }
        let small = shrinker.shrink(orders)
        for order in small { print("   \(order)") }
        demo.expect(small.count < orders.count, "\(small.count) of \(orders.count) orders are enough")

        demo.part("What happens with these: the end of the trace")
        var watched = day
        watched.traceCapacity = 14
        let last = watched.run(small)
        print(last.world.trace.description.split(separator: "\n").map { "   \($0)" }.joined(separator: "\n"))
        demo.expect(last.failure != nil, "both tellers look before either takes")

        demo.part("Fixed: the account decides, in one message")
        var careful = day
        careful.isCareful = true
        demo.expect(careful.run(orders).failure == nil, "seed \(day.seed) holds")
        let failing = (0..<1_000 as Range<UInt64>).first {
            let day = Day(seed: $0, isCareful: true)
            return day.run(day.orders).failure != nil
        }
        demo.expect(failing == nil, "and so do 1,000 others")
    }
}
