// Code as the payload: agents take functions instead of messages.

import Conclave
import DemoSupport
import Foundation

struct Refused: Error {}

@main
struct AgentsDemo {
    static func main() async throws {
        let demo = Demo(
            "agents",
            about: """
                Agents: state that functions are sent to, one running at a time, in the order sent. Any function over the state
                will do, and anybody can look at the state at any moment, without a message and without waiting.
                """
        )
        let system = ActorSystem("agents")
        try await counting(demo, system)
        try await heldSends(demo, system)
        try await failing(demo, system)
        try await blocking(demo, system)
        await system.shutdown()
    }

    static func counting(_ demo: Demo, _ system: ActorSystem) async throws {
        demo.part("Eight tasks send 10,000 increments each; nobody locks anything")
        let hits = Agent(0, in: system)
        let seen = await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 { group.addTask { for _ in 0..<10_000 { hits.send { $0 += 1 } } } }
            let early = hits.snapshot
            await group.waitForAll()
            return early
        }
        print("   a snapshot while they were at it: \(seen)")
        await hits.settled()
        demo.expect(try await hits.get() == 80_000, "after all of them: 80000")
    }

    static func heldSends(_ demo: Demo, _ system: ActorSystem) async throws {
        demo.part("What an action sends to agents is held until it succeeds, and dropped if it throws")
        let journal = Agent([String](), in: system)
        let stock = Agent(1, in: system, onError: .continue { error, stock in print("   the second order: \(error)") })
        for order in ["first", "second"] {
            stock.send { stock in
                journal.send { $0.append("shipped the \(order) order") }
                stock -= 1
                if stock < 0 { throw Refused() }
            }
        }
        let left = try await stock.get()
        demo.expect(left == 0, "the stock is 0: the action that threw left no trace")
        let entries = try await journal.get()
        demo.expect(entries == ["shipped the first order"], "the journal says: \(entries.joined(separator: ", "))")
    }

    static func failing(_ demo: Demo, _ system: ActorSystem) async throws {
        demo.part("By default an agent fails over an error: its queue is held until somebody restarts it")
        let agent = Agent(10, in: system)
        agent.send { _ in throw Refused() }
        agent.send { $0 += 1 }
        demo.expect(await !agent.settled(), "it has failed: \(agent.failure.map { "\($0)" } ?? "no")")
        try await agent.restart(with: 20)
        demo.expect(try await agent.get() == 21, "restarted with 20, it ran what had waited: 21")
    }

    static func blocking(_ demo: Demo, _ system: ActorSystem) async throws {
        demo.part(
            "sendBlocking runs where it may block: 20 agents wait 0.1 s each on \(ActorSystem.processorCount) workers"
        )
        let slow = (0..<20).map { _ in Agent(0, in: system) }
        let clock = ContinuousClock()
        let start = clock.now
        for agent in slow {
            agent.sendBlocking { state in
                Thread.sleep(forTimeInterval: 0.1)
                state += 1
            }
        }
        let quick = try await Agent(1, in: system).get()
        let quickTime = clock.now - start
        for agent in slow { await agent.settled() }
        let time = clock.now - start
        print("   another agent answered after \(quickTime.text), all were done after \(time.text)")
        demo.expect(quick == 1 && slow.allSatisfy { $0.snapshot == 1 }, "every action ran")
        demo.expect(time < .seconds(1.5), "they waited side by side, not one after the other (which takes 2 s)")
    }
}
