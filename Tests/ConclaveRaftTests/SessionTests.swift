import RaftCore
import Testing

@testable import ConclaveRaft

@Suite("Sessions", .timeLimit(.minutes(1)), .serialized)
struct SessionTests {
    @Test("P37: a session's command that is tried on every server is carried out once, and each try gets its answer")
    func everyServer() async throws {
        let cluster = try TestCluster(3)
        _ = await cluster.leader()
        let session = await cluster.registerSession()
        for sequence in 1...5 as ClosedRange<UInt64> {
            let label = SessionCommand(session: session, sequence: sequence, firstUnanswered: 1)
            for id in cluster.ids {
                let result = await cluster.insist { await cluster.propose(label, 7, on: id) }
                #expect(result == .success(Int(sequence)))
            }
        }
        let stranger = SessionCommand(session: SessionID(rawValue: 1 << 40), sequence: 1, firstUnanswered: 1)
        #expect(await cluster.propose(stranger, 7, on: cluster.ids[0]) == .failure(.session(.unknownSession)))
        #expect(await cluster.insist { await cluster.read(7, on: cluster.ids[1]) } == .success(5))
        await cluster.shutdown()
    }

    @Test("P37: counts of clients that try again whatever happens are exact over leader changes")
    func exactOverLeaderChanges() async throws {
        let cluster = try TestCluster(3, requestTimeout: .milliseconds(200))
        _ = await cluster.leader()
        let counts = await withTaskGroup(of: (UInt8, Int).self) { group in
            for client in 0..<6 as Range<UInt8> {
                group.addTask { (client, await Self.count(to: 40, number: client, cluster)) }
            }
            for _ in 0..<6 {
                let leader = await cluster.leader()
                cluster.network.isolate(leader)
                _ = await cluster.leader(among: cluster.ids.filter { $0 != leader })
                cluster.network.heal()
            }
            var counts: [(UInt8, Int)] = []
            for await count in group { counts.append(count) }
            return counts
        }
        for (number, count) in counts {
            #expect(count == 40)
            let read = await cluster.insist { await cluster.read(number, on: cluster.ids[Int(number) % 3]) }
            #expect(read == .success(40))
        }
        await cluster.shutdown()
    }

    /// Counts up, each command tried on one server after the other until it has an answer. The last answer.
    private static func count(to end: UInt64, number: UInt8, _ cluster: TestCluster) async -> Int {
        let session = await cluster.registerSession()
        var last = 0
        var tries = Int(number)
        for sequence in 1...end {
            let label = SessionCommand(session: session, sequence: sequence, firstUnanswered: sequence)
            while true {
                tries += 1
                let result = await cluster.propose(label, number, on: cluster.ids[tries % cluster.ids.count])
                if case .success(let answer) = result {
                    last = answer
                    break
                }
                await Task.yield()
            }
        }
        return last
    }
}
