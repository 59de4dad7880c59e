// Clocks that jump, and what of it gets into the replicated state: nothing.

import Conclave
import RaftCore
import Synchronization
import Testing

@testable import ConclaveRaft

@Suite("Clocks", .timeLimit(.minutes(1)), .serialized)
struct ClockTests {
    /// The machine's clock, set forward.
    private final class SkewedClock: TimeSource {
        private let base = DispatchTimeSource()
        private let offset: Atomic<UInt64>

        init(ahead: Duration) { offset = Atomic(Self.nanoseconds(ahead)) }

        private static func nanoseconds(_ duration: Duration) -> UInt64 {
            UInt64(duration.components.seconds) * 1_000_000_000
        }

        var now: UInt64 { base.now + offset.load(ordering: .relaxed) }

        func setAlarm(at deadline: UInt64?, _ handler: @escaping @Sendable () -> Void) {
            let offset = offset.load(ordering: .relaxed)
            base.setAlarm(at: deadline.map { $0 > offset ? $0 - offset : 0 }, handler)
        }

        func jump(_ duration: Duration) { offset.add(Self.nanoseconds(duration), ordering: .relaxed) }
    }

    @Test(
        "P40: clocks apart, clocks that jump, and changes of the leader: sessions live as long everywhere, and log time is one"
    )
    func jumps() async throws {
        let clocks = Dictionary(
            uniqueKeysWithValues: (1...3).map { (NodeID($0), SkewedClock(ahead: .seconds(Int($0) * 3_600))) }
        )
        let cluster = try TestCluster(3, clocks: clocks)
        var leader = await cluster.leader()
        let session = await cluster.registerSession()
        let silent = await cluster.registerSession()
        var sequence = UInt64(0)
        for _ in 1...4 {
            // A follower's clock jumps by an hour, which is longer than a session may be silent; then it leads.
            let next = try #require(cluster.ids.first { $0 != leader })
            clocks[next]?.jump(.seconds(3_600))
            let others = cluster.ids.filter { $0 != leader }
            await cluster.stop(leader)
            let elected = await cluster.leader(among: others)
            try cluster.start(leader)
            leader = elected
            sequence += 1
            let label = SessionCommand(session: session, sequence: sequence, firstUnanswered: sequence)
            for id in cluster.ids {
                #expect(await cluster.insist { await cluster.propose(label, 7, on: id) } == .success(Int(sequence)))
            }
            leader = await cluster.leader()
        }
        // It was silent all the time, by the clocks for hours.
        let late = SessionCommand(session: silent, sequence: 1, firstUnanswered: 1)
        #expect(await cluster.insist { await cluster.propose(late, 8, on: cluster.ids[0]) } == .success(1))
        // The leader's own clock is the pace of the log's time: if it jumps, it does for all.
        clocks[leader]?.jump(.seconds(3_600))
        // Not at once, though: it may be in a batch that began before the jump, and it may step down over it, and then nobody notices.
        var answers: [Result<Int, RaftError>] = []
        for _ in 1...2 {
            for id in cluster.ids { answers.append(await cluster.insist { await cluster.propose(late, 8, on: id) }) }
        }
        let afterwards = answers.drop { $0 == .success(1) }
        #expect(afterwards.allSatisfy { $0 == .failure(.session(.unknownSession)) }, "\(answers)")
        var times: Set<UInt64> = []
        for id in cluster.ids {
            #expect(await cluster.insist { await cluster.read(7, on: id) } == .success(Int(sequence)))
            #expect(await cluster.insist { await cluster.read(8, on: id) } == .success(1))
            times.insert(cluster.server(id).status.logTime)
        }
        #expect(times.count == 1)
        #expect(times.allSatisfy { $0 > 0 && $0 < 4_000_000_000_000 }, "\(times)")
        await cluster.shutdown()
    }
}
