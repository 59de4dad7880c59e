import Conclave
import ConclaveNet
import Dispatch
import RaftCore
import RaftLog
import Synchronization
import Testing

@testable import ConclaveRaft

/// A machine that applies nothing until it is let go.
private struct StoppedMachine: StateMachine {
    let gate: Gate
    private var count = 0

    init(_ gate: Gate) { self.gate = gate }

    final class Gate: Sendable {
        private let semaphore = DispatchSemaphore(value: 0)

        func pass() {
            semaphore.wait()
            semaphore.signal()
        }

        func open() { semaphore.signal() }
    }

    mutating func apply(_ command: ArraySlice<UInt8>, wantsResponse: Bool) throws -> Int {
        gate.pass()
        count += 1
        return count
    }

    func answer(_ query: Int) -> Int { count }
    func writeSnapshot(_ write: (UnsafeRawBufferPointer) throws -> Void) throws {}
    mutating func restoreSnapshot(_ read: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void) throws {}
    static func encode(_ response: Int) -> [UInt8] { Array("\(response)".utf8) }
    static func decode(response: [UInt8]) throws -> Int { Int(String(decoding: response, as: UTF8.self)) ?? 0 }
}

@Suite("Machines slower than the log", .timeLimit(.minutes(1))) struct SlowMachineTests {
    private final class Results: Sendable {
        let all = Mutex<[Result<Int, RaftError>]>([])
        var overloaded: Int { all.withLock { $0.count { $0 == .failure(.overloaded) } } }
        var count: Int { all.withLock { $0.count } }
    }

    @Test("what waits for the machine is bounded: commands are refused meanwhile, and none that was taken is lost")
    func bounded() async throws {
        let gate = StoppedMachine.Gate()
        let system = ActorSystem("slow", workers: 3, watchdog: nil)
        let (log, recovered) = try WriteAheadLog.open(
            disk: MemoryDisk(),
            identity: LogIdentity(cluster: ClusterID(high: 1, low: 2), node: NodeID(1), incarnation: 3),
            ifMissing: .create,
            options: RaftStorage.memory().logOptions
        )
        var configuration = RaftServerConfiguration(id: NodeID(1), voters: [NodeID(1)], seed: 4, process: 5)
        configuration.options.limits.unappliedEntries = 100
        configuration.options.tick = .milliseconds(2)
        configuration.options.requestTimeout = .seconds(60)
        let server = try RaftServer(
            configuration,
            machine: StoppedMachine(gate),
            log: log,
            recovered: recovered,
            transport: RaftNetwork().transport(of: Handshake(cluster: 1, node: PeerID(1), incarnation: 3)),
            in: system,
            onFailure: { Issue.record("the server ended: \($0)") }
        )
        while server.status.current.commitIndex == .zero { await Task.yield() }
        let (results, rounds) = (Results(), 10)
        for round in 1...rounds {
            for _ in 0..<50 {
                server.propose(
                    [7],
                    CommandCompletion<StoppedMachine> { result in results.all.withLock { $0.append(result) } }
                )
            }
            // All that was taken is committed, applied or not.
            while server.status.current.commitIndex < LogIndex(UInt64(1 + 50 * round - results.overloaded)) {
                await Task.yield()
            }
        }
        // Those that the machine was handed, and one round that was taken before it was seen to be too much.
        #expect(results.overloaded >= 50 * rounds - 200)
        #expect(server.status.current.commitIndex <= LogIndex(201))
        gate.open()
        while results.count < 50 * rounds { await Task.yield() }
        let answers = results.all.withLock { $0.compactMap { try? $0.get() } }
        #expect(answers == Array(1...answers.count) && answers.count == 50 * rounds - results.overloaded)
        await system.shutdown()
    }
}
