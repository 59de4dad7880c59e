import Conclave
import Dispatch
import Foundation
import Synchronization
import Testing

@testable import ConclaveSimulation

/// Actors in a simulated world. The suites that need random behaviour draw it from the world's seed.
@Suite struct SimulationTests {
    /// Adds numbers up, and passes some of them on.
    private struct Adder: Behavior {
        enum Message {
            case add(Int)
            case total(Reply<Int>)
            case later(Duration)
            case keep(Reply<Int>)
        }
        var total = 0
        var kept: [Reply<Int>] = []

        mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
            switch consume message {
            case .add(let number): total += number
            case .total(let reply): reply(total)
            case .later(let delay): context.after(delay, send: .add(1))
            case .keep(let reply): kept.append(reply)
            }
        }
    }

    /// Passes a token to a random neighbour until it has made its hops.
    private struct Hopper: Behavior {
        enum Message {
            case neighbours([ActorRef<Message>])
            case token(hops: Int)
        }
        var neighbours: [ActorRef<Message>] = []
        var seen = 0
        let journal: Mutexed<[Int]>
        let number: Int

        mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
            switch consume message {
            case .neighbours(let all): neighbours = all
            case .token(let hops):
                seen += 1
                journal.change { $0.append(number) }
                guard hops > 0 else { return }
                neighbours[(number + seen) % neighbours.count].send(.token(hops: hops - 1))
                if hops % 7 == 0 { context.after(.milliseconds(hops), send: .token(hops: 1)) }
            }
        }
    }

    /// A busy little world; what it did, as its signature and as what the actors saw.
    private static func busyWorld(_ seed: UInt64, _ schedule: SchedulePolicy = .random) throws -> (UInt64, [Int]) {
        var configuration = Simulation.Configuration()
        configuration.schedule = schedule
        let simulation = Simulation(seed: seed, configuration)
        let journal = Mutexed<[Int]>([])
        let hoppers = Mutexed<[ActorRef<Hopper.Message>]>([])
        for name in ["a", "b"] {
            _ = try simulation.machine(name) { machine in
                for number in 0..<4 {
                    let hopper = try machine.system.spawn("hopper-\(number)") {
                        Hopper(journal: journal, number: number)
                    }
                    hoppers.change { $0.append(hopper) }
                }
            }
        }
        let all = hoppers.value
        for hopper in all { hopper.send(.neighbours(all)) }
        for hopper in all { hopper.send(.token(hops: 20)) }
        try simulation.advance(by: .seconds(1))
        return (simulation.signature, journal.value)
    }

    @Test("the body of a run asks actors, and hours of virtual time take no time")
    func asksFromOutside() throws {
        let simulation = Simulation(seed: 1)
        let machine = try simulation.machine("one") { try $0.system.spawn("adder") { Adder() } }
        let adder = try machine.system.spawn { Adder() }
        adder.send(.add(2))
        adder.send(.later(.seconds(1800)))
        #expect(try simulation.run { try await adder.ask { .total($0) } } == 2)
        try simulation.advance(by: .seconds(1800))
        #expect(try simulation.run { try await adder.ask { .total($0) } } == 3)
        #expect(simulation.time == .seconds(1800))
    }

    @Test("an ask times out at its moment of virtual time")
    func askTimesOut() throws {
        let simulation = Simulation(seed: 1)
        let machine = try simulation.machine("one") { _ in }
        let adder = try machine.system.spawn { Adder() }
        #expect(throws: AskError.self) {
            try simulation.run { try await adder.ask(timeout: .seconds(600)) { .keep($0) } }
        }
        #expect(simulation.time == .seconds(600))
    }

    @Test("the same seed gives the same steps, 200 seeds twice, and different seeds differ")
    func sameSeedSameSteps() throws {
        var signatures: Set<UInt64> = []
        for seed in 0..<200 as Range<UInt64> {
            let schedule = seed % 2 == 0 ? SchedulePolicy.random : .priorities(changePoints: 3, expectedSteps: 200)
            let first = try Self.busyWorld(seed, schedule)
            let second = try Self.busyWorld(seed, schedule)
            #expect(first == second, "seed \(seed)")
            signatures.insert(first.0)
        }
        #expect(signatures.count == 200)
    }

    @Test("another process takes the same steps from the same seed")
    func sameStepsInAnotherProcess() async throws {
        let child = try await #require(processExitsWith: .success, observing: [\.standardOutputContent]) {
            print("signatures=\(try SimulationTests.signatures())=")
            fflush(nil)
        }
        let text = String(decoding: child.standardOutputContent, as: UTF8.self)
        #expect(text.contains("signatures=\(try Self.signatures())="))
    }

    private static func signatures() throws -> String {
        try (0..<20).map { String(try busyWorld($0).0, radix: 16) }.joined(separator: ",")
    }

    @Test("a crash takes actors, mailboxes and timers away, and a restart boots the machine anew")
    func crashAndRestart() throws {
        let simulation = Simulation(seed: 3)
        let adders = Mutexed<[ActorRef<Adder.Message>]>([])
        let machine = try simulation.machine("one") { machine in
            let adder = try machine.system.spawn("adder") { Adder() }
            adders.change { $0.append(adder) }
        }
        let old = adders.value[0]
        old.send(.add(5))
        old.send(.later(.seconds(1)))
        try simulation.settle()
        old.send(.add(7))
        machine.crash()
        #expect(!machine.isUp)
        let outcome = try simulation.run { () async -> Bool in
            do { _ = try await old.ask { .total($0) } } catch { return error is AskError }
            return false
        }
        #expect(outcome)
        try machine.restart()
        try simulation.advance(by: .seconds(5))
        let new = adders.value[1]
        #expect(try simulation.run { try await new.ask { .total($0) } } == 0)
    }

    @Test("a paused machine does nothing until its time, then everything that waited")
    func pause() throws {
        let simulation = Simulation(seed: 4)
        let machine = try simulation.machine("one") { _ in }
        let adder = try machine.system.spawn { Adder() }
        machine.pause(for: .seconds(10))
        adder.send(.add(1))
        #expect(try simulation.run { try await adder.ask(timeout: .seconds(60)) { .total($0) } } == 1)
        #expect(simulation.time == .seconds(10))
    }

    @Test("the end of a pause of a machine that is down does not hide what is due after it")
    func pauseOfDownMachine() throws {
        let simulation = Simulation(seed: 1)
        let machine = try simulation.machine("down") { _ in }
        machine.crash()
        machine.pause(for: .seconds(1))
        try simulation.run(deadline: .seconds(10)) { await simulation.sleep(for: .seconds(2)) }
        #expect(simulation.time == .seconds(2))
    }

    @Test("a body that waits for real time stalls the run instead of passing it")
    func realTimeIsNoticed() throws {
        let simulation = Simulation(seed: 5)
        #expect {
            try simulation.run { try await Task.sleep(for: .seconds(3600)) }
        } throws: {
            if case SimulationError.stalled = $0 { true } else { false }
        }
    }

    @Test("a message from a thread outside of the simulation fails the run")
    func otherThreadsAreNoticed() throws {
        let simulation = Simulation(seed: 6)
        let machine = try simulation.machine("one") { _ in }
        let adder = try machine.system.spawn { Adder() }
        #expect {
            try simulation.run {
                Self.sendFromAnotherThread(adder)
                _ = try await adder.ask { .total($0) }
            }
        } throws: {
            if case SimulationError.outsideInterference = $0 { true } else { false }
        }
    }

    /// Returns when the message is in the mailbox, which was idle.
    private static func sendFromAnotherThread(_ adder: ActorRef<Adder.Message>) {
        let sent = DispatchSemaphore(value: 0)
        Thread {
            adder.send(.add(1))
            sent.signal()
        }.start()
        sent.wait()
    }

    @Test("actors that keep each other busy for ever are a livelock")
    func livelock() throws {
        struct Forever: Behavior {
            mutating func receive(_ message: consuming Int, _ context: borrowing Context<Int>) {
                context.myself.send(message)
            }
        }
        var configuration = Simulation.Configuration()
        configuration.stepsWithoutTime = 1_000
        let simulation = Simulation(seed: 7, configuration)
        let machine = try simulation.machine("one") { _ in }
        try machine.system.spawn { Forever() }.send(1)
        #expect {
            try simulation.settle()
        } throws: {
            if case SimulationError.livelock = $0 { true } else { false }
        }
    }

    @Test("a trace has a legend and one line for each event, and keeps the last ones")
    func trace() throws {
        var configuration = Simulation.Configuration()
        configuration.traceCapacity = 5
        let simulation = Simulation(seed: 8, configuration)
        let machine = try simulation.machine("bank") { _ in }
        let adder = try machine.system.spawn("alice") { Adder() }
        for _ in 0..<20 { adder.send(.add(1)) }
        try simulation.settle()
        simulation.note("settled")
        let lines = "\(simulation.trace)".split(separator: "\n")
        #expect(lines.count == 6)
        #expect(lines[0].contains("machine"))
        #expect(lines[1].contains("bank") && lines[1].contains("/alice"))
        #expect(lines[5].contains("note") && lines[5].contains("settled"))
    }

    @Test("of what a trace has no room for, the notes are kept, the last ones")
    func olderNotes() {
        var configuration = Simulation.Configuration()
        configuration.traceCapacity = 3
        let simulation = Simulation(seed: 8, configuration)
        for number in 1...3 { simulation.note("note \(number)") }
        #expect(simulation.trace.withOlderNotes == "\(simulation.trace)")
        for number in 4...8 { simulation.note("note \(number)") }
        let lines = simulation.trace.withOlderNotes.split(separator: "\n")
        #expect(lines.compactMap { $0.split(separator: " ").last.flatMap { Int($0) } } == Array(3...8))
        #expect("\(simulation.trace)".split(separator: "\n").count == 4)
    }

    @Test("nothing of a world is left when it goes")
    func nothingIsLeft() throws {
        weak var system: ActorSystem?
        do {
            let simulation = Simulation(seed: 9)
            let machine = try simulation.machine("one") { machine in
                try machine.system.spawn { Adder() }.send(.later(.seconds(100)))
            }
            try simulation.advance(by: .seconds(1))
            system = machine.system
            #expect(system?.liveCellCount == 2)
        }
        #expect(system == nil)
    }

    @Test("a frame that is under way when its world goes keeps nothing of it")
    func framesUnderWay() {
        weak var network: SimulatedNetwork?
        do {
            let simulation = Simulation(seed: 10)
            let made = SimulatedNetwork(simulation)
            network = made
            // As the network does with each frame.
            simulation.world.at(.max) { made.healLinks() }
        }
        #expect(network == nil)
    }
}

/// A value that closures of one thread share.
final class Mutexed<Value: Sendable>: Sendable {
    private let mutex: Mutex<Value>
    init(_ value: Value) { mutex = Mutex(value) }
    var value: Value { mutex.withLock { $0 } }
    func change(_ body: (inout Value) -> Void) { mutex.withLock { body(&$0) } }
}
