import Conclave
import ConclaveSimulation
import Testing

/// What each fault does to a machine, and what a cluster makes of those that cost it data.
@Suite struct FaultTests {
    /// Counts ticks of a second, and what it is told.
    private struct Counter: Behavior {
        enum Message { case tick, count(Reply<Int>) }
        var ticks = 0

        mutating func started(_ context: borrowing Context<Message>) { context.every(.seconds(1)) { .tick } }
        mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
            switch consume message {
            case .tick: ticks += 1
            case .count(let reply): reply(ticks)
            }
        }
    }

    private static func world(_ options: SpawnOptions = SpawnOptions()) throws -> (
        Simulation, SimulatedMachine, ActorRef<Counter.Message>
    ) {
        let simulation = Simulation(seed: 1)
        let machine = try simulation.machine("one") { _ in }
        return (simulation, machine, try machine.system.spawn("counter", options: options) { Counter() })
    }

    @Test(
        "a clock that is five per cent fast makes timers go off as much earlier, and one that is right again does not"
    )
    func clockRate() throws {
        let (simulation, machine, counter) = try Self.world()
        machine.setClockRate(partsPerMillion: 50_000)
        try simulation.advance(by: .seconds(1_000))
        #expect(try simulation.run { try await counter.ask { .count($0) } } == 1_050)
        machine.setClockRate(partsPerMillion: 0)
        try simulation.advance(by: .seconds(1_000))
        #expect(try simulation.run { try await counter.ask { .count($0) } } == 2_050)
        machine.setClockRate(partsPerMillion: -100_000)
        try simulation.advance(by: .seconds(1_000))
        #expect((2_949...2_950).contains(try simulation.run { try await counter.ask { .count($0) } }))
    }

    @Test("a clock that jumps ahead makes what would have been due in between go off at once")
    func clockJump() throws {
        let (simulation, machine, counter) = try Self.world()
        try simulation.advance(by: .milliseconds(1_500))
        machine.jumpClock(by: .seconds(3))
        try simulation.settle()
        #expect(try simulation.run { try await counter.ask { .count($0) } } > 1)
        #expect(simulation.time == .milliseconds(1_500))
    }

    @Test("a hung disk holds up the actors that may block, and nobody else, for as long as it hangs")
    func hungDisk() throws {
        let simulation = Simulation(seed: 1)
        let machine = try simulation.machine("one") { _ in }
        let writer = try machine.system.spawn("writer", options: SpawnOptions(runsOn: .ownThread)) { Counter() }
        let other = try machine.system.spawn("other") { Counter() }
        try simulation.settle()
        machine.hangDisk(for: .seconds(10))
        #expect(try simulation.run { try await other.ask { .count($0) } } == 0)
        #expect(simulation.time == .zero)
        _ = try simulation.run { try await writer.ask(timeout: .seconds(60)) { .count($0) } }
        #expect(simulation.time == .seconds(10))
        // For each batch of one message: the question may wait behind a tick.
        machine.slowDisk(by: .milliseconds(5))
        _ = try simulation.run { try await writer.ask { .count($0) } }
        #expect((.milliseconds(10_005) ... .milliseconds(10_020)).contains(simulation.time))
        machine.slowDisk(by: .zero)
        try simulation.advance(by: .milliseconds(100))
        let time = simulation.time
        _ = try simulation.run { try await writer.ask { .count($0) } }
        #expect(simulation.time == time)
    }

    @Test("a crash does not wait for a disk that hangs")
    func crashWithHungDisk() throws {
        let (simulation, machine, counter) = try Self.world(SpawnOptions(runsOn: .ownThread))
        try simulation.settle()
        machine.hangDisk(for: .seconds(100))
        try simulation.advance(by: .seconds(2))
        machine.crash()
        #expect(throws: AskError.self) { try simulation.run { try await counter.ask { .count($0) } } }
        #expect(simulation.time == .seconds(2))
    }

    private static func run(_ plan: String, seed: UInt64 = 1, nodes: Int = 3) throws -> RaftRunReport {
        var options = RaftRunOptions()
        options.nodes = nodes
        options.plan = try FaultPlan(text: plan)
        options.faultPhase = .seconds(8)
        return try RaftSimulation.run(seed: seed, options)
    }

    @Test("a wiped server is refused under its old number, and replaced by one with a new number (P28)")
    func wiped() throws {
        let report = try Self.run("4000 ms wipe 1")
        #expect(report.refusals > 0)
        #expect(report.replacements == 1)
    }

    @Test("servers are replaced one after the other, with the leader among them, and led by whom the operator asks for")
    func replaced() throws {
        let report = try Self.run("1000 ms replace 1\n1500 ms replace 2\n2000 ms replace 3\n2500 ms transfer 2")
        #expect(report.replacements == 3)
        #expect(report.elections > 1)
    }

    @Test("two servers are replaced by one change, with the leader among them", arguments: [3, 5])
    func swapped(nodes: Int) throws {
        let report = try Self.run("1000 ms swap 1 2\n4000 ms swap 3 1", nodes: nodes)
        #expect(report.swaps == 2 && report.replacements == 0)
        #expect(report.elections > 1)
    }

    @Test("each server loses its vote and gets it back, with the leader among them")
    func demoted() throws {
        let report = try Self.run("1000 ms demote 1\n1500 ms demote 2\n2000 ms demote 3")
        #expect(report.demotions == 3)
        #expect(report.elections > 1)
    }

    @Test("no data is lost while a server is without its vote, and no vote is taken while data is lost")
    func demotedOrLost() throws {
        let report = try Self.run("3000 ms demote 1\n3001 ms rot 2\n3002 ms wipe 2")
        #expect(report.demotions == 1 && report.repairs == 0 && report.replacements == 0)
        let other = try Self.run("4000 ms wipe 2\n4001 ms demote 1")
        #expect(other.demotions == 0 && other.replacements == 1)
    }

    @Test("a wrong bit in what a server acknowledged is found, and repaired by the others (P34)")
    func rotten() throws {
        let reports = try (0..<5).map { try Self.run("5000 ms rot 2", seed: $0) }
        #expect(reports.contains { $0.repairs > 0 })
    }

    @Test(
        "a batch that was written elsewhere is found: the others repair the log, or operators replace the server (P34)"
    )
    func misdirected() throws {
        let reports = try (0..<8).map { try Self.run("5000 ms misdirect-write 2", seed: $0) }
        #expect(reports.contains { $0.misdirections > 0 && $0.repairs > 0 })
        #expect(reports.allSatisfy { $0.misdirections == $0.repairs + $0.replacements })
    }

    @Test("a server with a damaged snapshot refuses to start and is replaced, or starts from its whole log")
    func rottenSnapshot() throws {
        let reports = try (0..<8).map { try Self.run("6000 ms rot-snapshot 2", seed: $0) }
        #expect(reports.contains { $0.rottenSnapshots > 0 && $0.replacements > 0 })
        #expect(reports.allSatisfy { $0.rottenSnapshots >= $0.replacements })
    }

    @Test(
        "a leader whose snapshot rots while it is up finds out when a follower needs it, and replaces it: the follower catches up"
    )
    func rottenSnapshotSent() throws {
        let plan = "2000 ms kill 2\n6000 ms rot-snapshot 1\n6100 ms restart 2"
        let reports = try (0..<12).map { try Self.run(plan, seed: $0) }
        #expect(reports.contains { $0.replacedSnapshots > 0 })
        #expect(reports.allSatisfy { $0.replacedSnapshots <= $0.rottenSnapshots })
    }

    @Test("a server is replaced whose snapshot a batch was written over (found by seed 0)")
    func misdirectedIntoSnapshot() throws {
        var replaced = false
        for seed in 0..<40 as Range<UInt64> where !replaced {
            let report = try Self.run("7000 ms misdirect-write 2", seed: seed)
            replaced = report.replacements > 0
        }
        #expect(replaced)
    }

    @Test("a server whose disk fails to read when it starts is started again, and has lost nothing")
    func unreadable() throws {
        let plan = (1...6).map { "\($0 * 1_000) ms fail-read \($0 % 3 + 1)" }.joined(separator: "\n")
        for seed in 0..<8 as Range<UInt64> {
            let report = try Self.run(plan, seed: seed)
            #expect(report.faults == 6 && report.repairs == 0 && report.replacements == 0)
        }
    }

    @Test("a server whose identity file is damaged writes it again, and is still known to the others")
    func rottenIdentity() throws {
        for seed in 0..<8 as Range<UInt64> {
            let report = try Self.run(
                "2000 ms rot-identity 1\n4000 ms rot-identity 2\n6000 ms rot-identity 2",
                seed: seed
            )
            #expect(report.faults == 3 && report.refusals == 0 && report.repairs == 0)
        }
    }

    @Test("a cluster goes on while one of its disks is full, and all of it when there is space again")
    func full() throws {
        let report = try Self.run("1000 ms fill-disk 1\n1000 ms fill-disk 2\n5000 ms free-disk 1\n6000 ms free-disk 2")
        #expect(report.answered > 50)
    }

    @Test("commands of sessions are carried out once although their frames arrive twice and their servers die")
    func sessions() throws {
        let plan = """
            0 ms network 50-20000 us drop 50 duplicate 300 reorder 200 straggle 20
            1500 ms kill 1
            2000 ms restart 1
            2500 ms kill 2
            3000 ms restart 2
            3500 ms power-cut 3
            4000 ms restart 3
            """
        for seed in 0..<5 as Range<UInt64> { #expect(try Self.run(plan, seed: seed).answered > 20) }
    }

    @Test("each knob of the faults has its line in the article about them")
    func knobsAreDocumented() throws {
        var random = SimulationRandom(seed: 1)
        var kinds: Set<String> = []
        for seed in 0..<200 as Range<UInt64> {
            var options = RaftRunOptions()
            options.nodes = Int.random(in: 3...5, using: &random)
            for step in RaftSimulation.plan(seed: seed, options).steps {
                kinds.insert(String("\(step.fault)".prefix { $0 != " " }))
            }
        }
        #expect(kinds.count == FaultKind.allCases.count - 1 + LinkShape.allCases.count)
        let article = try Documentation.article("Faults")
        for kind in kinds { #expect(article.contains("`\(kind)"), "\(kind)") }
    }
}
