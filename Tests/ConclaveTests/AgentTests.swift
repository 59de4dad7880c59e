import Conclave
import Testing

@Suite(.timeLimit(.minutes(1))) struct AgentTests {
    @Test("an agent applies functions one at a time, in the order sent")
    func order() async throws {
        let system = ActorSystem("agents")
        let numbers = try Agent([Int](), in: system)
        for number in 0..<1000 { numbers.send { $0.append(number) } }
        #expect(try await numbers.get() == Array(0..<1000))
        await system.shutdown()
    }

    @Test("functions sent by several tasks are all applied")
    func concurrent() async throws {
        let system = ActorSystem("agents")
        let counter = try Agent(0, in: system)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 { group.addTask { for _ in 0..<1000 { counter.send { $0 += 1 } } } }
        }
        #expect(try await counter.get() == 8000)
        await system.shutdown()
    }

    @Test("the snapshot is the state of a recent batch's end, without a message")
    func snapshot() async throws {
        let world = SteppedWorld()
        let counter = try Agent(1, in: world.system, name: "counter")
        #expect(counter.snapshot == 1)
        counter.send { $0 += 1 }
        #expect(counter.snapshot == 1)
        world.settle()
        #expect(counter.snapshot == 2)
        await world.shutdown()
    }

    @Test("an agent that was stopped answers no more, its last snapshot stays")
    func stopped() async throws {
        let system = ActorSystem("agents")
        let counter = try Agent(1, in: system)
        counter.send { $0 = 5 }
        #expect(try await counter.get() == 5)
        counter.stop()
        #expect(["noProcess", "stopped(shutdown)"].contains(await askFailure { try await counter.get() }))
        await system.shutdown()
        #expect(counter.snapshot == 5)
    }
}
