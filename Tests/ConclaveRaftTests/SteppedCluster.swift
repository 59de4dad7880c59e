import Conclave
import ConclaveNet
import RaftCore
import RaftLog
import Synchronization

@testable import ConclaveRaft

/// Runs what is ready on the thread of the test, when the test says so.
final class TestSteps: Scheduler {
    private enum Ready {
        case cell(RunnableCell)
        case job(RunnableJob)
    }

    private let ready = Mutex<[Ready]>([])

    func schedule(_ cell: RunnableCell) { ready.withLock { $0.append(.cell(cell)) } }

    func scheduleOnOwnThread(_ cell: RunnableCell) { schedule(cell) }

    func schedule(_ job: RunnableJob) { ready.withLock { $0.append(.job(job)) } }

    func shutdown() async {}

    /// Runs until nothing is ready.
    func settle() {
        while let next = ready.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) {
            switch next {
            case .cell(let cell): if cell.runBatch() { schedule(cell) }
            case .job(let job): job.run()
            }
        }
    }
}

/// A clock that only goes on when the test says so; also, as when a process is paused, between two looks at it.
final class TestClock: TimeSource {
    private struct State {
        var now: UInt64 = 1_000_000_000
        var alarm: (deadline: UInt64, handler: @Sendable () -> Void)?
        /// After so many more looks time jumps.
        var jump: (looks: Int, duration: Duration)?
    }

    private let state = Mutex(State())

    var now: UInt64 {
        state.withLock { state in
            if let jump = state.jump {
                state.jump = jump.looks > 0 ? (jump.looks - 1, jump.duration) : nil
                if jump.looks == 0 { state.now += jump.duration.nanoseconds }
            }
            return state.now
        }
    }

    func setAlarm(at deadline: UInt64?, _ handler: @escaping @Sendable () -> Void) {
        state.withLock { $0.alarm = deadline.map { ($0, handler) } }
    }

    /// Lets time jump after so many more looks.
    func jump(by duration: Duration, afterLooks looks: Int) { state.withLock { $0.jump = (looks, duration) } }

    func advance(by duration: Duration) {
        let handler = state.withLock { state -> (@Sendable () -> Void)? in
            state.now += duration.nanoseconds
            guard let alarm = state.alarm, alarm.deadline <= state.now else { return nil }
            state.alarm = nil
            return alarm.handler
        }
        handler?()
    }
}

/// Servers on a network in memory, whose threads and clocks belong to the test.
final class SteppedCluster {
    let network = RaftNetwork()
    let steps = TestSteps()
    let ids: [NodeID]
    private(set) var disks: [NodeID: MemoryDisk] = [:]
    private(set) var clocks: [NodeID: TestClock] = [:]
    private(set) var servers: [NodeID: RaftServer<CountingMachine>] = [:]
    private var systems: [ActorSystem] = []
    private let told = Announcements()

    init(_ count: Int, _ change: (inout ConsensusOptions) -> Void) throws {
        ids = (1...count).map { NodeID(UInt64($0)) }
        var options = ConsensusOptions()
        change(&options)
        for id in ids {
            let disk = MemoryDisk(location: "disk of \(id)")
            disks[id] = disk
            let (log, recovered) = try WriteAheadLog.open(
                disk: disk,
                identity: LogIdentity(cluster: ClusterID(high: 1, low: 2), node: id, incarnation: 3),
                ifMissing: .create,
                options: RaftStorage.memory().logOptions
            )
            var configuration = RaftServerConfiguration(id: id, voters: ids, seed: id.rawValue, process: id.rawValue)
            configuration.options = options
            configuration.onEvent = { [told] event in told.all.withLock { $0[id, default: []].append(event) } }
            let clock = TestClock()
            let system = ActorSystem("\(id)", scheduler: steps, time: clock)
            clocks[id] = clock
            systems.append(system)
            servers[id] = try RaftServer(
                configuration,
                machine: CountingMachine(),
                log: log,
                recovered: recovered,
                transport: network.transport(of: Handshake(cluster: 1, node: PeerID(id.rawValue), incarnation: 3)),
                in: system,
                onFailure: { _ in }
            )
        }
        steps.settle()
    }

    deinit {
        // No handler may be left that would run on another thread.
        for system in systems { system.kill() }
        steps.settle()
    }

    func clock(_ id: NodeID) -> TestClock {
        guard let clock = clocks[id] else { preconditionFailure("no server \(id)") }
        return clock
    }

    func server(_ id: NodeID) -> RaftServer<CountingMachine> {
        guard let server = servers[id] else { preconditionFailure("no server \(id)") }
        return server
    }

    /// What a server has announced so far.
    func events(_ id: NodeID) -> [RaftEvent] { told.all.withLock { $0[id] ?? [] } }

    func status(_ id: NodeID) -> RaftStatus { server(id).status.current }

    /// Lets time pass everywhere, in steps of 5 ms.
    func pass(_ duration: Duration) {
        for _ in 0..<max(1, Int(duration / .milliseconds(5))) {
            for id in ids { clock(id).advance(by: .milliseconds(5)) }
            steps.settle()
        }
    }

    /// Lets time pass until somebody leads whom all follow.
    func elect() -> NodeID {
        for _ in 0..<2_000 {
            pass(.milliseconds(5))
            if let leader = status(ids[0]).leader, status(leader).role == .leader,
                ids.allSatisfy({ status($0).leader == leader })
            {
                return leader
            }
        }
        preconditionFailure("nobody is elected in ten seconds")
    }

    /// What a read has come to so far; nil: nothing.
    func read(_ number: UInt8, on id: NodeID) -> Outcome {
        let outcome = Outcome()
        server(id).read(QueryCompletion(number) { outcome.set($0) })
        return outcome
    }

    private final class Announcements: Sendable {
        let all = Mutex<[NodeID: [RaftEvent]]>([:])
    }

    final class Outcome: Sendable {
        private let result = Mutex<Result<Int, RaftError>?>(nil)
        var value: Result<Int, RaftError>? { result.withLock { $0 } }
        fileprivate func set(_ value: Result<Int, RaftError>) { result.withLock { $0 = value } }
    }
}
