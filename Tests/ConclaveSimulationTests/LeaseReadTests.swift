// Reads under a lease (rule P24), by unchanged servers on machines whose clocks differ.

import Conclave
import ConclaveNet
import ConclaveRaft
import RaftScenario
import Synchronization
import Testing

@testable import ConclaveSimulation
@testable import RaftCore

@Suite struct LeaseReadTests {
    /// Three servers, the first of which leads. Its clock is slow by as much as leases allow, unless it is told otherwise.
    private struct Cluster: Sendable {
        let simulation: Simulation
        let world: RaftWorld
        /// What reads of the first server came to: when they were asked, and when they had an answer.
        let answers = Answers()
        let old = NodeID(1)
        var others: [NodeID] { world.ids.filter { $0 != old } }

        init(seed: UInt64, clock: UInt64 = 900, leaseDriftPercent: Int? = 10) throws {
            simulation = Simulation(seed: seed)
            var options = RaftRunOptions()
            options.leaseDriftPercent = leaseDriftPercent
            options.clocksPerMille = [clock]
            world = try RaftWorld(simulation, options)
        }

        func run(_ body: @escaping @Sendable () async throws -> Void) throws { try simulation.run { try await body() } }

        func status(_ id: NodeID) -> RaftStatus {
            guard let server = world.server(id) else { preconditionFailure("\(id) is down") }
            return server.status.current
        }

        func pass(_ milliseconds: Int64) async { await simulation.sleep(for: .milliseconds(milliseconds)) }

        /// Until the first server leads and has had the time to get a lease.
        func settle() async {
            while !world.ids.allSatisfy({ status($0).leader == old }) {
                _ = await transfer(to: old, asking: NodeID(2))
                await pass(50)
            }
            await pass(500)
        }

        func transfer(to target: NodeID, asking id: NodeID) async -> Bool {
            guard let server = world.server(id) else { return false }
            return await withCheckedContinuation { continuation in
                server.administrate(
                    .transferLeadership(to: target),
                    AdminCompletion {
                        if case .success = $0 {
                            continuation.resume(returning: true)
                        } else {
                            continuation.resume(returning: false)
                        }
                    }
                )
            }
        }

        /// Asks the first server, and notes when it answers.
        func read() {
            let asked = simulation.time
            world.server(old)?.read(
                QueryCompletion<RegisterMachine>("key") { [answers, simulation] result in
                    if case .success = result { answers.note(asked, simulation.time) }
                }
            )
        }

        /// Nothing arrives at the first server any more, and what it sends is lost too unless `mayReach` says otherwise.
        func cutOff(mayReach: NodeID? = nil) {
            for other in others {
                world.network.cut(from: PeerID(other.rawValue), to: PeerID(old.rawValue))
                if other != mayReach { world.network.cut(from: PeerID(old.rawValue), to: PeerID(other.rawValue)) }
            }
        }
    }

    private final class Answers: Sendable {
        private let times = Mutex<[(asked: Duration, answered: Duration)]>([])
        func note(_ asked: Duration, _ answered: Duration) { times.withLock { $0.append((asked, answered)) } }
        var all: [(asked: Duration, answered: Duration)] { times.withLock { $0 } }
    }

    @Test("P24: under a lease a read is answered in no time, with all links cut; without one it waits for the others")
    func noRoundTrip() throws {
        for seed in 0..<10 as Range<UInt64> {
            let leased = try Cluster(seed: seed)
            try leased.run {
                await leased.settle()
                leased.cutOff()
                leased.read()
                await leased.pass(1)
            }
            // Time passes for what is sent, not for what is done: half a microsecond is below every delay of the network.
            #expect(leased.answers.all.map { $0.answered - $0.asked } == [.zero], "seed \(seed)")

            let unleased = try Cluster(seed: seed, leaseDriftPercent: nil)
            try unleased.run {
                await unleased.settle()
                unleased.read()
                await unleased.pass(100)
                unleased.cutOff()
                unleased.read()
                await unleased.pass(3_000)
            }
            #expect(unleased.answers.all.count == 1 && unleased.answers.all.allSatisfy { $0.answered > $0.asked })
        }
    }

    /// Asks a leader that is cut off again and again. The last question that it answered, and when another was elected, both counted from
    /// the cut.
    private func cutOff(seed: UInt64, clock: UInt64) throws -> (lastAnswered: Duration, elected: Duration) {
        let cluster = try Cluster(seed: seed, clock: clock)
        let times = Mutex((cut: Duration.zero, elected: Duration.zero))
        try cluster.run {
            await cluster.settle()
            cluster.cutOff()
            times.withLock { $0.cut = cluster.simulation.time }
            while !cluster.others.contains(where: { cluster.status($0).role == .leader }) {
                cluster.read()
                await cluster.pass(1)
            }
            times.withLock { $0.elected = cluster.simulation.time }
            for _ in 0..<1_000 {
                cluster.read()
                await cluster.pass(1)
            }
        }
        let (cut, elected) = times.withLock { $0 }
        return ((cluster.answers.all.map(\.asked).max() ?? cut) - cut, elected - cut)
    }

    @Test(
        "P24: a leader that is cut off stops answering from its lease before another is elected, its clock slow by the bound"
    )
    func cutOff() throws {
        var longest = Duration.zero
        for seed in 0..<20 as Range<UInt64> {
            let (lastAnswered, elected) = try cutOff(seed: seed, clock: 900)
            #expect(lastAnswered < elected, "seed \(seed)")
            longest = max(longest, lastAnswered)
        }
        // It did answer for a while.
        #expect(longest > .milliseconds(100))
    }

    @Test(
        "P24: the bound is needed: with a clock that is slower than it says, an old leader has its lease when another commits"
    )
    func beyondTheBound() throws {
        let caught = (0..<20 as Range<UInt64>).contains { seed in
            do { _ = try cutOff(seed: seed, clock: 300) } catch { return "\(error)".contains("lease: server") }
            return false
        }
        #expect(caught)
    }

    @Test("P24: a follower that does not keep its promise when it hears of a new term is caught")
    func forgottenPromise() {
        var options = Self.options(clocks: [])
        // As if nothing had been promised: only the leader of the own term counts.
        options.meddling.beforeInput = { _, core in core.promiseUntil = 0 }
        options.meddling.afterInput = { _, _, core in core.promiseUntil = 0 }
        let caught = (0..<20 as Range<UInt64>).contains { seed in
            do throws(RaftRunFailure) { _ = try RaftSimulation.run(seed: seed, options) } catch {
                return error.checker == "lease promise"
            }
            return false
        }
        #expect(caught)
    }

    @Test(
        "P24, P25: who has told another to stand for election answers no read from its lease any more, although it hears of nobody else"
    )
    func transfer() throws {
        for seed in 0..<20 as Range<UInt64> {
            let cluster = try Cluster(seed: seed)
            let target = NodeID(seed % 2 == 0 ? 2 : 3)
            let bothLed = Mutex(false)
            try cluster.run {
                await cluster.settle()
                cluster.read()
                // Not an unstructured task: that would run outside of the simulated world.
                async let transferred = cluster.transfer(to: target, asking: cluster.old)
                // The target hears its leader, but the leader hears nobody: not of its successor either.
                cluster.cutOff(mayReach: target)
                await cluster.pass(1)
                for _ in 0..<400 {
                    cluster.read()
                    await cluster.pass(1)
                    let hasNext = cluster.status(target).role == .leader
                    if hasNext, cluster.status(cluster.old).role == .leader { bothLed.withLock { $0 = true } }
                }
                cluster.world.network.healLinks()
                _ = await transferred
            }
            #expect(
                bothLed.withLock { $0 },
                "seed \(seed): the old leader never took itself for one beside the new one"
            )
            #expect(cluster.answers.all.count == 1, "seed \(seed): \(cluster.answers.all)")
        }
    }

    /// Network faults, and leaders that hand over.
    private static func options(clocks: [UInt64]) -> RaftRunOptions {
        var options = RaftRunOptions()
        options.profile = .net
        options.faultPhase = .seconds(10)
        options.leaseDriftPercent = 10
        options.clocksPerMille = clocks
        options.transfersWithin = .seconds(3)
        return options
    }

    @Test(
        "P24: histories with reads under leases are linearizable under faults and transfers, with clocks that drift within the bound"
    )
    func linearizable() throws {
        for seed in 0..<6 as Range<UInt64> {
            let clocks =
                [[900, 1_000, 1_000], [1_000, 950, 1_050], [1_100, 1_000, 1_050]][Int(seed % 3)] as [UInt64]
            #expect(try RaftSimulation.run(seed: seed, Self.options(clocks: clocks)).answered > 0)
        }
    }
}
